"""What ``explain`` says of a run's parameters: as its worker made them, and no secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from steadyspot.deploy.runs.given import HIDDEN, parameters_of
from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.stacks.config import Job, Parameter
from tests.unit.deploy.fleets import items_of

RUN = run_of(*items_of("night", datetime(2026, 11, 24, 2, tzinfo=UTC)))
JOB = Job(
    "night",
    "image",
    parameters={
        "day": Parameter("date", "{scheduled_time:%Y-%m-%d}"),
        "full": Parameter("boolean", default=False),
        "place": Parameter("text", "in/{run_key}"),
    },
)
DEFAULTS = {"day": "2026-11-24", "full": False, "place": "in/20261124T020000Z"}


def told(given: Any) -> dict[str, Any]:
    return parameters_of(JOB, RUN, {"input": json.dumps(given)})


def test_defaults_are_filled_in_and_what_the_run_gave_takes_their_place() -> None:
    assert told({"scheduledTime": "2026-11-24T02:00:00Z"}) == DEFAULTS
    given = {"full": True, "day": "2026-11-01"}
    assert told({"parameters": given}) == {**DEFAULTS, **given}


@pytest.mark.parametrize("given", [None, [], "x", {"parameters": 7}])
def test_an_input_of_another_form_gives_nothing(given: Any) -> None:
    assert told(given) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value"), [("api_token", "abc"), ("db_password", "x"), ("place", "AKIA" + "A" * 16)]
)
def test_what_looks_like_a_secret_is_not_told(name: str, value: str) -> None:
    shown = told({"parameters": {name: value}})
    assert shown[name] == HIDDEN
    assert value not in [one for one in shown.values() if one != HIDDEN]


def test_nothing_is_made_up_where_the_input_is_forgotten() -> None:
    assert parameters_of(JOB, RUN, None) == {}
    assert parameters_of(JOB, None, {"input": "{}"}) == {}
