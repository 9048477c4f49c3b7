"""``make bench``: print every measure as a table; ``ARGS`` names a section, or ``--full``."""

from __future__ import annotations

import sys

from tests.bench import judgement, worker

SECTIONS = {"worker": worker.main, "judgement": judgement.main}


def main(arguments: list[str]) -> int:
    """Run the section that is named first, else all of them; 1 when something was not reached."""
    if arguments and arguments[0] in SECTIONS:
        return SECTIONS[arguments[0]](arguments[1:])
    return max([section(arguments) for section in SECTIONS.values()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
