"""What an execution may find in the run table when it claims a run; nothing of it is new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.virtual.machine import iso
from tests.virtual.world import Launch, Offer, RunWorld

START = 1_790_000_000.25
TIME = iso(START)[:-5] + "Z"
KEY = TIME.replace("-", "").replace(":", "")
MACHINE = "arn:aws:states:us-east-1:123456789012:execution:job"
HOLDER = f"{MACHINE}:holder"


@dataclass(frozen=True)
class Met:
    """A world, and what the execution that meets it is asked for."""

    name: str
    world: RunWorld
    request: dict[str, Any]


def own(execution: str = HOLDER, status: str = "running", **columns: Any) -> dict[str, Any]:
    """The workflow's item of a run that was claimed once."""
    return {
        "job": {"S": "night"},
        "run_key": {"S": KEY},
        "execution": {"S": execution},
        "status": {"S": status},
        "claims": {"N": "1"},
        **columns,
    }


def worker(execution: str = HOLDER, status: str = "running", **columns: Any) -> dict[str, Any]:
    """The worker's item of a run."""
    return {
        "job": {"S": "night/worker"},
        "run_key": {"S": KEY},
        "execution": {"S": execution},
        "status": {"S": status},
        **columns,
    }


def world(item: dict[str, Any], worker_item: dict[str, Any]) -> RunWorld:
    """A world with these items, in which a launch does its work."""

    def market(_launch: Launch, _left: float) -> Offer:
        return Offer()

    made = RunWorld(now=START, work_seconds=700.0, market=market)
    made.item, made.worker = item, worker_item
    return made


def holder(status: str = "RUNNING", **asked: Any) -> dict[str, Any]:
    """What DescribeExecution shows of the holder; of this run unless it asks for another."""
    request = asked or {"scheduledTime": TIME}
    return {"Status": status, "Name": "holder", "Input": json.dumps(request)}


PLANTED: dict[str, dict[str, Any]] = {
    "complete": {"status": {"S": "complete"}},
    "fence": {"fence": {"N": "1000000000000000"}, "holder": {"S": "x"}},
    "checkpoint": {"checkpoint": {"M": {"key": {"S": "checkpoints/night/x/manifests/y.json"}}}},
}
"""What a container of another run may have put into the item of a run to come."""


def planted() -> Iterator[Met]:
    """Runs to come, into whose items a container has written."""
    for name, columns in PLANTED.items():
        for execution in (
            {"S": f"{MACHINE}:another"},
            {"S": ""},
            {"N": "1"},
            {"NULL": True},
            {"M": {"S": {"S": "x"}}},
            {"SS": ["x"]},
        ):
            item = {**worker(), "execution": execution, **columns}
            yield Met(name, world({}, item), {"scheduledTime": TIME})
    bare = worker()
    del bare["execution"]
    yield Met("no execution", world({}, bare), {"scheduledTime": TIME})


BROKEN_OFF: dict[str, Any] = {
    "attempt": {"N": "2"},
    "capacity": {"S": "spot"},
    "seconds": {"N": "850"},
    "cause": {"S": "execution-ended"},
}
"""An attempt that ended with its execution."""


def met_by_claims() -> Iterator[Met]:
    """Everything that a claim may meet."""
    asked = {"scheduledTime": TIME}
    yield from planted()
    for status in ("RUNNING", "FAILED"):
        met = Met(status, world(own(), worker()), asked)
        met.world.executions[HOLDER] = holder(status)
        yield met
    item = own(status="unfinished", broken_off={"M": BROKEN_OFF})
    parked = world(item, worker(status="unfinished"))
    yield Met("redrive", parked, {**asked, "redrive": True})
