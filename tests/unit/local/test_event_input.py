"""Which events an EventBridge rule is for, and what its target gets out of one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.events import filled_template, is_matched, target_input
from steadyspot.deploy.local.paths import at_path

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


LAUNCHED: dict[str, Any] = {
    "detail": {
        "lastStatus": "PROVISIONING",
        "overrides": {
            "containerOverrides": [
                {"name": "sidecar"},
                {"name": "worker", "environment": [{"name": "A", "value": "1"}, {"name": "B"}]},
            ],
            "inferenceAcceleratorOverrides": [],
        },
    }
}


@pytest.mark.parametrize(
    ("name", "is_for_it"), [("A", True), ("B", True), ("C", False), ("worker", False)]
)
def test_a_pattern_looks_into_lists_of_objects(name: str, is_for_it: bool) -> None:
    overrides = {"containerOverrides": {"environment": {"name": [name]}}}
    pattern = {"detail": {"lastStatus": ["PROVISIONING"], "overrides": overrides}}
    assert is_matched(LAUNCHED, pattern) is is_for_it


def test_a_pattern_that_wants_a_list_of_objects_finds_none_where_there_is_no_list() -> None:
    event: dict[str, Any] = {"detail": {"overrides": {"containerOverrides": []}}}
    wanted = {"containerOverrides": {"environment": {"name": [{"exists": True}]}}}
    assert not is_matched(event, {"detail": {"overrides": wanted}})
