"""A world for the virtual machine: the run table, the queue, the topic, and a market of capacity.

Tasks are events on a line of time. What happens to a launch, an :class:`Offer`, comes from whoever
makes the world: a replayed series, a generator, or a plan of outcomes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from steadyspot.contract.columns import TOTALS, TURN, TURN_SUFFIX, WEATHER, WORKER_SUFFIX
from steadyspot.contract.metrics import NAMESPACE
from steadyspot.statemachines.calls import CANCELED, CONDITION_FAILED
from steadyspot.statemachines.render import definition
from tests.virtual.machine import Machine, TaskFailed

CLUSTER, TASK = "cluster", "arn:aws:ecs:us-east-1:123456789012:task/c/0123456789abcdef"
EVENT_SECONDS = 2.0
"""From a launch to the start of what ECS's event of it starts."""
CAUSE_LENGTH = 32_768
_VALUES = "ExpressionAttributeValues"

REFUSED = (
    "AmazonECS.Unknown",
    '{"Failures":[{"Reason":"Capacity is unavailable at this time. Please try again later or in a'
    ' different availability zone"}],"Tasks":[]}',
)


@dataclass(frozen=True)
class Launch:
    """What a launch asks for; times in seconds since the epoch."""

    capacity: str
    at: float
    stop_by: float
    expected_seconds: float
    state_ends: float
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Offer:
    """What becomes of a launch.

    ``error``: the call fails so, at once. Else the worker starts after ``start_seconds``, and
    ``ends_after`` seconds from the launch the task is over: interrupted, unless the work was done
    before. ``exit_seconds`` pass between the notice and the exit. ``stop``: fields of the stopped
    task. ``reason``: what the worker reports, nothing where it is empty. ``completes``: the record
    says complete all the same.
    """

    error: tuple[str, str] | None = None
    start_seconds: float = 60.0
    ends_after: float = float("inf")
    exit_seconds: float = 10.0
    stop: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = 143
    reason: str = "interrupted"
    completes: bool = False
    zone: str = "us-east-1a"


@dataclass
class Spell:
    """A stretch of time that a task was there, which is what is paid for; and how it ended."""

    capacity: str
    began: float
    ended: float
    how: str


class Launching:
    """The world of *Before the start*: a task of which nothing has started before ``starts``.

    ``stopped`` is when and with what reason it was stopped, if it was; ``looks`` seconds pass
    between a look and that.
    """

    looks = 2.0

    def __init__(self, now: float, starts: float) -> None:
        self.now = now
        self.stopped: tuple[float, str] | None = None
        self._starts = starts

    def call(self, resource: str, arguments: Any, _timeout_seconds: int, _state: str) -> Any:
        """Answer a Task."""
        if resource == "arn:aws:states:::aws-sdk:ecs:describeTasks":
            assert arguments == {"Cluster": CLUSTER, "Tasks": [TASK]}
            started = {"LastStatus": "RUNNING", "StartedAt": "2026-11-24T02:00:00Z"}
            shown = started if self.now >= self._starts else {"LastStatus": "PROVISIONING"}
            self.now += self.looks
            return {"Tasks": [{"DesiredStatus": "RUNNING", **shown}]}
        assert resource == "arn:aws:states:::aws-sdk:ecs:stopTask"
        assert arguments["Task"] == TASK
        self.stopped = (self.now, arguments["Reason"])
        return {}


def launch_event(environment: Mapping[str, str]) -> dict[str, Any]:
    """What a job's rule makes of ECS's event of a launch, a sidecar without overrides included."""
    pairs = [{"name": name, "value": value} for name, value in environment.items()]
    worker = {"name": "worker", "environment": pairs}
    return {
        "task": TASK,
        "cluster": CLUSTER,
        "overrides": {"containerOverrides": [{"name": "beside"}, worker]},
    }


