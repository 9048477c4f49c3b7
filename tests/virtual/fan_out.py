"""A run that is spread over shards in virtual time: its world, and that of each shard beside it.

All share one run table and one bucket. A shard runs the same rendered definition in a world of its
own, from the moment at which the Map starts it; how often its launches are refused or reclaimed
comes from the market that is given for it. What Step Functions limits is measured as it counts it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from steadyspot.contract import Status
from steadyspot.contract.columns import WORKER_SUFFIX
from steadyspot.contract.shards import shard_key, shard_of
from tests.virtual.machine import Ended, Machine, TaskFailed
from tests.virtual.world import Launch, Offer, RunWorld

LARGEST_READ = 1_048_576
"""Bytes of items that one query of DynamoDB goes through."""
Market = Callable[[Launch, float], Offer]


def completion_of(key: str) -> dict[str, Any]:
    """What the worker of a shard writes down of its completion record."""
    return {
        "M": {
            "key": {"S": f"outputs/nightly/{key}/completion.json"},
            "sha256": {"S": "a" * 64},
            "outputs": {"N": "2"},
            "output_bytes": {"N": "4096"},
        }
    }


def size(value: Any) -> int:
    """Bytes of a value as JSON, which is what Step Functions counts."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


class SpreadWorld(RunWorld):
    """The world of the run itself, and what came of each shard.

    ``largest`` are the bytes of the largest arguments and results of its calls; ``outputs`` is how
    many a shard has made, ``bytes_of_item`` are bytes of each record beside what is written.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        now: float,
        work_seconds: float,
        market_of: Callable[[int], Market],
    ) -> None:
        super().__init__(now=now, work_seconds=work_seconds, market=lambda *_: Offer())
        self.machine = machine
        self.table: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, Any] = {}
        self.shards: list[tuple[ShardWorld, Ended]] = []
        self.names: set[str] = set()
        self.largest = 0
        self.bytes_of_item = 0
        self._market_of = market_of

    def beside(self, at: float) -> Beside:
        return Beside(self, at)

    def start_shard(self, arguments: Any, at: float) -> tuple[float, Ended]:
        """Run an execution of a shard; when it has ended, and how.

        Raises
        ------
        TaskFailed
            As the integration fails where the execution did.
        """
        if arguments["Name"] in self.names:
            raise TaskFailed("StepFunctions.ExecutionAlreadyExistsException")
        self.names.add(arguments["Name"])
        self.largest = max(self.largest, size(arguments))
        request = arguments["Input"]
        world = ShardWorld(
            self,
            now=at,
            work_seconds=self.work_seconds,
            market=self._market_of(request["shard"]["number"]),
        )
        ended = self.machine.run(world, request, name=arguments["Name"])
        self.shards.append((world, ended))
        return world.now, ended

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        result = super().call(resource, arguments, timeout_seconds, state)
        self.now += 0.1
        self.largest = max(self.largest, size(arguments), size(result))
        return result

    def _elsewhere(self, service: str, arguments: Any) -> Any:
        assert service == "aws-sdk:s3:putObject", f"nobody answers {service}"
        self.objects[arguments["Key"]] = arguments["Body"]
        return {"ETag": "e"}

    def _query(self, arguments: Any) -> Any:
        values = arguments["ExpressionAttributeValues"]
        of_job, first, last = (values[name]["S"] for name in (":job", ":first", ":last"))
        if not shard_of(first):
            return super()._query(arguments)
        names = arguments.get("ExpressionAttributeNames", {})
        wanted = [names.get(name, name) for name in arguments["ProjectionExpression"].split(", ")]
        found, read = [], 0
        keys = sorted(key for job, key in self.table if job == of_job and first <= key <= last)
        for key in keys:
            item = self.table[of_job, key]
            if not item:
                continue
            read += size(item) + self.bytes_of_item
            found.append({name: item[name] for name in wanted if name in item})
            if read > LARGEST_READ:
                return {"Items": found, "LastEvaluatedKey": {"run_key": {"S": key}}}
        return {"Items": found}

    def _of(self, key: Any) -> dict[str, Any]:
        return self.table.setdefault((key["job"]["S"], key["run_key"]["S"]), {})


class RecordedWorld(SpreadWorld):
    """The world of a run whose shards are not run: what came of each, as its record says, is given.

    ``fate_of`` gives the status of a shard, its cause, and how its attempts ended.
    """

    def __init__(
        self, machine: Machine, *, now: float, fate_of: Callable[[int], tuple[str, str, Any]]
    ) -> None:
        super().__init__(machine, now=now, work_seconds=1.0, market_of=lambda _: lambda *_: Offer())
        self.fate_of = fate_of

    def works_off(self, items: list[int]) -> None:
        """Write down what came of these shards."""
        key = next(key for (job, key), item in self.table.items() if job == "nightly" and item)
        for shard in items:
            self._write_down(shard, shard_key(key, shard))

    def _write_down(self, shard: int, key: str) -> None:
        status, cause, ended = self.fate_of(shard)
        money = {"spot_seconds": 600.0 + shard % 7, "on_demand_seconds": 0.0, "wasted_seconds": 1.5}
        own = self.table.setdefault(("nightly/shards", key), {})
        own |= {
            "job": {"S": "nightly/shards"},
            "run_key": {"S": key},
            "status": {"S": status},
            **({"cause": {"S": cause}} if cause else {}),
            "money": {
                "M": {
                    **{name: {"N": str(value)} for name, value in money.items()},
                    "transitions": {"N": "4"},
                    "ended": {"M": {how: {"N": str(times)} for how, times in ended.items()}},
                }
            },
        }
        worker = self.table.setdefault(("nightly" + WORKER_SUFFIX, key), {})
        worker |= {"run_key": {"S": key}, "status": {"S": status}}
        if status == Status.COMPLETE:
            worker["completion"] = completion_of(key)


class ShardWorld(RunWorld):
    """The world of one shard, whose items lie in the table of its run's."""

    def __init__(self, run: SpreadWorld, **given: Any) -> None:
        self._run = run
        self._worker: dict[str, Any] = {}
        super().__init__(**given)

    def _elsewhere(self, service: str, arguments: Any) -> Any:
        """Go on in another execution, for whose end this one waits."""
        assert service == "states:startExecution.sync:2", f"nobody answers {service}"
        self.now, ended = self._run.start_shard(arguments, self.now)
        if ended.status != "SUCCEEDED":
            raise TaskFailed("States.TaskFailed", json.dumps({"Error": ended.error}))
        return {"Output": ended.output}

    def _of(self, key: Any) -> dict[str, Any]:
        item = self._run._of(key)
        if key["job"]["S"].endswith(WORKER_SUFFIX):
            self.worker = item
        return item

    def _finished(self, launch: Launch, offer: Offer, starts: float) -> Any:
        ended = super()._finished(launch, offer, starts)
        key = launch.environment["STEADYSPOT_RUN_KEY"]
        self.worker["completion"] = completion_of(key)
        return ended


class Beside:
    """The world as one item of the Map sees it."""

    def __init__(self, run: SpreadWorld, now: float) -> None:
        self.now = now
        self._run = run

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        """Answer the one Task that there is."""
        assert resource.endswith("states:startExecution.sync:2")
        self.now, ended = self._run.start_shard(arguments, self.now)
        if ended.status != "SUCCEEDED":
            raise TaskFailed("States.TaskFailed", json.dumps({"Error": ended.error}))
        return {"Output": ended.output}
