"""What answers are made of is found by the same names as moto finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from moto.core.serialize import QuerySerializer, XFormedAttributePicker
from moto.core.utils import get_service_model

from steadyspot.deploy.local.serializing import NamesKnown


@dataclass
class Stack:
    """An object whose members have moto's names."""

    stack_name: str = "platform"
    status: str = "CREATE_COMPLETE"
    StackId: str = "arn"


class Aliased:
    """An object that says by which names its members go."""

    class Meta:
        """Where moto looks for them."""

        serialization_aliases = {"StackName": "called"}  # noqa: RUF012 - as moto has it

    called = "platform"


@pytest.mark.parametrize(
    "stack",
    [
        {"StackName": "platform", "StackId": "arn", "Tags": [{"Key": "a", "Value": "b"}]},
        {"stack_name": "platform", "tags": [{"key": "a"}], "Parameters": []},
        {"Name": "platform", "Status": "UPDATE_COMPLETE", "StackName": None},
        {},
        Stack(),
        Aliased(),
        None,
    ],
)
def test_an_answer_is_the_one_that_moto_gives(stack: Any) -> None:
    model = get_service_model("cloudformation").operation_model("DescribeStacks")
    answer = {"Stacks": [stack, stack]}
    changes: dict[str, Callable[[Any], Any]] = {"DescribeStacksOutput.Stacks.StackName": str}
    expected, *found = (
        QuerySerializer(model, value_picker=picker(response_transformers=changes)).serialize(answer)
        for picker in (XFormedAttributePicker, NamesKnown, NamesKnown)
    )
    assert found == [expected, expected]
