"""What an execution is asked for: the workflow takes what the command line takes, and no more.

What it does not take is said before anything starts, and the run is parked under a key that can be
one. Whole runs in virtual time; both engines, where times and keys are compared.
"""

from __future__ import annotations

import json
import string
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steadyspot.contract import WORKER_CONTAINER, Env
from steadyspot.contract.keys import LONGEST_RUN_KEY, RUN_KEY_CHARACTERS
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.deploy.runs.executions import check_request
from steadyspot.deploy.trouble import Trouble
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.values import COMMAND_CHARACTERS
from tests.unit.statemachines.test_random_outcomes import NOTIFICATION, PARKED, START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import Offer, RunWorld

MACHINE = Machine(job_definition())
TIME = "2026-09-21T14:13:20Z"
SQS_BYTES = 262_144
EXECUTION_CHARACTERS = 256  # of an ARN, at most


def asked(
    request: Any, name: str = "by-hand", machine: Machine = MACHINE
) -> tuple[Ended, RunWorld]:
    world = RunWorld(now=START, work_seconds=60.0, market=lambda *_: Offer())
    return machine.run(world, request, name=name), world


def is_taken_by_the_command_line(request: dict[str, Any]) -> bool:
    try:
        check_request(request)
    except Trouble:
        return False
    return True


TAKEN = [
    {},
    {"scheduledTime": TIME, "redrive": True},
    {"scheduledTime": "2028-02-29T23:59:59Z"},
    {"runKey": "run-1_a.b", "redrive": False},
    {"command": []},
    {"command": ["python", "-c", "print('ä')\nprint(1)"]},
    {"command": ["x" * 4_892]},
    {"finishWithinMinutes": 0, "expectedMinutes": 0.5, "capacity": "on-demand-only"},
    {"finishWithinMinutes": 400_000, "expectedMinutes": 40_000},
    {"budgets": {"interruptions": 0, "failures": 100}},
    {"parameters": {}},
    {"parameters": {"day": "2026-11-24", "part": 3, "share": 0.5, "dry": True}},
    {"parameters": {"note": "x" * 983}},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({"scheduledTime": time}, "scheduledTime must be a time")
        for time in (
            *("20261124T020000Z", "2026-11-24T02:00", "2026-11-24T02:00:00+00:00", "", 17, None),
            *("2026-13-01T02:00:00Z", "2026-02-30T02:00:00Z", "2027-02-29T02:00:00Z"),
            *("2026-11-24T24:00:00Z", "2026-11-24T02:00:60Z", "2026-11-24T02:00:00Z\n"),
            *("0000-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"),
            *("2026-11-24 02:00:00Z", ["2026-11-24T02:00:00Z"]),
        )
    ),
    *(
        ({"runKey": key}, "runKey must be")
        for key in ("", "a b", "a/b", "key\n", "x" * 81, "schlüssel", "=1", "..", 7, None)
    ),
    *(
        ({"expectedMinutes": minutes}, "expectedMinutes must be a number from 0 to 40000")
        for minutes in (-1, 40_001, 1e300, "60", True, None, [5])
    ),
    ({"finishWithinMinutes": 400_001}, "finishWithinMinutes must be a number from 0 to 400000"),
    ({"capacity": "spot"}, "capacity must be"),
    ({"redrive": "yes"}, "redrive must be true or false"),
    *(
        ({"budgets": budgets}, "budgets must be")
        for budgets in (
            *([5], 5, {"failures": 101}, {"failures": -1}, {"failures": 1.5}, {"x": 1}),
            {"failures": "1"},
        )
    ),
    *(
        ({"command": command}, "command must be a list of texts")
        for command in ("ls -l", ["ls", 1], {"ls": 1}, ["ls", "\0"])
    ),
    ({"command": [" ", "x"]}, "command must name the program first"),
    ({"command": ["x" * 4_893]}, "command has more than 4900 characters"),
    ({"command": ['"'] * 1_000}, "command has more than 4900 characters"),
    *(({"parameters": given}, "parameters must be an object") for given in ([1], "day", 5)),
    ({"parameters": {"note": "x" * 984}}, "parameters have more than 1000 characters"),
]


@pytest.mark.parametrize("request_", TAKEN, ids=lambda one: json.dumps(one)[:40])
def test_what_is_documented_is_taken_by_both_borders(request_: dict[str, Any]) -> None:
    ended, world = asked(request_)

    assert (ended.status, len(world.launches)) == ("SUCCEEDED", 1)
    assert is_taken_by_the_command_line(request_)


