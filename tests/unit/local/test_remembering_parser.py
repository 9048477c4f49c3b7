"""Definitions are read state by state, and a state that two machines share is read once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.parsing import RememberingParser


def definition(seconds: int, **more: Any) -> dict[str, Any]:
    states = {"A": {"Type": "Wait", "Seconds": seconds, "Next": "B"}, "B": {"Type": "Succeed"}}
    return {"QueryLanguage": "JSONata", "StartAt": "A", "States": states, **more}


def parsed(machine: dict[str, Any]) -> Any:
    return RememberingParser.parse(json.dumps(machine))[0]


def test_a_state_that_two_machines_share_is_read_once() -> None:
    one, other = parsed(definition(1)), parsed(definition(2, TimeoutSeconds=7))
    assert list(one.states.states) == list(other.states.states) == ["A", "B"]
    assert one.states.states["A"] is not other.states.states["A"]
    assert other.timeout_seconds.timeout_seconds == 7
    again = parsed(definition(3, TimeoutSeconds=7))
    assert again.states.states["B"] is other.states.states["B"]


@pytest.mark.parametrize(
    "text",
    [
        '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}',
        '{"StartAt": "A", "States": {}}',
        '{"StartAt": "A", "States": {"A": {"Type": "Stay"}}}',
        '{"States": {"A": {"Type": "Succeed"}}}',
        "[]",
        "{",
    ],
)
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - moto has no error of its own for each
        RememberingParser.parse(text)
