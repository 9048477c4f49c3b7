"""Executions of state machines: starting, stopping and showing them where moto differs from AWS.

Names are made up where none is given, a stop reaches the task and keeps its error and cause,
histories come in pages, and every change of status is an EventBridge event.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidName, ValidationException
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.api import (
    ExecutionStatus,
    GetExecutionHistoryOutput,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from steadyspot.deploy.local.execution_logs import execution_log
from steadyspot.deploy.local.language import event_details
from steadyspot.deploy.local.shapes import compact_json, epoch_milliseconds, iso_seconds
from steadyspot.deploy.local.trials import TRIAL_MEMBERS, try_state
from steadyspot.deploy.local.validating import LARGEST_DATA, problems, refusal_of

_REDRIVING = threading.Lock()
_PAGE = 100
_LARGEST_PAGE = 1000
_STOP_SECONDS = 5.0
_FORBIDDEN_IN_NAMES = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


class InvalidDefinition(AWSError):
    """A definition that no state machine is made of; the text says all that is wrong."""

    TYPE = "InvalidDefinition"
    STATUS = 400


class NotRedrivable(AWSError):
    """An execution that runs, or has succeeded."""

    TYPE = "ExecutionNotRedrivable"
    STATUS = 400


class _Ending(BaseExecutionWorkerCommunication):
    """What happens when an execution's interpreter is done."""

    execution: AwsExecution

    def terminated(self) -> None:
        worker: Any = self.execution.exec_worker
        state = worker.env.program_state()
        if isinstance(state, ProgramStopped):
            self.execution.error, self.execution.cause = state.error, state.cause
        self._reflect_execution_status()  # type: ignore[no-untyped-call]
        self.execution.ended.set()
        self.execution.announce()


class AwsExecution(Execution):
    """An execution that tells EventBridge of itself. moto makes it: `emit` hangs on the class."""

    emit: ClassVar[Callable[[dict[str, Any]], None]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exec_status = ExecutionStatus.RUNNING  # it is listed before it is started
        self.ended = threading.Event()
        self.redrives = 0
        self.redriven_at: datetime | None = None
        machine: Any = self.state_machine
        log: Any = execution_log(machine.loggingConfiguration, self.exec_arn, self.start_date)
        self._cloud_watch_logging_session = log

    def start(self) -> None:
        self.announce(status="RUNNING")
        super().start()

    def stop(self, stop_date: datetime, error: str | None, cause: str | None) -> None:
        """Stop it, once it is in a state: one that is stopped before has no end in its history."""
        until = time.monotonic() + _STOP_SECONDS
        while not self.ended.is_set() and time.monotonic() < until:
            worker: Any = self.exec_worker
            env = None if worker is None else worker.env
            if env is not None and env.is_under_way and env.is_running():
                env.set_stop(stop_date=stop_date, error=error, cause=cause)
                return
            time.sleep(0.01)

    @property
    def can_be_redriven(self) -> bool:
        """Whether it ended without success."""
        return self.ended.is_set() and self.status != "SUCCEEDED"

    def redrive(self) -> datetime:
        """Go on at the state in which it ended, with that state's input and all variables."""
        worker: Any = self.exec_worker
        env = worker.env
        program = worker._get_evaluation_entrypoint()
        start = {"name": program.start_at.start_at_name, "input": self.execution_input}
        entered = [
            event["stateEnteredEventDetails"]
            for event in env.event_manager.get_event_history()
            if event.get("stateEnteredEventDetails", {}).get("name") in program.states.states
        ]
        self.ended.clear()
        self.exec_status, self.stop_date = ExecutionStatus.RUNNING, None
        self.error = self.cause = None
        self.redrives += 1
        self.redriven_at = datetime.now(UTC)
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=event_details(
                executionRedrivenEventDetails={"redriveCount": self.redrives}
            ),
        )
        last = entered[-1] if entered else start  # it may be stopped before its first state
        env.states.reset(input_value=json.loads(last["input"]))
        env._frames.clear()
        env._program_state, env.is_under_way = None, False
        threading.Thread(target=self._go_on, args=(program, last["name"]), daemon=True).start()
        self.announce(status="RUNNING")
        return self.redriven_at

    def _go_on(self, program: Any, state: str) -> None:
        worker: Any = self.exec_worker
        again = copy.copy(program)
        again.start_at = StartAt(state)
        again.eval(worker.env)
        worker._execution_communication.terminated()

    def to_history_output(self) -> GetExecutionHistoryOutput:
        if self.exec_worker is None:
            return GetExecutionHistoryOutput(events=[])
        return super().to_history_output()

    def announce(self, status: str | None = None) -> None:
        """Emit 'Step Functions Execution Status Change' for the status as it is, or as given."""
        type(self).emit(status_change_event(self, status or self.status))

    def _get_start_execution_worker_comm(self) -> BaseExecutionWorkerCommunication:
        return _Ending(self)