@pytest.mark.parametrize(
    ("request_", "sentence"), REFUSED, ids=lambda one: json.dumps(one)[:40].replace("\\", "")
)
def test_all_else_is_refused_by_both_borders_in_a_sentence_before_anything_starts(
    request_: dict[str, Any], sentence: str
) -> None:
    ended, world = asked(request_)

    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Misconfigured")
    assert sentence in ended.cause
    assert (len(world.launches), len(world.parked), len(world.mails)) == (0, 1, 1)
    PARKED.validate(world.parked[0])
    NOTIFICATION.validate(json.loads(json.loads(world.mails[0]["Message"])["default"]))
    assert not is_taken_by_the_command_line(request_)


@pytest.mark.parametrize("name", ["täglich", "a=b (1)", "x" * 80 + "!"])
def test_a_run_whose_executions_name_is_no_key_is_parked_under_one_that_is(name: str) -> None:
    ended, world = asked({}, name)

    assert "runKey must be" in ended.cause
    (parked,), (mail,) = world.parked, world.mails
    assert parked["runKey"] == parked["request"]["runKey"]
    assert is_taken_by_the_command_line(parked["request"])
    assert mail["Subject"].isascii()


def test_an_input_that_the_queue_would_not_take_is_refused_and_not_redriven_as_another() -> None:
    ended, world = asked({"scheduledTime": TIME, "command": ["x" * 200_000]})

    assert "the input has more than 20000 characters" in ended.cause
    (parked,) = world.parked
    assert (len(world.launches), parked["scheduledTime"]) == (0, TIME)
    assert len(json.dumps(json.dumps(parked))) < SQS_BYTES / 10
    assert not is_taken_by_the_command_line(parked["request"])


def is_key(value: Any) -> Any:
    text = expression("isRunKey").removeprefix("{%").removesuffix("%}")
    return evaluate(f"({text})($value)", {"value": value})


@settings(deadline=None, derandomize=True)
@example(key="..")
@example(key="key\n")
@example(key="x" * (LONGEST_RUN_KEY + 1))
@given(key=st.text(st.sampled_from([*string.printable, "ä"]), max_size=4))
def test_both_borders_take_the_same_run_keys_and_these_are_the_contracts(key: str) -> None:
    is_it = RUN_KEY_CHARACTERS.issuperset(key) and key.strip(".") != ""
    is_it = is_it and len(key) <= LONGEST_RUN_KEY

    assert is_key(key) is is_it
    assert is_taken_by_the_command_line({"runKey": key}) is is_it


@pytest.mark.parametrize("capacity", ["spot-first", "on-demand-only"])
@pytest.mark.parametrize("word", ["x", '"', "\\", "\n", "é"])
def test_the_longest_command_that_is_taken_fits_into_the_overrides(
    word: str, capacity: str
) -> None:
    longest = max(
        number
        for number in range(1, COMMAND_CHARACTERS)
        if len(json.dumps(json.dumps(["job", word * number]))) <= COMMAND_CHARACTERS
    )
    request = {
        "command": ["job", word * longest],
        "runKey": "k" * LONGEST_RUN_KEY,
        "capacity": capacity,
        "parameters": {"note": "x" * 983},
    }
    assert is_taken_by_the_command_line(request)

    _, world = asked({**request, "finishWithinMinutes": 400_000})

    (launch,) = world.launches
    names = {**launch.environment, Env.EXECUTION: "x" * EXECUTION_CHARACTERS, Env.FENCE: "9" * 12}
    pairs = [{"name": name, "value": value} for name, value in names.items()]
    overrides = {"containerOverrides": [{"name": WORKER_CONTAINER, "environment": pairs}]}
    assert Env.COMMAND in names
    assert len(json.dumps(overrides)) <= 8_192


def test_a_command_is_refused_where_the_job_does_not_allow_another() -> None:
    machine = Machine(job_definition(CommandOverride="false"))
    ended, world = asked({"command": ["ls"]}, machine=machine)
    assert (ended.error, len(world.launches)) == ("Steadyspot.Misconfigured", 0)
    assert "command must be left out: command_override is not true for this job" in ended.cause
    ended, world = asked({"command": []}, machine=machine)
    assert (ended.status, len(world.launches)) == ("SUCCEEDED", 1)


def test_the_worker_is_told_time_deadline_and_parameters() -> None:
    given = {"day": "2026-11-24", "part": 3}
    _, world = asked({"scheduledTime": TIME, "finishWithinMinutes": 60, "parameters": given})
    (launch,) = world.launches
    assert launch.environment[Env.SCHEDULED_TIME] == TIME
    deadline = datetime.fromisoformat(launch.environment[Env.DEADLINE])
    assert deadline - datetime.fromisoformat(TIME) == timedelta(minutes=60)
    assert json.loads(launch.environment[Env.PARAMETERS]) == given
    _, world = asked({})
    (launch,) = world.launches
    assert {Env.DEADLINE, Env.PARAMETERS}.isdisjoint(launch.environment)
    assert datetime.fromisoformat(launch.environment[Env.SCHEDULED_TIME]).tzinfo is not None
