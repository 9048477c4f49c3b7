"""What a person may ask of a run, and that all else is refused in a sentence before it starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.runs.executions import check_request, request_of
from steadyspot.deploy.trouble import Trouble


def refusal(request: Any) -> str:
    with pytest.raises(Trouble) as refused:
        check_request(request)
    assert refused.value.what.endswith(".")
    assert "\n" not in refused.value.what
    assert refused.value.what_to_do.startswith("Allowed keys: scheduledTime, runKey, ")
    return refused.value.what.removeprefix("A run cannot be asked for like this: ")


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"scheduledTime": "2026-11-24T02:00:00Z", "redrive": True},
        {"scheduledTime": "2028-02-29T23:59:59Z"},
        {"runKey": "run-1_a.b", "redrive": True},
        {"command": []},
        {"command": ["python", "-c", "print('ä')\nprint(1)"]},
        {"command": ["x" * 4880]},
        {"finishWithinMinutes": 0, "expectedMinutes": 0.5, "capacity": "on-demand-only"},
        {"finishWithinMinutes": 400000, "expectedMinutes": 40000},
        {"budgets": {"interruptions": 0, "failures": 100}},
    ],
)
def test_what_is_documented_is_taken(request_: dict[str, Any]) -> None:
    check_request(request_)
    assert request_of(json.dumps(request_)) == request_


@pytest.mark.parametrize(
    "text",
    [
        "20261124T020000Z",
        "2026-11-24",
        "2026-11-24T02:00",
        "2026-11-24T02:00:00",
        "2026-11-24T02:00:00+00:00",
        "2026-11-24T02:00:00.000Z",
        "2026-11-24 02:00:00Z",
        "2026-11-24t02:00:00z",
        "2026-11-24T02:00:00Z\n",
        "2026-13-01T02:00:00Z",
        "2026-02-30T02:00:00Z",
        "2027-02-29T02:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T02:60:00Z",
        "2026-11-24T02:00:60Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-24T02:00:00Z",
        "",
        1782266400,
        None,
    ],
)
def test_a_time_is_taken_only_as_documented(text: Any) -> None:
    assert refusal({"scheduledTime": text}).startswith("scheduledTime is ")


@pytest.mark.parametrize(
    "key", ["", "a b", "a/b", "a\nb", "key\n", "x" * 81, "schlüssel", "=1+1", "\u202ea", 7]
)
def test_a_run_key_keeps_to_its_alphabet(key: Any) -> None:
    assert refusal({"runKey": key}).startswith("runKey is ")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ([], "the input is [], but must be "),
        ("x", 'the input is "x", but must be '),
        (None, "the input is null, but must be "),
        ({"comand": []}, 'the input has no key "comand" (did you mean command?); allowed: sch'),
        ({"environment": {}}, 'the input has no key "environment"'),
        ({"expectedMinutes": -1}, "expectedMinutes is -1, but must be a number from 0 to 40000"),
        ({"expectedMinutes": 40001}, "expectedMinutes is 40001, but must be a number from 0"),
        ({"expectedMinutes": 1e300}, "expectedMinutes is 1e+300, but must be"),
        ({"expectedMinutes": float("nan")}, "expectedMinutes is NaN, but must be"),
        ({"expectedMinutes": float("inf")}, "expectedMinutes is Infinity, but must be"),
        ({"expectedMinutes": "60"}, 'expectedMinutes is "60", but must be'),
        ({"expectedMinutes": True}, "expectedMinutes is true, but must be"),
        ({"finishWithinMinutes": 400001}, "finishWithinMinutes is 400001, but must be"),
        ({"budgets": {"failures": 101}}, "budgets.failures is 101, but must be a whole number"),
        ({"budgets": {"failures": 1.5}}, "budgets.failures is 1.5, but must be a whole number"),
        ({"budgets": {"failure": 1}}, 'budgets has no key "failure" (did you mean failures?)'),
        ({"capacity": "spot"}, 'capacity is "spot", but must be one of "spot-first"'),
        ({"redrive": "yes"}, 'redrive is "yes", but must be true'),
        ({"command": "ls -l"}, 'command is "ls -l", but must be a list of texts'),
        ({"command": ["ls", 1]}, "command.1 is 1, but must be a text"),
        ({"command": ["ls", "\0"]}, r'command.1 is "\u0000", but must be a text without NUL'),
        ({"command": [" ", "x"]}, "command must name the program first"),
        ({"command": ["x" * 6000]}, "command has 6,008 characters as AWS counts them, but at"),
        ({"command": ['"'] * 1000}, "command has "),
        ({"command": ["\ud800"]}, r'command.0 is "\ud800", but must be a text that UTF-8'),
    ],
)
def test_what_aws_or_the_workflow_would_not_take_is_refused(request_: Any, sentence: str) -> None:
    assert refusal(request_).startswith(sentence)


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = refusal({"capacity": "spot", "expectedMinutes": -1, "runkey": "x"})
    assert 'no key "runkey" (did you mean runKey?)' in said
    assert "capacity is " in said
    assert "expectedMinutes is " in said


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, "1" * 5000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Trouble, match="The input is no JSON"):
        request_of(text)
