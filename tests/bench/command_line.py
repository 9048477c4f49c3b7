"""Measures of the command line: how fast it answers, and how little it asks of AWS.

Calls are counted as they leave the client, on the embedded AWS; following is counted against an
hour's history whose clock only the follower's own pauses move on.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.cli.screen import silent
from steadyspot.deploy.cli.verbs import up
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.runs.executions import Follower
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.up import bring, platform_of, stack_of
from steadyspot.deploy.target import Target
from tests.bench.report import Row, report
from tests.local.counting import counted
from tests.unit.deploy.fakes import BEGUN, Clock, History

ROOT = Path(__file__).parents[2]
HELP_SECONDS, UP_CALLS, FOLLOW_CALLS = 0.150, 10, 60
TYPED_ON_AWS, TYPED_HERE = 3, 1


def main() -> int:
    """Print the measures; 1 when something was not reached."""
    return report("The command line", rows())


def rows() -> Iterator[Row]:
    """Yield each measure."""
    seconds = help_seconds()
    yield Row(
        "steadyspot --help (middle of 10)",
        f"{seconds * 1000:.0f} ms",
        f"<= {HELP_SECONDS * 1000:.0f} ms",
        seconds <= HELP_SECONDS,
    )
    calls, printed = calls_of_idle_up()
    reached = 0 < calls <= UP_CALLS and "Nothing to change" in printed
    yield Row("up of one job, nothing to change", f"{calls} calls", f"<= {UP_CALLS}", reached)
    for what, every in (("something happens every second", 1.0), ("nothing happens", 3600.0)):
        busiest, mean = calls_of_following(every)
        yield Row(
            f"calls of the busiest minute of following, {what}",
            f"{busiest} (mean {mean:.1f})",
            f"<= {FOLLOW_CALLS}",
            busiest <= FOLLOW_CALLS,
        )
    for where, heading, most in (
        ("on AWS", "Deploy to AWS", TYPED_ON_AWS),
        ("local", "See it work", TYPED_HERE),
    ):
        typed = commands_under(heading)[:most]
        enough = any(re.search(r"steadyspot run|make demo", command) for command in typed)
        yield Row(
            f"from clone to a finished run, {where}",
            f"{len(typed)} commands",
            f"<= {most}",
            enough,
        )


def help_seconds() -> float:
    """Return how long a person waits for the list of verbs, the middle of ten times."""

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "steadyspot", "--help"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        return time.perf_counter() - begun

    once()  # Files are read for the first time, and byte code is written.
    return statistics.median(once() for _ in range(10))


def calls_of_idle_up() -> tuple[int, str]:
    """Return how many calls `up` makes where all is as it should be, and what it says."""
    job = Job(name="night", image="steadyspot-worker:local", schedule="rate(1 hour)")
    with LocalAws() as aws, tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        config = Config(Path(folder) / "steadyspot.toml", Platform("bench"), {"night": job})
        target = Target(config, aws.session())
        for stack in (platform_of(target), stack_of(target, job)):
            bring(target, stack, silent(), lambda _plan: True)
        calls, printed = counted(Target(config, aws.session()), up.command)
    return calls.total(), printed


def calls_of_following(every: float) -> tuple[int, float]:
    """Return the calls of the busiest minute, and per minute, of following an hour's execution."""
    clock = Clock()
    event = {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Tell people"}}
    ends = {"type": "ExecutionSucceeded", "timestamp": BEGUN + timedelta(hours=1)}
    steps = int(3600 / every)
    events = [
        {**event, "timestamp": BEGUN + timedelta(seconds=every * step)} for step in range(steps)
    ]
    numbered = [{**event, "id": n} for n, event in enumerate([*events, ends], start=1)]
    history = History(clock, numbered)
    pace = Pace(pause=clock.pause, clock=clock)
    for _ in Follower(history, "arn", pace).moments():  # type: ignore[arg-type]
        pass
    times = history.calls
    busiest = max(sum(begin <= at < begin + 60 for at in times) for begin in times)
    return busiest, len(times) / (clock() / 60)


def commands_under(heading: str) -> list[str]:
    """Return the commands that the README shows first under a heading."""
    text = (ROOT / "README.md").read_text("utf-8").partition(f"## {heading}")[2]
    block = text.partition("```sh\n")[2].partition("```")[0]
    return [line.partition("#")[0].strip() for line in block.splitlines() if line.strip()]
