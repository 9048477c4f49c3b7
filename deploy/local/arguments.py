"""The arguments of a Task held against the model of the call that they are for; pure.

moto drops an argument that it does not know, or hands it on to boto3; AWS refuses it. A name is
the one of the service's API with a capital first letter, as the SDK for Java spells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (  # noqa: E501
    StateTaskServiceAwsSdk,
)

_OPTIMIZED = {
    "dynamodb": "dynamodb",
    "ecs": "ecs",
    "events": "events",
    "sns": "sns",
    "sqs": "sqs",
    "states": "stepfunctions",
}
"""Integrations of a service's own that are served here, and boto3's names."""
_MADE_TEXT = {"MessageBody", "Message", "Input", "Detail", "Body"}
"""Members that take any JSON, which Step Functions writes as text."""
_RESOURCE = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:(?P<what>[A-Za-z0-9-]+(:[A-Za-z0-9]+)+)")
_PATTERNS = re.compile(r"\.(sync(:2)?|waitForTaskToken)\Z")
_WORDS = re.compile(r"([A-Z]+)(?=[A-Z][a-z])")
_UNSUPPORTED = " is not supported by Step Functions"
_INTEGERS, _NUMBERS = ("integer", "long"), ("float", "double")


@dataclass(frozen=True)
class Call:
    """The call that a Task makes, by its resource."""

    operation: OperationModel
    optimized: bool


class UnknownResource(Exception):
    """A resource that names no call of any service."""


BOTO_NAMES: Final[dict[str, str]] = {
    **StateTaskServiceAwsSdk._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES,
    "cloudwatchlogs": "logs",
}
"""Services that the SDK of Step Functions, Java's, calls otherwise than boto3."""


@cache
def call_of(resource: str) -> Call | None:
    """The call that a resource names; None for what has no model here, such as a Lambda function.

    Raises
    ------
    UnknownResource
        It names a service or an action that there is not.
    """
    found = _RESOURCE.fullmatch(_PATTERNS.sub("", resource))
    if found is None:
        return None
    service, _, action = found["what"].partition(":")
    optimized = service != "aws-sdk"
    if not optimized:
        service, _, action = action.partition(":")
        service = BOTO_NAMES.get(service, service)
    elif service in _OPTIMIZED:
        service = _OPTIMIZED[service]
    else:
        return None
    try:
        model = _session().get_service_model(service)
        if action[:1].isupper():
            raise UnknownResource(resource)
        return Call(model.operation_model(action[:1].upper() + action[1:]), optimized)
    except (UnknownServiceError, KeyError, ValueError):
        raise UnknownResource(resource) from None
    except Exception as error:  # OperationNotFoundError is no part of botocore's public names
        raise UnknownResource(resource) from error


def faults(call: Call, arguments: Any, *, literal: bool) -> list[str]:
    """What AWS has against these arguments, a sentence each.

    Parameters
    ----------
    literal
        They stand in a definition: what an expression will come to is not known yet.
    """
    shape = call.operation.input_shape
    if shape is None:
        return [_not_supported(name) for name in arguments or ()]
    return list(_of_value("", arguments, shape, literal))


def faults_of_result(call: Call, resource: str, result: Any, mode: str) -> list[str]:
    """What a mocked result has that the API would not answer; ``PRESENT`` asks for types only."""
    shape: Shape | None = call.operation.output_shape
    if ".sync" in resource:  # then the answer is what a look at the task shows
        is_task = call.operation.name == "RunTask"
        shape = call.operation.service_model.shape_for("Task") if is_task else None
    if shape is None:
        return []
    found = _of_value("", result, shape, literal=False)
    return [one for one in found if mode == "STRICT" or not one.endswith(_UNSUPPORTED)]


def _of_value(name: str, value: Any, shape: Shape, literal: bool) -> Iterator[str]:
    if literal and isinstance(value, str) and value.startswith("{%"):
        return
    if isinstance(shape, (StructureShape, MapShape)) and not isinstance(value, Mapping):
        yield _must_be(name, "an OBJECT")
    elif isinstance(shape, ListShape) and not isinstance(value, list):
        yield _must_be(name, "an ARRAY")
    elif isinstance(shape, StructureShape):
        yield from _of_structure(value, shape, literal)
    elif isinstance(shape, (ListShape, MapShape)):
        inner = shape.member if isinstance(shape, ListShape) else shape.value
        for item in value if isinstance(value, list) else value.values():
            yield from _of_value(name, item, inner, literal)
    else:
        yield from _of_scalar(name, value, shape)


def _of_structure(value: Mapping[str, Any], shape: StructureShape, literal: bool) -> Iterator[str]:
    known = {spelling: member for member in shape.members for spelling in _spellings(member)}
    given = {}
    for key, item in value.items():
        by_path = literal and key.endswith(".$")
        member = known.get(key.removesuffix(".$") if by_path else key)
        if member is None:
            yield _not_supported(key)
            continue
        given[member] = item
        if not by_path and key not in _MADE_TEXT:
            yield from _of_value(key, item, shape.members[member], literal)
    for member in shape.required_members:
        if member not in given and not _is_made_up(shape.members[member]):
            yield f"The field '{_spellings(member)[0]}' is required but was missing"


def _of_scalar(name: str, value: Any, shape: Shape) -> Iterator[str]:
    kind = shape.type_name
    if kind == "string" and not isinstance(value, str):
        yield _must_be(name, "a STRING")
    elif kind == "boolean" and not isinstance(value, bool):
        yield _must_be(name, "a BOOLEAN")
    elif kind in _INTEGERS and (isinstance(value, bool) or not isinstance(value, int)):
        yield _must_be(name, "an INTEGER")
    elif kind in _NUMBERS and (isinstance(value, bool) or not isinstance(value, (int, float))):
        yield _must_be(name, "a NUMBER")


def _spellings(member: str) -> tuple[str, ...]:
    capital = member[:1].upper() + member[1:]
    java = _WORDS.sub(lambda found: found[1].capitalize(), capital)
    java = re.sub(r"([A-Z]{2,})\Z", lambda found: found[1].capitalize(), java)
    return (capital,) if java == capital else (capital, java)


def _is_made_up(shape: Shape) -> bool:
    """Whether the client fills a member in where it is left out."""
    return "idempotencyToken" in shape.metadata


def _not_supported(name: str) -> str:
    return f"The field '{name}'{_UNSUPPORTED}"


def _must_be(name: str, kind: str) -> str:
    return f"The value for the field '{name}' must be {kind}"


@cache
def _session() -> Any:
    return botocore.session.get_session()
