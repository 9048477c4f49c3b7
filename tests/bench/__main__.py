"""``make bench``: print every measure as a table; ``ARGS`` names a section, or ``--full``."""

from __future__ import annotations

import argparse
import sys

from tests.bench import command_line, fleet, judgement, overlap, page, shards, sizes, worker

SECTIONS = {
    "worker": worker.main,
    "sizes": sizes.main,
    "judgement": judgement.main,
    "fleet": fleet.main,
    "overlap": overlap.main,
    "page": page.main,
    "shards": shards.main,
}


def main(arguments: list[str]) -> int:
    """Run the section that is named first, else all of them; 1 when something was not reached."""
    if arguments and arguments[0] in SECTIONS:
        return SECTIONS[arguments[0]](arguments[1:])
    if arguments == ["command-line"]:
        return command_line.main()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long numbers")
    parser.add_argument("--traces", help="see the section judgement")
    chosen = parser.parse_args(arguments)
    full = ["--full"] if chosen.full else []
    traces = ["--traces", chosen.traces] if chosen.traces else []
    missed = [
        judgement.main([*full, *traces]),
        command_line.main(),
        fleet.main(full),
        overlap.main(full),
        page.main(full),
        shards.main(full),
        worker.main(full),
        sizes.main(full),
    ]
    return max(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
