"""What Tasks of single services report on AWS, where moto reports something else: names and causes.

Each class mixes `AwsTask` into moto's class of the service. `ecs:runTask` has a file of its own.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import botocore.session
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_dynamodb,
    state_task_service_events,
    state_task_service_sns,
    state_task_service_sqs,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from steadyspot.deploy.local.arguments import BOTO_NAMES
from steadyspot.deploy.local.expressions import json_value
from steadyspot.deploy.local.language import AwsTask, event_details

_SDK_NAMES: Final = {
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "dynamodb": "DynamoDb",
    "ec2": "Ec2",
    "ecs": "Ecs",
    "eventbridge": "EventBridge",
    "lambda": "Lambda",
    "s3": "S3",
    "scheduler": "Scheduler",
    "secretsmanager": "SecretsManager",
    "sesv2": "SesV2",
    "sfn": "Sfn",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
    "sts": "Sts",
}


def failed_task(env: Environment, error: str, cause: str, resource: str, kind: str) -> FailureEvent:
    """A `TaskFailed` with this error and cause; `kind` is the resource type, like `ecs`."""
    return _failure(env, ErrorName(error_name=error), cause, resource, kind)


def ended_badly(env: Environment, cause: str, resource: str, kind: str) -> FailureEvent:
    """A `TaskFailed` of what was waited for and ended otherwise than well: `States.TaskFailed`."""
    error = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
    return _failure(env, error, cause, resource, kind)


def _failure(
    env: Environment, error: ErrorName, cause: str, resource: str, kind: str
) -> FailureEvent:
    return FailureEvent(
        env=env,
        error_name=error,
        event_type=HistoryEventType.TaskFailed,
        event_details=event_details(
            taskFailedEventDetails=TaskFailedEventDetails(
                error=error.error_name, cause=cause, resource=resource, resourceType=kind
            )
        ),
    )


def optimized_cause(service: str, error: ClientError) -> str:
    """Cause of an optimized integration: `text (Service: X; Status Code: N; Error Code: C; …)`."""
    metadata = error.response["ResponseMetadata"]
    details = (
        f"Service: {service}; Status Code: {metadata['HTTPStatusCode']}; "
        f"Error Code: {error.response['Error']['Code']}; "
        f"Request ID: {metadata.get('RequestId', '')}; Proxy: null"
    )
    return f"{error.response['Error']['Message']} ({details})"


class DynamoDbTask(AwsTask, state_task_service_dynamodb.StateTaskServiceDynamoDB):
    """`dynamodb:…`. moto's answers are AWS's once other failures than DynamoDB's keep their names.

    `ReturnValuesOnConditionCheckFailure` passes too, being a parameter of the API.
    """

    def _get_supported_parameters(self) -> set[str] | None:
        known = super()._get_supported_parameters()
        return known | {"ReturnValuesOnConditionCheckFailure"} if known else known


class SnsTask(AwsTask, state_task_service_sns.StateTaskServiceSns):
    """`sns:publish`."""


class SqsTask(AwsTask, state_task_service_sqs.StateTaskServiceSqs):
    """`sqs:sendMessage`: each error by its name; moto calls them all `SdkClientException`."""

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        name = type(ex).__name__
        error = "SQS.AmazonSQSException" if name == "ClientError" else f"SQS.{_exception(name)}"
        return failed_task(
            env,
            error,
            optimized_cause("AmazonSQS", ex),
            self._get_sfn_resource(),
            self._get_sfn_resource_type(),
        )


class EventsTask(AwsTask, state_task_service_events.StateTaskServiceEvents):
    """`events:putEvents`."""


class AwsSdkTask(AwsTask, state_task_service_aws_sdk.StateTaskServiceAwsSdk):
    """`aws-sdk:service:action`: errors begin with the Java SDK's name of the service, like `S3`."""

    def _get_boto_service_name(self, boto_service_name: str | None = None) -> str:
        name = boto_service_name or str(self.resource.api_name)
        return BOTO_NAMES.get(name, name)

    @staticmethod
    def _normalise_service_error_name(service_name: str) -> str:
        lower = service_name.lower()
        return _SDK_NAMES.get(lower, lower[:1].upper() + lower[1:])

    def _normalise_parameters(
        self,
        parameters: dict[str, Any],
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        # AWS takes PascalCase for every service; boto3 wants the case of the service's own model.
        self._to_boto_request(parameters, self._operation().input_shape)

    def _normalise_response(
        self,
        response: Any,
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        self._from_boto_response(response, self._operation().output_shape)
        response.update(json_value(response))

    def _operation(self) -> Any:
        action = self.resource.api_action
        model = _service_model(self._get_boto_service_name())
        return model.operation_model(action[:1].upper() + action[1:])


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _exception(name: str) -> str:
    return name if name.endswith("Exception") else f"{name}Exception"


TASKS: Final[dict[str, type[Any]]] = {
    "dynamodb": DynamoDbTask,
    "sns": SnsTask,
    "sqs": SqsTask,
    "events": EventsTask,
    "aws-sdk": AwsSdkTask,
}