def status_change_event(execution: AwsExecution, status: str) -> dict[str, Any]:
    """The event as AWS documents it: dates as epoch milliseconds, what is not there as null."""
    stopped = execution.stop_date
    output = execution.output
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": iso_seconds(stopped or execution.start_date),
        "region": execution.region_name,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": status,
            "startDate": epoch_milliseconds(execution.start_date),
            "stopDate": _milliseconds(stopped),
            "input": execution.execution_input,
            "output": compact_json(output) if status == "SUCCEEDED" else None,
            "stateMachineVersionArn": None,
            "stateMachineAliasArn": None,
            "redriveCount": execution.redrives,
            "redriveDate": _milliseconds(execution.redriven_at),
            "redriveStatus": "NOT_REDRIVABLE" if status == "SUCCEEDED" else "REDRIVABLE",
            "redriveStatusReason": None,
            "inputDetails": {"included": True},
            "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else epoch_milliseconds(moment)


class AwsExecutions(StepFunctionsParserBackend):
    """moto's interpreting backend with AWS's answers for machines and executions."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._starting = threading.Lock()

    def create_state_machine(  # type: ignore[override]  # moto's own takes the same by name
        self, name: str, definition: str, **more: Any
    ) -> StateMachine:
        _refuse_bad(definition)
        return super().create_state_machine(name, definition, **more)

    def update_state_machine(  # type: ignore[override]  # as above
        self, arn: str, definition: Any = None, **more: Any
    ) -> StateMachine:
        if definition is not None:
            _refuse_bad(definition)
        return super().update_state_machine(arn, definition, **more)

    def start_execution(  # type: ignore[override]  # moto's two backends differ
        self,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Execution:
        if name is not None and (not 0 < len(name) <= 80 or _FORBIDDEN_IN_NAMES.search(name)):
            raise InvalidName(f"Invalid Name: '{name}'")
        if execution_input is not None and len(execution_input.encode()) > LARGEST_DATA:
            raise ValidationException(
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LARGEST_DATA}"
            )
        with self._starting:  # so that a name is taken once, also by two starts at the same moment
            return super().start_execution(
                state_machine_arn,
                name or str(uuid.uuid4()),
                execution_input or "{}",
                trace_header or "",
            )

    def abort(self, execution_arn: str, error: str | None, cause: str | None) -> datetime:
        """StopExecution. Comes back when the execution is ABORTED, with the date of the stop."""
        execution: Any = self.describe_execution(execution_arn)
        if execution.stop_date is not None:
            ended: datetime = execution.stop_date
            return ended
        stopped_at = datetime.now(UTC)
        execution.stop(stop_date=stopped_at, error=error, cause=cause)
        execution.ended.wait(_STOP_SECONDS)
        return stopped_at

    def abort_all(self) -> None:
        """Stop whatever runs, for the end of the local target."""
        running = self._get_executions(ExecutionStatus.RUNNING)
        for execution in running:
            execution.stop(stop_date=datetime.now(UTC), error=None, cause=None)
        for execution in running:
            execution.ended.wait(_STOP_SECONDS)


class AwsExecutionsResponse(StepFunctionResponse):
    """The API of Step Functions, where moto leaves out a parameter or a field."""

    def validate_state_machine_definition(self) -> ActionResult:
        found = problems(self._get_param("definition"))
        diagnostics = [{"severity": "ERROR", **vars(problem)} for problem in found]
        result = "FAIL" if diagnostics else "OK"
        return ActionResult({"result": result, "diagnostics": diagnostics, "truncated": False})

    def test_state(self) -> ActionResult:
        request = {name: self._get_param(name) for name in TRIAL_MEMBERS}
        return ActionResult(try_state(request, self.current_account, self.region))

    def stop_execution(self) -> ActionResult:
        backend: Any = self.stepfunction_backend
        stopped_at = backend.abort(
            self._get_param("executionArn"), self._get_param("error"), self._get_param("cause")
        )
        return ActionResult({"stopDate": stopped_at})

    def describe_execution(self) -> ActionResult:
        execution: Any = self.stepfunction_backend.describe_execution(
            self._get_param("executionArn")
        )
        shown = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": execution.start_date,
            "stopDate": execution.stop_date,
            "input": execution.execution_input,
            "inputDetails": {"included": True},
            "redriveCount": execution.redrives,
            "redriveDate": execution.redriven_at,
            "redriveStatus": "REDRIVABLE" if execution.can_be_redriven else "NOT_REDRIVABLE",
            "error": execution.error,
            "cause": execution.cause,
        }
        if self._get_param("includedData") == "METADATA_ONLY":
            del shown["input"], shown["error"], shown["cause"]
        elif execution.status == "SUCCEEDED":
            shown["output"] = compact_json(execution.output)
            shown["outputDetails"] = {"included": True}
        return ActionResult({key: value for key, value in shown.items() if value is not None})

    def redrive_execution(self) -> ActionResult:
        execution: Any = self.stepfunction_backend.describe_execution(
            self._get_param("executionArn")
        )
        with _REDRIVING:
            if not execution.can_be_redriven:
                raise NotRedrivable(
                    "The execution cannot be redriven: only one that ended without success can."
                )
            return ActionResult({"redriveDate": execution.redrive()})

    def list_executions(self) -> ActionResult:
        listed = super().list_executions()
        backend: Any = self.stepfunction_backend
        for item in listed.result["executions"]:  # type: ignore[index]
            stopped = backend.describe_execution(item["executionArn"]).stop_date
            if stopped is not None:
                item["stopDate"] = stopped
        return listed

    def get_execution_history(self) -> ActionResult:
        backend: Any = self.stepfunction_backend
        history = backend.get_execution_history(self._get_param("executionArn"))
        events = history["events"]
        if self._get_param("reverseOrder"):
            events = events[::-1]
        if self._get_param("includeExecutionData") is False:
            events = [_without_data(event) for event in events]
        start = int(self._get_param("nextToken") or 0)
        size = min(int(self._get_param("maxResults") or _PAGE), _LARGEST_PAGE)
        end = start + size
        page: dict[str, Any] = {"events": events[start:end]}
        if end < len(events):
            page["nextToken"] = str(end)
        return ActionResult(page)

    def send_task_failure(self) -> ActionResult:
        backend: Any = self.stepfunction_backend
        backend.send_task_failure(
            self._get_param("taskToken"),
            error=self._get_param("error"),
            cause=self._get_param("cause"),
        )
        return EmptyResult()


def _refuse_bad(definition: str) -> None:
    if found := problems(definition):
        raise InvalidDefinition(refusal_of(found))


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    bare = copy.deepcopy(event)
    for details in bare.values():
        if isinstance(details, dict):
            for key in ("input", "output", "parameters"):
                details.pop(key, None)
    return bare
