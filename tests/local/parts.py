"""A job for the tests: parts done one after the other, each with an output, then merged.

What it publishes depends on the number of parts alone. Once, at one part, it can meet trouble that
a test wants to see; the file ``--once`` remembers that it did, whatever attempt comes next.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import signal
import sys
import time
from pathlib import Path

from steadyspot import current_run

HELD, WAITING = "held in part", "waiting for the gate"
LONG_SECONDS = 60.0


def content(part: int) -> bytes:
    """What a part comes to."""
    return hashlib.sha256(f"part {part}".encode()).hexdigest().encode() * 100


def main() -> None:
    arguments = parsed()
    assert isinstance(sys.stdout, io.TextIOWrapper)
    # Text and end of a line in one, or a line of the worker's may come between.
    sys.stdout.reconfigure(line_buffering=True, write_through=False)
    if arguments.do == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run = current_run()
    if arguments.gate and arguments.once.exists():
        print(WAITING, flush=True)
        wait_for(arguments.gate)
    for part in run.remaining(range(1, arguments.parts + 1)):
        print(f"part {part} begun", flush=True)
        with run.output(f"part-{part}.txt") as path:
            path.write_bytes(content(part))
        time.sleep(arguments.pause)
        if part == arguments.at and not arguments.once.exists():
            arguments.once.touch()
            print(f"{HELD} {part} below {os.getppid()}", flush=True)
            if arguments.do == "exit":
                sys.exit(arguments.code)
            if arguments.do == "hold":
                run.stopping.wait(LONG_SECONDS)
            else:
                time.sleep(LONG_SECONDS)
        run.state[str(part)] = hashlib.sha256(content(part)).hexdigest()
        print(f"part {part} done", flush=True)
    with run.output("merged.txt") as path:
        path.write_text("".join(f"{part} {digest}\n" for part, digest in run.state.items()))


def parsed() -> argparse.Namespace:
    """hold: until told to stop, then the part ends; deaf: ignore SIGTERM; exit: with --code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--do", choices=("hold", "deaf", "exit"), default="hold")
    parser.add_argument("--code", type=int, default=0)
    parser.add_argument("--once", type=Path, default=Path("held"))
    parser.add_argument("--gate", type=Path)
    return parser.parse_args()


def wait_for(gate: Path) -> None:
    end = time.monotonic() + LONG_SECONDS
    while not gate.exists() and time.monotonic() < end:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
