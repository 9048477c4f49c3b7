"""What a run may find in the turn of its job; whoever stands in its way is not this run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.unit.statemachines.claims import KEY, MACHINE, TIME, own, worker, world
from tests.virtual.world import RunWorld

EARLIER, LATER = "20260101T020000Z", "20990101T020000Z"
OTHER, ANOTHER = f"{MACHINE}:other", f"{MACHINE}:another"
ASKED = {"scheduledTime": TIME}
REDRIVE = {**ASKED, "redrive": True}
POLICIES = ("allow", "skip", "queue", "replace")


@dataclass(frozen=True)
class InTheWay:
    """A world, and what the run in it asks for under a policy."""

    name: str
    policy: str
    world: RunWorld
    request: dict[str, Any]


def turn(key: str = "", *queued: str, due: str = EARLIER) -> dict[str, Any]:
    """The item of a job's turn."""
    item: dict[str, Any] = {
        "job": {"S": "nightly/turn"},
        "run_key": {"S": "turn"},
        "execution": {"S": OTHER},
        "due_key": {"S": due},
    }
    if key:
        item["taken_by"] = {"SS": [key]}
    if queued:
        item["queued"] = {"SS": sorted(queued)}
    return item


def described(status: str = "RUNNING", **output: Any) -> dict[str, Any]:
    """What DescribeExecution shows of the other."""
    shown = {"Status": status, "Name": "other", "Input": json.dumps({"scheduledTime": TIME})}
    return {**shown, "Output": json.dumps(output)} if status == "SUCCEEDED" else shown


def met(item: dict[str, Any], other: dict[str, Any] | None, *, redriven: bool = False) -> RunWorld:
    """A world in which the turn is so, and the execution that has it is so."""
    made = (
        world(own(status="unfinished"), worker(status="unfinished")) if redriven else world({}, {})
    )
    made.turn = item
    if other is not None:
        made.executions[OTHER] = other
        made.executions[ANOTHER] = described()
    return made


def all_in_the_way() -> Iterator[InTheWay]:
    """Everything that a run may meet in the turn, under every policy."""
    waits = f"{EARLIER}/{EARLIER}/another"
    for policy in POLICIES:
        for name, item, other in (
            ("running", turn(EARLIER), described()),
            ("later", turn(LATER, due=LATER), described()),
            ("gone", turn(EARLIER), described("ABORTED")),
            ("forgotten", turn(EARLIER), None),
            ("given back", turn(), described("ABORTED")),
            ("waits", turn("", waits), described()),
            ("waits no more", turn("", waits), None),
            ("behind", turn("", f"{LATER}/{LATER}/another"), described()),
            ("full", turn(EARLIER, *(f"{EARLIER}/{n:03}/x" for n in range(100))), described()),
            ("own", turn(KEY), described()),
            (
                "gone on",
                turn(EARLIER),
                described("SUCCEEDED", outcome="gone-on", execution=ANOTHER),
            ),
        ):
            yield InTheWay(name, policy, met(item, other), ASKED)
            yield InTheWay(name, policy, met(item, other, redriven=True), REDRIVE)