class RunWorld:
    """One run's world; ``work_seconds`` is what the job takes undisturbed.

    ``reports``: whether the job reports its progress, so that its work is durable bit by bit.
    ``value``: of an environment variable of the task, which stands in what AWS says of it; AWS is
    taken to cut that at 32,768 characters. ``history``: seconds that earlier runs of the job took.
    ``item`` and ``worker`` are the run's two items, ``totals`` that of its month, ``turn`` its
    job's, ``nobody`` what there never is; ``executions``: what DescribeExecution shows of others,
    by ARN.
    ``unanswered``: states whose next call is made twice, since the reply to the first is lost.
    ``history_of``: events of an execution that ended, newest first; ``tasks``: what DescribeTasks
    shows, by ARN.
    ``is_watched``: *Before the start* watches each launch, as it does unless launch_minutes is 0.
    """

    def __init__(
        self,
        *,
        now: float,
        work_seconds: float,
        market: Callable[[Launch, float], Offer],
        reports: bool = True,
        value: str = "",
        history: Sequence[float] = (),
        is_watched: bool = False,
    ) -> None:
        self.now = now
        self.work_seconds = work_seconds
        self.done_seconds = 0.0
        self.item: dict[str, Any] = {}
        self.worker: dict[str, Any] = {}
        self.totals: dict[str, Any] = {}
        self.turn: dict[str, Any] = {}
        self.weather: dict[str, Any] = {}
        self.nobody: dict[str, Any] = {}
        self.stopped: list[dict[str, Any]] = []
        self.executions: dict[str, Any] = {}
        self.mails: list[dict[str, Any]] = []
        self.counted: list[dict[str, Any]] = []
        self.printed: list[str] = []
        self.parked: list[dict[str, Any]] = []
        self.spells: list[Spell] = []
        self.launches: list[Launch] = []
        self.started: list[dict[str, Any]] = []
        self.watched: list[list[str]] = []
        self.arguments: list[Any] = []
        self.faults: dict[str, list[tuple[str, str]]] = {}
        self.unanswered: list[str] = []
        self.history_of: list[dict[str, Any]] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        self._market = market
        self._reports = reports
        self._value = value
        self._history = history
        self._is_watched = is_watched

    # The calls.

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        """Answer a Task."""
        faults = self.faults.get(state)
        if faults:
            raise TaskFailed(*faults.pop(0))
        if state in self.unanswered:
            self.unanswered.remove(state)
            self._answer(resource, arguments, timeout_seconds)
        return self._answer(resource, arguments, timeout_seconds)

    def _answer(self, resource: str, arguments: Any, timeout_seconds: int) -> Any:
        service = resource.removeprefix("arn:aws:states:::")
        if service == "ecs:runTask.sync":
            return self._run_task(arguments, timeout_seconds)
        self.arguments.append(arguments)
        if "dynamodb:" in service:
            return self._table(service, arguments)
        if service == "sqs:sendMessage":
            self.parked.append(json.loads(arguments["MessageBody"]))
            return {}
        if service == "sns:publish":
            self.mails.append(arguments)
            return {}
        if service == "aws-sdk:ecs:describeTasks":
            return {
                "Tasks": [self.tasks[task] for task in arguments["Tasks"] if task in self.tasks]
            }
        if "sfn:" in service:
            return self._of_executions(service, arguments)
        return self._watched_or_elsewhere(service, arguments)

    def _watched_or_elsewhere(self, service: str, arguments: Any) -> Any:
        if service == "aws-sdk:cloudwatchlogs:getLogEvents":
            return self._log(arguments)
        if service == "aws-sdk:cloudwatch:putMetricData":
            assert arguments["Namespace"] == NAMESPACE
            self.counted += arguments["MetricData"]
            return {}
        return self._elsewhere(service, arguments)

    def _elsewhere(self, service: str, _arguments: Any) -> Any:
        raise AssertionError(f"nobody answers {service}")

    def _of_executions(self, service: str, arguments: Any) -> Any:
        if service == "aws-sdk:sfn:startExecution":
            self.started.append(arguments)
            return {"ExecutionArn": f"arn:aws:states:::execution:job:{arguments['Name']}"}
        if service == "aws-sdk:sfn:describeExecution":
            if arguments["ExecutionArn"] not in self.executions:
                raise TaskFailed("Sfn.ExecutionDoesNotExistException")
            return self.executions[arguments["ExecutionArn"]]
        if service == "aws-sdk:sfn:getExecutionHistory":
            assert arguments["ReverseOrder"]
            assert arguments["IncludeExecutionData"]
            return {"Events": self.history_of[: arguments["MaxResults"]]}
        assert service == "aws-sdk:sfn:stopExecution", f"nobody answers {service}"
        self.stopped.append(arguments)
        return {}

    def _log(self, arguments: Any) -> dict[str, Any]:
        assert arguments["Limit"] < 100
        if not self.printed:
            raise TaskFailed("CloudWatchLogs.ResourceNotFoundException")
        return {"Events": [{"Message": line} for line in self.printed]}

    def _table(self, service: str, arguments: Any) -> Any:
        if service == "dynamodb:updateItem":
            self._write([{"Update": arguments}], CONDITION_FAILED)
            shown = arguments.get("ReturnValues") == "ALL_NEW"
            return {"Attributes": self._read(arguments)["Item"]} if shown else {}
        if service == "aws-sdk:dynamodb:transactWriteItems":
            return self._write(arguments["TransactItems"], CANCELED)
        if service == "dynamodb:getItem":
            return self._read(arguments)
        if service == "aws-sdk:dynamodb:transactGetItems":
            gets = [item["Get"] for item in arguments["TransactItems"]]
            return {"Responses": [self._read(get) for get in gets]}
        assert service == "aws-sdk:dynamodb:query", service
        return self._query(arguments)

    def _query(self, _arguments: Any) -> Any:
        took = [{"M": {"spot_seconds": {"N": str(seconds)}}} for seconds in self._history]
        return {"Items": [{"money": money} for money in took]}

    def _of(self, key: Any) -> dict[str, Any]:
        if key["job"]["S"] == WEATHER:
            return self.weather
        if key["run_key"]["S"].startswith(TOTALS):
            return self.totals
        if key["job"]["S"].endswith(TURN_SUFFIX):
            return self.turn if key["run_key"]["S"] == TURN else self.nobody
        return self.worker if key["job"]["S"].endswith(WORKER_SUFFIX) else self.item

    def _read(self, arguments: Any) -> Any:
        item = self._of(arguments["Key"])
        return {"Item": json.loads(json.dumps(item))} if item else {}

    def _write(self, writes: Sequence[Any], error: str) -> Any:
        """Write all items, or none of them where a condition is false."""
        reasons = []
        for write in writes:
            ((_, one),) = write.items()
            item = self._of(one.get("Key") or one["Item"])
            names, values = one.get("ExpressionAttributeNames", {}), one.get(_VALUES, {})
            held = _holds(one.get("ConditionExpression", ""), item, names, values)
            reasons.append("None" if held else "ConditionalCheckFailed")
        if {*reasons} != {"None"}:
            failed = "The conditional request failed"
            raise TaskFailed(error, canceled(*reasons) if error == CANCELED else failed)
        for write in writes:
            if "Put" in write:
                item = self._of(write["Put"]["Item"])
                item.clear()
                item.update(write["Put"]["Item"])
            elif "Update" in write:
                self._update(write["Update"])
        return {}

    def _update(self, arguments: Any) -> None:
        names, values = arguments.get("ExpressionAttributeNames", {}), arguments[_VALUES]
        item = self._of(arguments["Key"])
        item |= arguments["Key"]
        clauses = re.split(r"(?:^| )(SET|ADD|DELETE|REMOVE) ", arguments["UpdateExpression"])
        for clause, parts in zip(clauses[1::2], clauses[2::2], strict=True):
            if clause == "SET":
                self._set(item, parts, names, values)
                continue
            for part in parts.split(", "):
                name, *value = part.split(" ")
                column = names.get(name, name)
                if clause == "REMOVE":
                    item.pop(column, None)
                elif "N" in values[value[0]]:
                    before = float(item.get(column, {"N": "0"})["N"])
                    item[column] = {"N": str(before + float(values[value[0]]["N"]))}
                else:
                    _change_set(item, clause, column, values[value[0]]["SS"])

    @staticmethod
    def _set(item: dict[str, Any], parts: str, names: Any, values: Any) -> None:
        for part in re.split(r", (?![^(]*\))", parts):
            column, value = (piece.strip() for piece in part.split("="))
            kept = re.fullmatch(r"if_not_exists\((\w+), (:\w+)\)", value)
            if kept:
                item[column] = item.get(kept[1], values[kept[2]])
            else:
                item[names.get(column, column)] = values[value]

    # The task.

    def _run_task(self, arguments: Any, timeout_seconds: int) -> Any:
        pairs = arguments["Overrides"]["ContainerOverrides"][0]["Environment"]
        environment = {pair["Name"]: pair["Value"] for pair in pairs}
        launch = Launch(
            capacity=environment["STEADYSPOT_CAPACITY"],
            at=self.now,
            stop_by=_seconds(environment["STEADYSPOT_STOP_BY"]),
            expected_seconds=float(environment.get("STEADYSPOT_EXPECTED_SECONDS") or 0),
            state_ends=self.now + timeout_seconds,
            environment=environment,
        )
        self.launches.append(launch)
        offer = self._market(launch, self.work_seconds - self.done_seconds)
        if offer.error:
            raise TaskFailed(*offer.error)
        return self._task(launch, offer)

    def _task(self, launch: Launch, offer: Offer) -> Any:
        starts = launch.at + offer.start_seconds
        given_up = self._given_up(launch, starts)
        if given_up:
            at, reason = given_up
            self.now = at + offer.exit_seconds
            stop = {"StopCode": "UserInitiated", "StoppedReason": reason}
            began, code = (starts, offer.exit_code) if starts < at else (None, None)
            raise self._failed(launch, offer, began, stop, code)
        left = self.work_seconds - self.done_seconds
        reclaimed = launch.at + offer.ends_after
        finishes = starts + left
        stops = self._stops_itself(launch, starts)
        notice = min(reclaimed, finishes, stops)
        began = notice > starts
        gained = max(0.0, notice - starts)
        if self._reports or notice == finishes:
            self.done_seconds += gained
        if starts <= notice and starts < launch.state_ends:
            self.worker["fence"] = {"N": launch.environment["STEADYSPOT_FENCE"]}
        exits = notice + (0.0 if notice == finishes else offer.exit_seconds)
        if exits > launch.state_ends:
            # A zombie, if anything: what it did after its state was given up is refused.
            self.now = launch.state_ends
            self._spell(launch, exits, "timed out")
            self._note(launch, "")
            raise TaskFailed("States.Timeout", "")
        self.now = exits
        if notice == finishes:
            return self._finished(launch, offer, starts)
        how = "reclaimed" if notice == reclaimed else "stopped itself"
        self._spell(launch, exits, how)
        if how == "stopped itself":
            self._note(launch, "timed-out")
            stop = {"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"}
            raise self._failed(launch, offer, starts, stop, 124)
        self._note(launch, offer.reason if began else "")
        if offer.completes and began:
            self.worker["status"] = {"S": "complete"}
        stop = dict(offer.stop) or {
            "StopCode": "SpotInterruption",
            "StoppedReason": "Your Spot Task was interrupted.",
        }
        code = offer.exit_code if began else None
        raise self._failed(launch, offer, starts if began else None, stop, code)

    def _failed(self, *about: Any) -> TaskFailed:
        return TaskFailed("States.TaskFailed", self._cause(*about)[:CAUSE_LENGTH])

    def _given_up(self, launch: Launch, starts: float) -> tuple[float, str] | None:
        """When and why *Before the start* stops the launch, None where it does not."""
        if not self._is_watched:
            return None
        launching = Launching(launch.at + EVENT_SECONDS, starts)
        ended = BEFORE_THE_START.run(launching, launch_event(launch.environment), name="launch")
        assert ended.status == "SUCCEEDED", ended
        self.watched.append(ended.states_entered)
        return launching.stopped

    def _stops_itself(self, launch: Launch, starts: float) -> float:
        """When the worker stops by its own clock: what it makes moves that on."""
        pace = launch.expected_seconds / self.work_seconds if self._reports else 0.0
        if launch.stop_by < starts:
            return starts
        if pace >= 1:
            return float("inf")
        return launch.stop_by + (launch.stop_by - starts) * pace / (1 - pace)

    def _finished(self, launch: Launch, offer: Offer, starts: float) -> Any:
        self._spell(launch, self.now, "finished")
        self._note(launch, "")
        self.worker["status"] = {"S": "complete"}
        self.worker["completion"] = {"M": {"seconds": {"N": str(self.work_seconds)}}}
        return json.loads(
            self._cause(
                launch,
                offer,
                starts,
                {"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"},
                0,
            )
        )

    def _spell(self, launch: Launch, ended: float, how: str) -> None:
        self.spells.append(Spell(launch.capacity, launch.at, ended, how))

    def _note(self, launch: Launch, reason: str) -> None:
        if self._reports:
            fraction = min(1.0, self.done_seconds / self.work_seconds)
            self.worker["progress"] = {"M": {"fraction": {"N": repr(round(fraction, 9))}}}
        if reason:
            fence = launch.environment["STEADYSPOT_FENCE"]
            self.worker["stop_report"] = {
                "M": {
                    "fence": {"N": fence},
                    "reason": {"S": reason},
                    "exit_code": {"N": "143"},
                    "lost_seconds": {"N": "0"},
                }
            }

    def _cause(
        self,
        launch: Launch,
        offer: Offer,
        starts: float | None,
        stop: Mapping[str, Any],
        code: int | None,
    ) -> str:
        worker: dict[str, Any] = {"ContainerArn": "arn:container"}
        if code is not None:
            worker["ExitCode"] = code
        worker["Name"] = "worker"
        given = {**launch.environment, "VALUE": self._value}
        pairs = [{"Name": key, "Value": value} for key, value in given.items()]
        task = {
            "AvailabilityZone": offer.zone,
            "Containers": [worker],
            "Overrides": {"ContainerOverrides": [{"Environment": pairs, "Name": "worker"}]},
            **({"StartedAt": round(starts * 1000)} if starts is not None else {}),
            **stop,
            "StoppedAt": round(self.now * 1000),
            "TaskArn": TASK,
        }
        return json.dumps(task, separators=(",", ":"))


