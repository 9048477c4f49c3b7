"""Measures of runs that take turns: twenty that fire at once, in orders that seeds decide.

Each is delivered twice, executions are stopped in whatever state they are, some ends are told to
nobody, and some runs are redriven in the end. The rendered definitions decide, in virtual time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from steadyspot.contract import Status
from tests.bench.report import Row, report
from tests.unit.statemachines.crowds import IN_TURN, TOGETHER, together, wrong
from tests.virtual.crowd import Crowd


def main(arguments: list[str]) -> int:
    """Print the measures; 1 when something was not reached."""
    return report("Runs that meet", rows(1_000 if "--full" in arguments else 30))


def rows(crowds: int) -> Iterator[Row]:
    """Yield what came of so many crowds, each under one of the policies."""
    states: set[str] = set()
    total = 0
    for number, policy in enumerate(IN_TURN):
        found: Counter[str] = Counter()
        faults: list[str] = []
        for seed in range(number, crowds, len(IN_TURN)):
            made = together(policy, seed)
            faults += (f"seed {seed}: {fault}" for fault in wrong(made, policy))
            found += counted(made)
            states |= made.stopped_in.keys()
            total += 1
        shown = ", ".join(f"{count:,} {what}" for what, count in found.items())
        yield Row(f"{policy}: {TOGETHER} at once, each delivered twice", shown)
        yield Row(
            f"{policy}: two at once, starved, or without one outcome",
            "; ".join(faults[:3]) or "0",
            "0",
            not faults,
        )
    yield Row("orders of events", f"{total:,}, stops in {len(states)} states")


def counted(made: Crowd) -> Counter[str]:
    """Count executions and how runs ended."""
    ended = Counter(
        item["status"]["S"]
        for (partition, _), item in made.table.items()
        if "/" not in partition and "status" in item
    )
    return Counter(
        {
            "executions": len(made.jobs()),
            "stopped": sum(made.stopped_in.values()),
            **{str(status): ended[status] for status in Status},
        }
    )
