"""What a target of an EventBridge rule gets, out of the event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.events import at_path, filled_template, target_input

EVENT = {"source": "aws.states", "detail": {"name": 'say "x"', "n": 3, "list": [1]}}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, EVENT),
        ({"Input": '{"a": 1}'}, {"a": 1}),
        ({"InputPath": "$.detail"}, EVENT["detail"]),
        ({"InputPath": "$.detail.n"}, 3),
        ({"InputPath": "$.detail.none"}, None),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.n", "name": "$.detail.name"},
                    "InputTemplate": '{"count": <n>, "who": <name>, "text": "<name> x <n>"}',
                }
            },
            {"count": 3, "who": 'say "x"', "text": 'say "x" x 3'},
        ),
    ],
)
def test_a_target_gets_what_it_asked_for(target: dict[str, Any], expected: Any) -> None:
    assert json.loads(target_input(target, EVENT)) == expected


def test_a_placeholder_without_a_path_stays() -> None:
    assert filled_template('"<a> <b>"', {"a": 1}) == '"1 <b>"'


def test_a_path_into_what_is_no_object_is_null() -> None:
    assert at_path(EVENT, "$.source.detail") is None
