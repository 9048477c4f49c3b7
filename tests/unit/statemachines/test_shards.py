"""A run spread over shards, by the rendered definition in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.virtual.defaults import job_definition
from tests.virtual.fan_out import Market, SpreadWorld
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import Offer

NOW = 1_795_485_600.0
SCHEMAS = Path(__file__).parents[3] / "statemachines" / "schemas"
TIME, KEY = "2026-11-24T02:00:00Z", "20261124T020000Z"


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
    schema = json.loads((SCHEMAS / "completion-of-shards.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(record)
    item = world.table["nightly", KEY]
    assert item["status"] == {"S": "complete"}
    assert item["shards"] == {"N": "4"}
    assert not told(world)


def test_a_redrive_is_for_those_that_are_left() -> None:
    world = spread(4, failing(1, 2))
    ended = run(world)
    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.ShardsUnfinished")
    assert "2 of 4 shards did not finish: 1 (job-failed), 2 (job-failed)" in ended.cause
    assert world.table["nightly", KEY]["shards_left"] == {"S": "1,2"}
    assert len(world.parked) == 1
    assert len(told(world)) == 1
    world._market_of = calm
    again = run(world, "second", redrive=True)
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert [world.launches for world, _ in world.shards[4:]] != []
    assert again.items["Run the shards"] == [1, 2]
    assert [shard.status for _, shard in world.shards[4:]] == ["SUCCEEDED"] * 2