def canceled(*reasons: str) -> str:
    """Return the Cause of a transaction that was cancelled, for a reason each of its items."""
    listed = ", ".join(reasons)
    return (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{listed}]"
        " (Service: DynamoDb, Status Code: 400, Request ID: 0)"
    )


BEFORE_THE_START = Machine(definition("before-the-start"))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _change_set(item: dict[str, Any], clause: str, column: str, given: list[str]) -> None:
    """Add members to a set or delete them; a set without any is none."""
    have = item.pop(column, {"SS": []})["SS"]
    left = {*have, *given} if clause == "ADD" else {*have} - {*given}
    if left:
        item[column] = {"SS": sorted(left)}


_GROUP = re.compile(
    r"(?<!exists)(?<!contains)(?<!size)\(((?:(?:exists|contains|size)\([^()]*\)|[^()])*)\)"
)
_TERM = re.compile(
    r"attribute_not_exists\((?P<absent>[#.\w]+)\)|attribute_exists\((?P<present>[#\w]+)\)"
    r"|contains\((?P<whole>\w+), (?P<member>:\w+)\)|size\((?P<sized>\w+)\) < (?P<most>:\w+)"
    r"|(?P<left>[#:\w]+)\s*(?P<op>=|<>)\s*(?P<right>[#:\w]+)"
)


