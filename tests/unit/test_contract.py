"""The contract is the one place for what it names: nothing of it is spelled out beside it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import (
    COMPLETION,
    ENV_PREFIX,
    WORKER_CONTAINER,
    Capacity,
    CapacityMode,
    Env,
    Exit,
    Reason,
    Status,
    checkpoint_prefix,
    columns,
    input_prefix,
    logs,
    messages,
    output_prefix,
    records,
    variables,
)
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY, run_key_of, scheduled_time_of
from steadyspot.contract.states import (
    AfterItsTimeState,
    AfterTheEndState,
    AtTheDeadlineState,
    BeforeTheStartState,
    ByMailState,
    JobState,
)
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.render import definition
from tests.unit.texts import texts_in

ROOT = Path(__file__).parents[2]
ROOMS = {
    "the API": [*(ROOT / "steadyspot").glob("*.py"), *(ROOT / "steadyspot/memory").glob("*.py")],
    "worker": list((ROOT / "worker").rglob("*.py")),
    "deploy": list((ROOT / "deploy").rglob("*.py")),
    "statemachines": list((ROOT / "statemachines").rglob("*.py")),
    "examples": list((ROOT / "examples").rglob("*.py")),
}


def constants(module: Any) -> dict[str, str]:
    """Return the texts that a module names, and their names there."""
    name = module.__name__.rpartition(".")[2]
    return {
        value: f"{name}.{key}"
        for key, value in vars(module).items()
        if key.isupper() and isinstance(value, str)
    }


COLUMNS, VARIABLES, MESSAGES = constants(columns), constants(variables), constants(messages)
ORDINARY = {
    *(
        "request",
        "redrive",
        "command",
        "capacity",
        "budgets",
        "parameters",
    ),  # arguments, verbs, settings
    *("version", "sentence", "outcome", "severity"),  # and of AWS's answers and ours
    *("job", "run", "run_key", "execution", "attempts", "cause", "status"),  # keys of AWS's answers
    *("causes", "last", "work", "money", "claims"),  # and of ours, of arguments and of files
    *("fence", "progress", "commit", "checkpoint", "completion", "holder"),  # plain words
    "cost",  # a verb, and of one run, too
    *("shard", "shards"),  # options, headings, rows of a check
}
"""Words with other meanings beside their own in the table or in the workflow. They are found where
the place tells what they mean: in DynamoDB's notation, or read from a row or an assignment."""
ROWS = ("statemachines/causes/", set(Reason))
"""The rows and classes of the cause table have names of their own, some of them the worker's."""
NUMBERS = {
    "steadyspot/names.py",  # DEL is a character.
    "deploy/local/container_init.py",  # What a container's runtime says, whatever the worker does.
}
"""Files in which a number that is an exit code of the worker's too means something else."""
UNIQUE = {
    **{
        text: name
        for text, name in (MESSAGES | COLUMNS | VARIABLES).items()
        if text not in ORDINARY
    },
    **{status.value: f"Status.{status.name}" for status in Status},
    **{reason.value: f"Reason.{reason.name}" for reason in Reason if reason != Reason.FAILED},
    **{capacity.value: f"Capacity.{capacity.name}" for capacity in Capacity},
    **{mode.value: f"CapacityMode.{mode.name}" for mode in CapacityMode},
    logs.METRICS: "logs.METRICS",
    **{variable.value: f"Env.{variable.name}" for variable in Env},
    **{state.value: f"JobState.{state.name}" for state in JobState if " " in state},
    COMPLETION: "COMPLETION",
    FIRST_RUN_KEY: "FIRST_RUN_KEY",
    LAST_RUN_KEY: "LAST_RUN_KEY",
}
"""What no text in the code may be, and what to write instead; a plain word has other meanings."""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module that are not docstrings, formats of f-strings included."""
    tree = ast.parse(source)
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.lineno, node.value


ROWS_AND_ASSIGNMENTS = {"item", "values", "assigned"}
"""What rows of the table and assignments of the workflow are called where they are read."""
REQUESTS = {"request"}
"""What a run request is called where it is made or read."""
TYPES = {"S", "N", "M", "L", "BOOL"}


def keys_of_columns(source: str) -> Iterator[tuple[int, str]]:
    """Yield the keys of values in DynamoDB's notation."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(value, ast.Dict) and any(
                    isinstance(kind, ast.Constant) and kind.value in TYPES for kind in value.keys
                ):
                    yield from _text(key)


