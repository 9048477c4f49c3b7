"""`states:startExecution`, alone and waiting for the execution's end, as AWS integrates it.

moto hands boto3 names that it does not know, so that none of it works there. Who waits does so for
as long as its own execution goes on: with that, what it waits for is stopped.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from steadyspot.deploy.local.clients import Clients
from steadyspot.deploy.local.integrations import ended_badly, failed_task, optimized_cause
from steadyspot.deploy.local.language import AwsTask
from steadyspot.deploy.local.shapes import compact_json, epoch_milliseconds

_NOTICE_SECONDS: Final = 0.25
"""After which a stop of the execution that waits is noticed."""


class StartExecutionTask(AwsTask, state_task_service_sfn.StateTaskServiceSfn):
    """`states:startExecution`, also `.sync` and `.sync:2`. `clients` is set where AWS is built."""

    clients: ClassVar[Clients]

    def _eval_service_task(
        self,
        env: Environment,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        client: Any = self.clients.client_for(
            region=resource_runtime_part.region, service="stepfunctions"
        )
        given = {
            name[:1].lower() + name[1:]: value for name, value in normalised_parameters.items()
        }
        started = client.start_execution(**given)
        env.stack.append(
            {
                "ExecutionArn": started["executionArn"],
                "StartDate": epoch_milliseconds(started["startDate"]),
            }
        )

    def _build_sync_resolver(self, env: Environment, *_about: Any, **_named: Any) -> Any:
        arn: str = env.stack.pop()["ExecutionArn"]
        details = env.aws_execution_details
        backend: Any = stepfunctions_parser_backends[details.account][details.region]
        return lambda: backend.describe_execution(arn)

    _build_sync2_resolver = _build_sync_resolver

    def _eval_sync(
        self, env: Environment, sync_resolver: Any, *_about: Any, **_named: Any
    ) -> dict[str, Any]:
        awaited = sync_resolver()
        while env.is_running():
            if awaited.ended.wait(_NOTICE_SECONDS):
                return self._outcome(env, awaited)
        if isinstance(env.program_state(), ProgramStopped):
            awaited.stop(stop_date=awaited.start_date, error=None, cause=None)
        raise TimeoutError

    def _outcome(self, env: Environment, ended: Any) -> dict[str, Any]:
        shown = {
            "ExecutionArn": ended.exec_arn,
            "Input": ended.execution_input,
            "Name": ended.name,
            "StartDate": epoch_milliseconds(ended.start_date),
            "StateMachineArn": ended.state_machine_arn,
            "Status": ended.status,
            "StopDate": epoch_milliseconds(ended.stop_date),
        }
        if ended.status == "SUCCEEDED":
            is_json = self.resource.condition is ResourceCondition.Sync2
            shown["Output"] = ended.output if is_json else compact_json(ended.output)
            return shown | ({"Input": json.loads(ended.execution_input)} if is_json else {})
        shown |= {"Error": ended.error, "Cause": ended.cause}
        raise FailureEventException(
            ended_badly(
                env,
                compact_json({key: value for key, value in shown.items() if value is not None}),
                self._get_sfn_resource(),
                self._get_sfn_resource_type(),
            )
        )

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            code = ex.response["Error"]["Code"]
            return failed_task(
                env,
                f"StepFunctions.{code.removesuffix('Exception')}Exception",
                optimized_cause("AWSStepFunctions", ex),
                self._get_sfn_resource(),
                self._get_sfn_resource_type(),
            )
        return super()._from_error(env=env, ex=ex)