def _holds(
    condition: str, item: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Any]
) -> bool:
    """Whether a condition holds: terms joined by AND and by OR, as definitions write them."""

    def value(name: str) -> Any:
        return values[name] if name.startswith(":") else item.get(names.get(name, name))

    def term(text: str) -> bool:
        found = _TERM.fullmatch(text.strip())
        assert found, text
        if found["absent"]:
            column, _, within = names.get(found["absent"], found["absent"]).partition(".")
            return within not in item.get(column, {"M": {}})["M"] if within else column not in item
        if found["present"]:
            return names.get(found["present"], found["present"]) in item
        if found["whole"]:
            return value(found["member"])["S"] in item.get(found["whole"], {"SS": []})["SS"]
        if found["sized"]:
            return len(item[found["sized"]]["SS"]) < int(value(found["most"])["N"])
        same = value(found["left"]) == value(found["right"])
        return same if found["op"] == "=" else not same

    if not condition:
        return True
    while inner := _GROUP.search(condition):
        before, after = condition[: inner.start()], condition[inner.end() :]
        held = _holds(inner[1], item, names, values)
        condition = f"{before}{':true' if held else ':false'} = :true{after}"
    values = {**values, ":true": True, ":false": False}
    return any(
        all(term(text) for text in either.split(" AND ")) for either in condition.split(" OR ")
    )