def keys_read(source: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield the texts by which a value of one of these names is read, asked for or added to."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(ast.Name(name), slice) if name in names:
                yield from _text(slice)
            case ast.Call(ast.Attribute(ast.Name(name), "get"), [key, *_]) if name in names:
                yield from _text(key)
            case ast.Compare(key, [ast.In() | ast.NotIn()], [ast.Name(name)]) if name in names:
                yield from _text(key)
            case ast.Dict(keys, values) if any(
                key is None and isinstance(value, ast.Name) and value.id in names
                for key, value in zip(keys, values, strict=True)
            ):
                for one in keys:
                    yield from _text(one)


def _text(node: ast.expr | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value


def spelled_out(source: str, names: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return the lines that spell out what the contract names, and its name there."""
    found = [(line, names[text]) for line, text in literals(source) if text in names]
    rows = COLUMNS | VARIABLES
    for line, text in (*keys_of_columns(source), *keys_read(source, ROWS_AND_ASSIGNMENTS)):
        found += [(line, rows[text])] if text in rows else []
    for line, text in keys_read(source, REQUESTS):
        found += [(line, MESSAGES[text])] if text in MESSAGES else []
    return found


def exit_codes(source: str) -> list[tuple[int, str]]:
    """Return the lines that spell out an exit code of the worker's, but 0."""
    codes = {int(code): f"Exit.{code.name}" for code in Exit if code != Exit.FINISHED}
    return [
        (node.lineno, codes[node.value])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in codes
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_literal_stands_beside_the_contract(room: str) -> None:
    found = {}
    for path in ROOMS[room]:
        name = str(path.relative_to(ROOT))
        others = ROWS[1] if name.startswith(ROWS[0]) else set()
        names = {text: here for text, here in UNIQUE.items() if text not in others}
        source = path.read_text("utf-8")
        wrong = spelled_out(source, names)
        wrong += [] if name in NUMBERS else exit_codes(source)
        if wrong:
            found[name] = wrong
    assert found == {}


def test_a_literal_beside_the_contract_is_found_wherever_it_stands() -> None:
    source = '"""STEADYSPOT_JOB"""\nx = {"STEADYSPOT_JOB": f"{y}completion.json"}\n'
    assert spelled_out(source, UNIQUE) == [(2, "Env.JOB"), (2, "COMPLETION")]


def test_an_ordinary_word_is_found_where_it_is_a_column() -> None:
    source = 'x = item.get("status"), {"job": {"S": y}}, assigned["run"], answer["status"], 143\n'
    assert sorted(spelled_out(source, UNIQUE)) == [
        (1, COLUMNS["status"]),
        (1, (COLUMNS | VARIABLES)["job"]),
        (1, VARIABLES["run"]),
    ]
    assert exit_codes(source) == [(1, "Exit.INTERRUPTED")]


def test_an_ordinary_word_is_found_where_it_is_a_key_of_a_run_request() -> None:
    source = 'x = {**request, "redrive": True}, "command" in request, request.get("capacity")\n'
    found = [name for _, name in spelled_out(source, UNIQUE)]
    assert sorted(found) == ["messages.CAPACITY", "messages.COMMAND", "messages.REDRIVE"]


def test_every_word_that_is_allowed_is_one_of_the_contract() -> None:
    assert {*COLUMNS, *VARIABLES, *MESSAGES} > ORDINARY


# --- expressions and templates, which cannot import ---------------------------------------------

EXPRESSIONS = {
    path.stem: re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    for path in sorted((ROOT / "statemachines" / "expressions").glob("*.jsonata"))
}
TEMPLATES = {
    path.name: path.read_text("utf-8")
    for path in sorted((ROOT / "deploy" / "templates").glob("*.yaml"))
}


def jsonata(name: str, values: dict[str, Any], **given: Any) -> Any:
    return evaluate(expression(name, **given).removeprefix("{%").removesuffix("%}"), values)


def named_in_calls(machine: str) -> Iterator[str]:
    """Yield the columns that the table's calls of a definition name."""
    texts = [
        text
        for text in (*EXPRESSIONS.values(), *texts_in(definition(machine)))
        if re.search(r"^SET |attribute_|(=|<>) :| = :\w+|BETWEEN :|completion\.#", text)
    ]
    for text in texts:
        for piece in re.findall(r"'([^']*)'", text) if "$" in text else [text]:
            yield from re.findall(r"(#?[a-z_]+) (?:=|<>|BETWEEN) :", piece)
            yield from re.findall(r"attribute_(?:not_)?exists\((#?\w+)\)", piece)
            yield from re.findall(r"(?:ADD|SET) (#?[a-z_]+) ", piece)


@pytest.mark.parametrize("machine", ["job", "at-the-deadline", "after-the-end"])
def test_calls_of_the_workflow_name_columns_of_the_table(machine: str) -> None:
    found = {name.removeprefix("#") for name in named_in_calls(machine)}
    assert {"status", "execution"} <= found <= set(COLUMNS)


def test_expressions_read_columns_of_the_table() -> None:
    read = {
        column
        for text in EXPRESSIONS.values()
        for column in re.findall(r"\$(?:own|worker)(?:Item|Record)\.(\w+)\.", text)
    }
    assert {columns.STOP_REPORT, columns.STATUS} <= read <= set(COLUMNS)
    fields = {
        columns.STOP_REPORT: records.StopReportColumn,
        columns.PROGRESS: records.ProgressColumn,
        columns.COMPLETION: records.CompletionColumn,
    }
    for text in EXPRESSIONS.values():
        for column, field in re.findall(r"\$?record\.(\w+)\.M\.(\w+)", text):
            assert field in fields[column].__annotations__
    reported = re.findall(r"reported\.(\w+)", EXPRESSIONS["progress"])
    assert set(reported) <= set(records.ProgressColumn.__annotations__)


def test_an_attempt_has_the_fields_that_the_contract_names() -> None:
    begun = set(re.findall(r"^  '(\w+)':", EXPRESSIONS["attemptBegun"], re.MULTILINE))
    verdict = set(re.findall(r"'(\w+)':", EXPRESSIONS["verdict"]))
    assert begun | verdict == set(records.AttemptColumn.__annotations__)


def test_money_has_the_fields_that_the_contract_names() -> None:
    fields = set(re.findall(r"^    '(\w+)':", EXPRESSIONS["money"], re.MULTILINE))
    assert fields == set(records.MoneyColumn.__annotations__)


def schema(name: str) -> dict[str, Any]:
    path = ROOT / "statemachines" / "schemas" / f"{name}.schema.json"
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read


def test_the_schemas_have_the_keys_that_the_contract_names() -> None:
    assert set(schema("run-request")["properties"]) == messages.RUN_REQUEST
    assert set(schema("parked-run")["required"]) == messages.PARKED_RUN
    assert set(schema("parked-run")["properties"]) == messages.PARKED_RUN
    assert set(schema("notification")["required"]) == messages.NOTIFICATION


def test_expressions_read_keys_of_run_requests() -> None:
    written = " ".join(EXPRESSIONS.values())
    read = set(re.findall(r"(?:Execution\.Input|\$request)\.(\w+)", written))
    read |= set(re.findall(r"\$asked(?:Number)?\(\s*'(\w+)'", written))
    assert read == messages.RUN_REQUEST
    for name in ("parkedMessage", "endedParked"):
        added = re.findall(r"\{ '(\w+)': \S+ \}", EXPRESSIONS[name])
        assert added == [messages.REDRIVE, messages.RUN_KEY]
    assert messages.LEFT_OUT not in messages.RUN_REQUEST
    assert f"'{messages.LEFT_OUT}':" in EXPRESSIONS["requestParked"]


@pytest.mark.parametrize("name", ["parkedMessage", "endedParked"])
def test_a_parked_run_has_the_keys_that_the_contract_names(name: str) -> None:
    keys = set(re.findall(r"^ {2,4}'(\w+)':", EXPRESSIONS[name], re.MULTILINE))
    assert keys == messages.PARKED_RUN


def test_notifications_have_the_keys_that_the_contract_names() -> None:
    of_a_run = set(re.findall(r"^  '(\w+)':", EXPRESSIONS["notification"], re.MULTILINE))
    of_an_end = set(re.findall(r"^  '(\w+)':", EXPRESSIONS["endedMessage"], re.MULTILINE))
    assert of_a_run > messages.NOTIFICATION
    assert of_an_end == messages.NOTIFICATION


def test_the_schedule_names_the_key_of_its_time() -> None:
    assert f'"{messages.SCHEDULED_TIME}":"<aws.scheduler' in TEMPLATES["job.yaml"]


def test_the_workflow_makes_the_run_key_that_python_makes() -> None:
    for at in (datetime(2026, 11, 24, 2, 0, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)):
        time = scheduled_time_of(at)
        made = jsonata(
            "keyOfRun",
            {"states": {"context": {"Execution": {"Input": {"scheduledTime": time}, "Name": "n"}}}},
        )
        assert made == run_key_of(time)


def test_the_workflow_names_the_outputs_that_the_worker_writes() -> None:
    given = {"job": {"bucket": "b", "name": "j"}, "run": {"key": "k"}}
    assert jsonata("outputs", given) == f"s3://b/{output_prefix('j', 'k')}"


def test_templates_grant_the_prefixes_of_the_contract() -> None:
    named = {
        place
        for text in TEMPLATES.values()
        for place in re.findall(r"(?:Place}/|- |Prefix: )([a-z]+/)(?:\$|\n)", text)
    }
    known = {checkpoint_prefix("", ""), output_prefix("", ""), input_prefix("")}
    assert named == {f"{prefix.rstrip('/')}/" for prefix in known}


def test_templates_name_the_keys_of_the_table() -> None:
    keys = set(re.findall(r"AttributeName: (\w+)", TEMPLATES["platform.yaml"]))
    read = {columns.IS_OPEN, columns.OPEN_AS}
    assert keys == {columns.JOB, columns.RUN_KEY, columns.DELETE_AT, *read}


def test_templates_and_expressions_name_variables_of_the_environment() -> None:
    named = {name for text in TEMPLATES.values() for name in re.findall(rf"{ENV_PREFIX}\w+", text)}
    told = {
        f"{ENV_PREFIX}{name}"
        for text in EXPRESSIONS.values()
        for name in re.findall(r"'([A-Z_]{5,})':", text)
    }
    assert Env.JOB in named
    assert Env.FENCE in told
    assert named | told <= set(Env)


def test_expressions_name_variables_of_the_contract() -> None:
    assigned: set[str] = set()
    for state in definition("job")["States"].values():
        for one in (state, *state.get("Catch", ()), *state.get("Choices", ())):
            assigned |= set(one.get("Assign", {}))
    assert assigned == set(VARIABLES) - {variables.EARLIER_ATTEMPTS, variables.CLAIMS}
    fields = set(re.findall(r"\$run\.(\w+)", " ".join(EXPRESSIONS.values())))
    assert {variables.EARLIER_ATTEMPTS, variables.CLAIMS} <= fields


def test_what_stands_in_quotes_in_expressions_is_spelled_as_the_contract_does() -> None:
    compared = re.compile(r"(?<!#)(?:status|capacity|workerReason)(?:'?: | = | in \[)'([\w-]+)'")
    words = {word for text in EXPRESSIONS.values() for word in compared.findall(text)}
    executions = {"RUNNING", "ABORTED", "TIMED_OUT", "FAILED"}
    assert words - executions <= {*Status, *Capacity, *CapacityMode, *Reason}
    assert {Status.COMPLETE, Capacity.SPOT} <= words


def test_the_states_are_those_of_the_definitions() -> None:
    job: dict[str, Any] = definition("job")
    assert set(job["States"]) == set(JobState)
    assert set(definition("before-the-start")["States"]) == set(BeforeTheStartState)
    assert set(definition("at-the-deadline")["States"]) == set(AtTheDeadlineState)
    assert set(definition("after-its-time")["States"]) == set(AfterItsTimeState)
    assert set(definition("after-the-end")["States"]) == set(AfterTheEndState)
    assert set(definition("by-mail")["States"]) == set(ByMailState)


def test_the_container_whose_exit_code_counts_has_one_name() -> None:
    task = (ROOT / "deploy" / "templates" / "job.yaml").read_text("utf-8")
    assert f"Name: {WORKER_CONTAINER}\n" in task


def test_the_run_key_of_a_scheduled_time() -> None:
    at = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    assert scheduled_time_of(at) == "2026-11-24T02:00:00Z"
    assert run_key_of(scheduled_time_of(at)) == "20261124T020000Z"
    assert FIRST_RUN_KEY < run_key_of(scheduled_time_of(at)) < LAST_RUN_KEY
