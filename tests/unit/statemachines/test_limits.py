"""Step Functions' limits: what is carried along stays below them, whatever befalls a run.

AWS: a state's arguments, its result and one Assign have at most 256 KiB each; more of it is
``States.DataLimitExceeded``, which nothing catches. DynamoDB: an item has at most 400 KB. The bound
itself is met with a smaller number in the same definition; the real one is weighed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.values import KEPT_ATTEMPTS, MOST_ATTEMPTS, VALUES
from tests.unit.statemachines.test_causes import value
from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import Offer, RunWorld

LIMIT = 262_144
TIME = iso(START)[:-5] + "Z"
MOST, KEPT = 9, 4


def with_smaller_bounds() -> Any:
    text = json.dumps(job_definition())
    for name, real, small in (
        ("mostAttempts", MOST_ATTEMPTS, MOST),
        ("keptAttempts", KEPT_ATTEMPTS, KEPT),
    ):
        assert f"${name} := {real};" in text
        text = text.replace(f"${name} := {real};", f"${name} := {small};")
    return json.loads(text)


MACHINE = Machine(with_smaller_bounds())


def reclaimed_for_ever(item: dict[str, Any] | None = None) -> RunWorld:
    """A world in which each launch makes a little progress and is reclaimed."""
    offer = Offer(
        ends_after=600.0, stop={"StopCode": "SpotInterruption", "StoppedReason": "\\" * 999}
    )
    world = RunWorld(now=START, work_seconds=10_000_000.0, market=lambda *_: offer)
    world.item = item or {}
    return world


@dataclass(frozen=True)
class Told:
    """An execution that met its bound."""

    ended: Ended
    world: RunWorld


def played(world: RunWorld, name: str = "x", **request: Any) -> Told:
    asked = {"scheduledTime": TIME, "capacity": "spot-only", **request}
    return Told(MACHINE.run(world, asked, name=name), world)


@pytest.fixture(scope="module")
def told() -> Told:
    return played(reclaimed_for_ever())


def test_a_run_that_nears_a_limit_ends_parked_and_told(told: Told) -> None:
    assert (told.ended.status, told.ended.error) == ("FAILED", "Steadyspot.Incomplete")
    assert "as often as one execution can carry" in told.ended.cause
    assert "AWS reclaimed the Spot capacity." in told.ended.cause
    assert (len(told.world.launches), len(told.world.parked), len(told.world.mails)) == (MOST, 1, 1)
    assert told.world.item["cause"] == {"S": "too-many-attempts"}
    causes = [one["M"]["cause"]["S"] for one in told.world.item["attempts"]["L"]]
    assert causes == ["reclaimed"] * MOST


def test_a_redrive_carries_the_latest_attempts_along_and_the_money_of_all(told: Told) -> None:
    spent = float(told.world.item["money"]["M"]["spot_seconds"]["N"])

    left = json.loads(json.dumps(told.world.item))
    again = played(reclaimed_for_ever(left), "again", redrive=True)

    assert (again.ended.error, len(again.world.launches)) == ("Steadyspot.Incomplete", MOST)
    numbers = [int(one["M"]["attempt"]["N"]) for one in again.world.item["attempts"]["L"]]
    assert numbers == list(range(MOST - KEPT + 1, 2 * MOST + 1))
    money = again.world.item["money"]["M"]
    assert float(money["spot_seconds"]["N"]) == 2 * spent
    fences = [
        int(one.environment["STEADYSPOT_FENCE"])
        for one in (*told.world.launches, *again.world.launches)
    ]
    assert fences == sorted(set(fences))


def test_as_many_attempts_as_are_carried_along_stay_below_every_limit(told: Told) -> None:
    variables = told.ended.variables
    one = {**variables["attempts"][-1], "zone": "ap-northeast-1a", "stopped_reason": "…" * 500}
    number = MOST_ATTEMPTS + KEPT_ATTEMPTS
    shown = [
        {**one, "stopped_reason": "" if n <= number - VALUES["shownAttempts"] else "…" * 500}
        for n in range(1, number + 1)
    ]
    scope = {
        **variables,
        "attempts": [{**row, "attempt": n} for n, row in enumerate(shown, 1)],
        "states": {"context": {"Execution": {"Id": "x" * 200, "Name": "x", "Input": {}}}},
    }
    last = {**scope["last"], "attempt": number, "stopped_reason": '"' * 32_768}

    def weight(what: Any) -> int:
        return len(json.dumps(what, ensure_ascii=False).encode())

    column = value(expression("attemptsColumn"), scope)
    assert len(column) == number
    assert weight(column) < 0.9 * LIMIT
    assert weight({**variables, "attempts": scope["attempts"], "last": last}) < LIMIT
    assert weight(value(expression("message"), scope)) < 0.9 * LIMIT
