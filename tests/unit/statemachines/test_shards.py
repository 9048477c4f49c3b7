"""A run spread over shards, by the rendered definition in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.contract.shards import shard_of_execution
from tests.unit.statemachines.shards import COMPLETE, TIME, recorded
from tests.unit.statemachines.test_limits import with_smaller_bounds
from tests.virtual.defaults import job_definition
from tests.virtual.fan_out import Market, SpreadWorld, size
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import REFUSED, Launch, Offer

NOW = 1_795_485_600.0
SCHEMAS = Path(__file__).parents[3] / "statemachines" / "schemas"
KEY = "20261124T020000Z"


def calm(_shard: int) -> Market:
    return lambda _launch, _left: Offer()


def failing(*shards: int) -> Callable[[int], Market]:
    """A market in which the job itself fails in some shards."""

    def market_of(shard: int) -> Market:
        if shard not in shards:
            return calm(shard)
        stop = {"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"}
        return lambda _launch, _left: Offer(
            ends_after=90, stop=stop, exit_code=3, reason="failed", exit_seconds=0
        )

    return market_of


def spread(shards: int, market_of: Callable[[int], Market] = calm, **values: str) -> SpreadWorld:
    """The world of a run of a job with so many shards."""
    machine = Machine(job_definition(silent=False, Shards=str(shards), **values))
    return SpreadWorld(machine, now=NOW, work_seconds=600, market_of=market_of)


def run(world: SpreadWorld, name: str = "first", **request: Any) -> Ended:
    return world.machine.run(world, {"scheduledTime": TIME, **request}, name=name)


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))


def told(world: SpreadWorld) -> list[str]:
    return [mail["Subject"] for mail in world.mails]


def test_all_shards_make_one_run() -> None:
    world = spread(4)
    ended = run(world)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert ended.output["scheduleKept"] == "off-schedule" or ended.output["outcome"] == "finished"
    assert [len(shard.states_entered) for _, shard in world.shards] == [4] * 4
    assert len(ended.inside) == 8
    record = world.objects[f"outputs/nightly/{KEY}/completion.json"]
    Draft202012Validator(schema("completion-of-shards")).validate(record)
    item = world.table["nightly", KEY]
    assert item["status"] == {"S": "complete"}
    assert item["shards"] == {"N": "4"}
    assert not told(world)


def test_a_redrive_is_for_those_that_are_left() -> None:
    world = spread(4, failing(1, 2))
    ended = run(world)
    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.ShardsUnfinished")
    assert "Of 4 shards 2 did not finish: 1 (job-failed), 2 (job-failed)" in ended.cause
    assert world.table["nightly", KEY]["shards_left"] == {"S": "1,2"}
    assert len(world.parked) == 1
    assert len(told(world)) == 1
    world._market_of = calm
    again = run(world, "second", redrive=True)
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert [world.launches for world, _ in world.shards[4:]] != []
    assert again.items["Run the shards"] == [1, 2]
    assert [shard.status for _, shard in world.shards[4:]] == ["SUCCEEDED"] * 2


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_shard_goes_on_in_another_execution_for_which_the_one_before_waits(
    ends_well: bool,
) -> None:
    """The Map waits for the first one alone; a redrive of the run meets none of their names."""
    left = 20

    def market(launch: Launch, left_to_do: float) -> Offer:
        nonlocal left
        left -= 1
        if left > 0:
            return Offer(error=REFUSED)
        return (calm if ends_well else failing(1))(1)(launch, left_to_do)

    definition = with_smaller_bounds(120, 100, Shards="2")
    world = SpreadWorld(
        Machine(definition),
        now=NOW,
        work_seconds=600,
        market_of=lambda shard: market if shard == 1 else calm(shard),
    )
    ended = run(world)
    names = {
        (ended.output or {}).get("execution", "").rsplit(":", 1)[-1] for _, ended in world.shards
    }
    assert world.names == {f"{KEY}.s0000.1", f"{KEY}.s0001.1", *names - {""}}
    assert names >= {f"{KEY}.s0001.1.2", f"{KEY}.s0001.1.3"}
    assert all(shard_of_execution(name) == (KEY, 1) for name in names - {""})
    if ends_well:
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        money = world.table["nightly/shards", f"{KEY}.s0001"]["money"]["M"]
        entered = [len(one.states_entered) for _, one in world.shards]
        assert int(money["transitions"]["N"]) == sum(entered) - 4
        return
    assert "Of 2 shards 1 did not finish: 1 (" in ended.cause
    world._market_of = calm
    assert run(world, "second", redrive=True).status == "SUCCEEDED"
    assert f"{KEY}.s0001.2" in world.names


def test_what_many_shards_have_made_lies_in_lists() -> None:
    world = recorded(250, lambda _: COMPLETE)
    ended = run(world)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    place = f"outputs/nightly/{KEY}/"
    record = world.objects[f"{place}completion.json"]
    Draft202012Validator(schema("completion-of-shards")).validate(record)
    assert [one["key"] for one in record["lists"]] == [
        f"{place}shards-{first:04}.json" for first in (0, 100, 200)
    ]
    parts = [part for one in record["lists"] for part in world.objects[one["key"]]["parts"]]
    assert [part["shard"] for part in parts] == list(range(250))
    assert record["outputs"] == 500


def test_what_the_run_writes_beside_its_outputs_is_locked_as_they_are() -> None:
    world = recorded(250, lambda _: COMPLETE, LockDays="30")
    run(world)
    put = [one for one in world.arguments if "Body" in one]
    assert len(put) == 4
    for one in put:
        until = datetime.fromisoformat(one["ObjectLockRetainUntilDate"]).timestamp()
        assert 0 <= world.now + 30 * 86_400 - 900 - until < 60
        assert (one["ObjectLockMode"], one["ChecksumAlgorithm"]) == ("GOVERNANCE", "CRC32")


def test_ten_thousand_shards_stay_below_every_limit_of_the_run_that_starts_them() -> None:
    """A fifth of them and of each limit: all that grows does so with their number.

    Records have 12 KB, so that a query does not bring all it was asked for.
    """

    def fate(shard: int) -> Any:
        bad = shard % 3 == 0
        return ("unfinished", "out-of-memory", {"out-of-memory/spot": 1}) if bad else COMPLETE

    world = recorded(2_000, fate, ShardsAtOnce="10000")
    world.bytes_of_item = 12_000
    largest = 0

    def watch(_state: str, variables: dict[str, Any]) -> None:
        nonlocal largest
        largest = max(largest, *(size(value) for value in variables.values()), 0)

    request = {"scheduledTime": TIME}
    ended = world.machine.run(world, request, name="first", watch=watch)
    assert ended.error == "Steadyspot.ShardsUnfinished"
    assert "Of 2000 shards 667 did not finish: 0 (out-of-memory), 3 (out-of-memory)" in ended.cause
    assert "and others" in ended.cause
    # A state enters, exits and a call has five events or so: far below 25,000.
    assert len(ended.states_entered) < 1_000 / 5
    assert largest < 262_144
    assert world.largest < 262_144 / 2
    assert size(ended.items["Run the shards"]) < 262_144 / 5
    assert len(world.mails[0]["Message"]) < 20_000
    assert size(world.table["nightly", KEY]) < 400_000 / 5
