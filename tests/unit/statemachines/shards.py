"""Runs that are spread over shards, with whatever may come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.virtual.defaults import job_definition
from tests.virtual.fan_out import RecordedWorld
from tests.virtual.machine import Machine

NOW = 1_795_485_600.0
TIME = "2026-11-24T02:00:00Z"
COMPLETE = ("complete", "", {"finished/spot": 1})


def recorded(
    shards: int,
    fate_of: Callable[[int], tuple[str, str, Any]],
    machine: Callable[[Any], Machine] = Machine,
    **values: str,
) -> RecordedWorld:
    """The world of a run of a job with so many shards, of which each fares as is given."""
    made = machine(job_definition(silent=False, Shards=str(shards), **values))
    return RecordedWorld(made, now=NOW, fate_of=fate_of)


class Met(NamedTuple):
    """A run, and the world that it meets."""

    world: RecordedWorld
    request: dict[str, Any]
    name: str


def all_that_may_come(machine: Callable[[Any], Machine]) -> Iterator[Met]:
    """Yield runs that are quiet, told, of several lists, unfinished, redriven, and stuck."""

    def some(shard: int) -> tuple[str, str, Any]:
        return COMPLETE if shard % 2 else ("unfinished", "job-failed", {"job-failed/spot": 2})

    def slowly(_shard: int) -> tuple[str, str, Any]:
        return "complete", "", {"interrupted/spot": 2, "finished/on-demand": 1}

    scheduled = {"scheduledTime": TIME}
    yield Met(recorded(3, lambda _: COMPLETE, machine), scheduled, "calm")
    yield Met(recorded(3, slowly, machine, TellEveryRun="true"), scheduled, "hostile")
    yield Met(recorded(101, slowly, machine), {}, "by-hand")
    world = recorded(4, some, machine)
    yield Met(world, scheduled, "some")
    world.fate_of = slowly
    yield Met(world, {**scheduled, "redrive": True}, "again")
    stuck = recorded(2, slowly, machine)
    stuck.faults = {"Read the shards": [("DynamoDb.SdkClientException", "for now")]}
    yield Met(stuck, scheduled, "stuck")
