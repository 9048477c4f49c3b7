"""`ecs:runTask` in a state machine, with `.sync` failing as AWS does.

moto calls every stopped task a success and knows neither capacity providers nor failures. Here
success needs exit code 0 of every container; all else is `States.TaskFailed` with the task as JSON
in the Cause, and what RunTask itself refuses has names beginning with `ECS.`, or
`AmazonECS.Unknown` for `failures[]`.
"""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any, ClassVar

import botocore.session
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceRuntimePart,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (  # noqa: E501
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded

from steadyspot.deploy.local.clients import Clients
from steadyspot.deploy.local.fargate import NO_CAPACITY, Fargate
from steadyspot.deploy.local.fargate_task import FargateTask
from steadyspot.deploy.local.integrations import ended_badly, failed_task, optimized_cause
from steadyspot.deploy.local.language import AwsTask
from steadyspot.deploy.local.market import Market
from steadyspot.deploy.local.shapes import cause_of, compact_json, pascal_case, state_task

_NOTICE_SECONDS = 0.1
"""How soon a stopped execution is noticed while its task runs."""

_ANY_OTHER_ERROR = "ECS.AmazonECSException"


class EcsTask(AwsTask, StateTaskServiceEcs):
    """The Task `arn:aws:states:::ecs:runTask[.sync]`.

    moto makes one for each state, without arguments, so what it uses hangs on the class.
    """

    fargate: ClassVar[Fargate]
    market: ClassVar[Market]
    clients: ClassVar[Clients]

    def _get_supported_parameters(self) -> set[str] | None:
        if self.resource.api_action.lower() != "runtask":
            return None
        return _run_task_parameters()

    def _eval_service_task(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> None:
        client = self.clients.client_for(region=resource_runtime_part.region, service="ecs")
        request = _camel_case(normalised_parameters)
        response = client.run_task(**request)
        metadata = response.pop("ResponseMetadata", {})
        if self.resource.condition is not None and response["failures"]:
            raise FailureEventException(self._refused(env, response))
        env.stack.append(
            {
                "Failures": pascal_case(response["failures"]),
                "SdkHttpMetadata": {"HttpStatusCode": metadata.get("HTTPStatusCode", 200)},
                "SdkResponseMetadata": {"RequestId": metadata.get("RequestId", str(uuid.uuid4()))},
                "Tasks": [state_task(task) for task in response["tasks"]],
            }
        )

    def _eval_sync(
        self,
        env: Environment,
        sync_resolver: Any,
        timeout_seconds: int | None,
        callback_endpoint: Any,
        heartbeat_endpoint: Any,
    ) -> Any:
        """Wait for the task's end, and stop it where the execution ends first."""
        task: FargateTask = sync_resolver()
        while env.is_running():
            if callback_endpoint is not None and (outcome := callback_endpoint.get_outcome()):
                return outcome
            if task.wait("STOPPED", _NOTICE_SECONDS):
                return self._outcome(env, task.describe())
        timed_out = isinstance(env.program_state(), ProgramEnded)
        if not timed_out:
            task.stop("UserInitiated", "Task stopped by AWS Step Functions: execution aborted")
        elif self.market.stop_on_timeout:
            task.stop("UserInitiated", "Task stopped by AWS Step Functions: state timed out")
        raise TimeoutError

    def _build_sync_resolver(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> Any:
        submitted = env.stack.pop()
        return lambda: self.fargate.find(submitted["Tasks"][0]["TaskArn"])

    def _outcome(self, env: Environment, task: dict[str, Any]) -> dict[str, Any]:
        if is_success(task, self.market, self._essential(task)):
            return state_task(task)
        raise FailureEventException(
            ended_badly(
                env,
                cause_of(task, cut=self.market.cut_causes),
                self._get_sfn_resource(),
                self._get_sfn_resource_type(),
            )
        )

    def _essential(self, task: dict[str, Any]) -> set[str]:
        found = self.fargate.find(task["taskArn"])
        containers = found.record.containers if found else []
        return {container.name for container in containers if container.essential}

    def _refused(self, env: Environment, response: dict[str, Any]) -> FailureEvent:
        cause = compact_json(
            {
                "Failures": pascal_case(response["failures"]),
                "Tasks": [state_task(task) for task in response["tasks"]],
            }
        )
        return failed_task(
            env,
            "AmazonECS.Unknown",
            cause,
            self._get_sfn_resource(),
            self._get_sfn_resource_type(),
        )

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            return failed_task(
                env,
                error_name(ex),
                optimized_cause("AmazonECS", ex),
                self._get_sfn_resource(),
                self._get_sfn_resource_type(),
            )
        return super()._from_error(env=env, ex=ex)


def is_success(task: dict[str, Any], market: Market, essential: set[str]) -> bool:
    """Whether a stopped task, as the API shows it, is a success of the state.

    Every container must have exit code 0, sidecars too (seen on AWS); whether a task that was
    stopped from outside can be one is not known, so the market says.
    """
    was_stopped = task.get("stopCode") != "EssentialContainerExited"
    if was_stopped and not market.exit_zero_succeeds:
        return False
    return all(
        container.get("exitCode") == 0
        for container in task["containers"]
        if market.sidecars_count or container["name"] in essential
    )


def error_name(error: ClientError) -> str:
    """The error's name in Step Functions: `ECS.` and the exception, if RunTask's model has it.

    Others become `ECS.AmazonECSException`, as does missing capacity (both reported).
    """
    code = error.response["Error"]["Code"]
    if code in _modelled_errors() and NO_CAPACITY not in error.response["Error"]["Message"]:
        return f"ECS.{code}"
    return _ANY_OTHER_ERROR


@cache
def _run_task_model() -> Any:
    return botocore.session.Session().get_service_model("ecs").operation_model("RunTask")


@cache
def _modelled_errors() -> frozenset[str]:
    return frozenset(shape.name for shape in _run_task_model().error_shapes)


@cache
def _run_task_parameters() -> set[str]:
    names = _run_task_model().input_shape.members
    return {name[:1].upper() + name[1:] for name in names}


def _camel_case(value: Any) -> Any:
    """Keys as boto3 wants them. Arguments of a state may be written in PascalCase only."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _camel_case(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_camel_case(item) for item in value]
    return value
