"""A run in virtual time, and what the verbs are told of it by AWS at any of its moments.

The rendered definition runs with a clock of its own; the history that Step Functions would have,
the run's two items as they were, its mails and what its job printed are kept with their times.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.schedules.zones import offsets_of
from steadyspot.deploy.stacks.config import Config, Job, Platform
from tests.unit.deploy.fakes import Calls
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, TaskFailed
from tests.virtual.world import TASK, Launch, Offer, RunWorld

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-night"
UNITS, UNIT_SECONDS = 24, 300


class Night(RunWorld):
    """A run of the job ``night`` and all that is written down of it.

    Its work is 24 units of 5 minutes; what an attempt has not finished of a unit is lost.
    """

    def __init__(self, now: float, market: Callable[[Launch, float], Offer]) -> None:
        super().__init__(now=now, work_seconds=UNITS * UNIT_SECONDS, market=market)
        self.definition = job_definition(
            Job="night",
            ZoneOffsets=offsets_of("Europe/Berlin"),
            Log="/steadyspot/shop/night",
            ExpectedMinutes="40",
            BackoffSeconds="60",
        )
        self.events: list[dict[str, Any]] = []
        self.told: list[tuple[float, str, str]] = []
        self.lines: list[tuple[float, str, str]] = []
        self.request: dict[str, Any] = {}
        self.ended_at = 0.0
        self.execution = ""
        self._written: list[tuple[float, dict[str, Any], dict[str, Any]]] = []
        self._assigned: dict[str, str] = {}
        self._error = ""
        self._worked: list[tuple[float, float, float, str]] = []

    def pass_by(self, request: dict[str, Any]) -> None:
        """Let the run come to its end."""
        self.request = request
        machine = Machine(self.definition)
        ended = machine.run(self, request, name="x", machine="shop-night", watch=self._entered)
        self._exited({})
        failed = {"error": ended.error, "cause": ended.cause}
        self._add("ExecutionFailed", self.now, executionFailedEventDetails=failed)
        self.ended_at = self.now
        self.execution = self.item["execution"]["S"]

    # What is kept.

    def _add(self, kind: str, at: float, **details: Any) -> None:
        moment = datetime.fromtimestamp(at, UTC)
        number = len(self.events) + 1
        self.events.append({"id": number, "timestamp": moment, "type": kind, **details})

    def _entered(self, state: str, variables: Mapping[str, Any]) -> None:
        self._exited(variables)
        kind = self.definition["States"][state]["Type"]
        self._add(f"{kind}StateEntered", self.now, stateEnteredEventDetails={"name": state})

    def _exited(self, variables: Mapping[str, Any]) -> None:
        self._keep()
        if not self.events:
            return
        state = next(
            event["stateEnteredEventDetails"]["name"]
            for event in reversed(self.events)
            if event["type"].endswith("StateEntered")
        )
        kind = self.definition["States"][state]["Type"]
        texts = {name: json.dumps(value) for name, value in variables.items()}
        names = {name for name, text in texts.items() if self._assigned.get(name) != text}
        names |= {*self._assigns(self.definition["States"][state])} & {*texts}
        self._assigned = texts
        self._error = ""
        details = {"name": state, "assignedVariables": {name: texts[name] for name in names}}
        self._add(f"{kind}StateExited", self.now, stateExitedEventDetails=details)

    def _assigns(self, state: Any) -> Mapping[str, Any]:
        """What a Task assigned: its own, or of the catcher that took its error."""
        if not self._error:
            return dict(state.get("Assign", {}))
        catchers = state.get("Catch", [])
        return next(
            (
                dict(catcher.get("Assign", {}))
                for catcher in catchers
                if {self._error, "States.ALL"} & {*catcher["ErrorEquals"]}
            ),
            {},
        )

    def _keep(self) -> None:
        self._written.append((self.now, copy.deepcopy(self.item), copy.deepcopy(self.worker)))

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        """Answer a Task, and keep what comes of it."""
        try:
            answer = super().call(resource, arguments, timeout_seconds, state)
        except TaskFailed as failed:
            details = {"error": failed.error, "cause": failed.cause}
            self._error = failed.error
            self._add("TaskFailed", self.now, taskFailedEventDetails=details)
            raise
        finally:
            self._keep()
        if resource.endswith("sns:publish"):
            mail = json.loads(arguments["Message"])["email"]
            self.told.append((self.now, arguments["Subject"], mail))
        return answer

    def _task(self, launch: Launch, offer: Offer) -> Any:
        told = {"Tasks": [{"TaskArn": self._arn(), "LastStatus": "PROVISIONING"}]}
        details = {"resourceType": "ecs", "output": json.dumps(told)}
        self._add("TaskSubmitted", launch.at + 1, taskSubmittedEventDetails=details)
        done, begins = self.done_seconds, launch.at + offer.start_seconds
        self._print(begins, "the night begins" if not done else f"unit {self._units(done) + 1} on")
        try:
            return super()._task(launch, offer)
        finally:
            fence = launch.environment["STEADYSPOT_FENCE"]
            self._worked.append((begins, done, self.done_seconds, fence))

    def _note(self, launch: Launch, reason: str) -> None:
        super()._note(launch, reason)
        lost = self.done_seconds % UNIT_SECONDS
        self.done_seconds -= lost
        self.worker["progress"] = self._progress(self.done_seconds)
        if reason:
            self.worker["stop_report"]["M"]["lost_seconds"] = {"N": f"{lost:g}"}

    @staticmethod
    def _units(seconds: float) -> int:
        return int(seconds // UNIT_SECONDS)

    def _progress(self, seconds: float) -> dict[str, Any]:
        units = {"units_done": str(self._units(seconds)), "units_total": str(UNITS)}
        return {"M": {name: {"N": number} for name, number in units.items()}}

    def _arn(self) -> str:
        return f"{TASK[:-1]}{len(self.launches):x}"

    def _cause(self, *how: Any) -> str:
        return super()._cause(*how).replace(TASK, self._arn())

    def _print(self, at: float, text: str) -> None:
        self.lines.append((at, self._arn().rsplit("/", 1)[-1], text))

    # What is shown.

    def run_at(self, now: float) -> RunRecord:
        """The run's record as it was at a moment, the units that were durable by then included."""
        _, item, worker = [written for written in self._written if written[0] <= now][-1]
        for begins, before, after, fence in self._worked:
            if begins <= now:
                done = min(after, before + now - begins)
                worker = {**worker, "progress": self._progress(done), "fence": {"N": fence}}
        return run_of(item, worker)

    def target_at(self, now: float) -> Any:
        """The account as it was at a moment, with a platform and the job."""
        events = [event for event in self.events if event["timestamp"].timestamp() <= now]
        over = bool(self.ended_at) and self.ended_at <= now
        shown = {
            "executionArn": self.execution,
            "name": "x",
            "status": "FAILED" if over else "RUNNING",
            "startDate": events[0]["timestamp"],
            "input": json.dumps(self.request),
        }
        looks = iter([True, True, over])

        def history(**_: Any) -> dict[str, Any]:
            if not next(looks, True):
                raise KeyboardInterrupt
            return {"events": events[::-1]}

        lines = [
            {
                "eventId": str(number),
                "timestamp": round(at * 1000),
                "logStreamName": f"run/worker/{task}",
                "message": text,
            }
            for number, (at, task, text) in enumerate(self.lines)
            if at <= now
        ]

        def printed(logStreamNames: list[str], **_: Any) -> list[dict[str, Any]]:  # noqa: N803
            return [{"events": [line for line in lines if line["logStreamName"] in logStreamNames]}]

        parked = [{"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(self.parked[0])}]
        services = {
            "stepfunctions": Calls(
                get_execution_history=history,
                describe_execution=lambda **_: shown,
                list_executions=lambda **_: {"executions": [shown]},
                get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"events": events}]),
            ),
            "sqs": Calls(
                receive_message=lambda **_: {"Messages": parked if over else []},
                change_message_visibility=lambda **_: None,
                get_queue_attributes=lambda **_: {
                    "Attributes": {"ApproximateNumberOfMessages": str(int(over))}
                },
            ),
            "logs": Calls(get_paginator=lambda _: SimpleNamespace(paginate=printed)),
        }
        run = self.run_at(now)
        job = Job(name="night", image="night:1", expected_minutes=40)
        outputs = {
            "StateMachine": MACHINE,
            "Queue": "q",
            "LogGroup": "/steadyspot/shop/night",
            "AfterTheEnd": "a",
        }
        return SimpleNamespace(
            config=Config(Path("steadyspot.toml"), Platform("shop"), {"night": job}),
            session=SimpleNamespace(region_name="us-east-1"),
            switches=None,
            client=services.__getitem__,
            platform={"Table": "t", "ScheduleGroup": "shop"},
            runs=SimpleNamespace(
                get=lambda *_: run,
                scheduled=lambda *_: [run],
                several=lambda *_: [run],
                since=lambda *_: [run],
            ),
            job=lambda _: outputs,
        )
