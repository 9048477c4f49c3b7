"""The rendered definitions: equal to the code, readable, and made of expressions that compile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator

from steadyspot.deploy.local.expressions import evaluate, fault_of
from steadyspot.statemachines.composing import _TOKENS, FOLDER, library
from steadyspot.statemachines.render import DEFINITIONS, definition, path_of, rendered
from tests.unit.texts import texts_in


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_is_deployed_is_what_the_code_says(name: str) -> None:
    text = path_of(name).read_text("utf-8")
    assert text == rendered(name), "make render"
    assert yaml.safe_load(text) == definition(name)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_is_substituted_stands_in_double_quotes(name: str) -> None:
    """CloudFormation puts it into the text before it parses that: a job may be called ``no``."""
    events = yaml.parse(path_of(name).read_text("utf-8"))
    scalars = [event for event in events if isinstance(event, yaml.ScalarEvent)]
    assert {event.style for event in scalars if "${" in event.value} <= {'"'}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_cloudformation_takes_the_file_for_yaml(name: str) -> None:
    """It tries JSON first, and is content where the text only begins with a value of JSON."""
    with pytest.raises(json.JSONDecodeError):
        json.JSONDecoder().raw_decode(path_of(name).read_text("utf-8"))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_person_can_read_it(name: str) -> None:
    lines = path_of(name).read_text("utf-8").splitlines()
    assert max(map(len, lines)) <= 120
    assert all("\n" not in text for text in expressions(definition(name)))


def test_every_expression_says_what_it_is_and_takes_parameters_from_the_job_alone() -> None:
    for path in FOLDER.glob("*.jsonata"):
        assert library()[path.stem].comment.endswith("."), path.name
        assert "${" not in path.read_text("utf-8"), path.name


@cache
def is_function(name: str) -> bool:
    """Whether JSONata has a function of the name, or Step Functions adds one."""
    return bool(evaluate(f"$type(${name}) = 'function'", {}))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_name_is_a_variable_that_something_assigns_or_is_bound_before(name: str) -> None:
    """JSONata takes a name that nobody has given a value for nothing at all."""
    known = {"states", *assigned(definition(name))}
    for text in expressions(definition(name)):
        bare = "".join(each[0] for each in _TOKENS.finditer(text) if each[0][0] not in "'\"/")
        parameters = " ".join(re.findall(r"function\(([^)]*)\)", bare))
        bound = {*re.findall(r"\$(\w+)\s*:=", bare), *re.findall(r"\$(\w+)", parameters)}
        named = {*re.findall(r"\$([A-Za-z]\w*)", bare)} - known - bound
        assert [one for one in named if not is_function(one)] == [], text


def assigned(value: Any) -> Iterator[str]:
    """Yield the names of all variables that are assigned anywhere."""
    if isinstance(value, dict):
        yield from value.get("Assign", {})
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from assigned(each)


def expressions(value: Any) -> Iterator[str]:
    for text in texts_in(value):
        if text.startswith("{%"):
            yield text.removeprefix("{%").removesuffix("%}")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_expression_compiles_once_its_defaults_are_substituted(name: str) -> None:
    found = list(expressions(definition(name)))

    assert found
    for text in found:
        assert fault_of(re.sub(r"\$\{\w+\}", "1", text)) == "", text


@pytest.mark.parametrize("name", DEFINITIONS)
def test_choices_decide_by_rules_alone_and_tasks_have_an_end(name: str) -> None:
    for state in definition(name)["States"].values():
        if state["Type"] == "Choice":
            assert "Assign" not in state, "its meaning beside that of a rule is not settled"
        if state["Type"] == "Task":
            assert state["TimeoutSeconds"]


def test_a_launch_on_spot_names_a_strategy_and_no_launch_type() -> None:
    spot = definition("job")["States"]["Run on Fargate Spot"]["Arguments"]
    on_demand = definition("job")["States"]["Run on on-demand Fargate"]["Arguments"]

    assert spot["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
    assert "LaunchType" not in spot
    assert on_demand["LaunchType"] == "FARGATE"
    assert "CapacityProviderStrategy" not in on_demand


@pytest.mark.parametrize("name", ["run-request", "notification", "parked-run", "completion"])
def test_the_schemas_are_schemas(name: str) -> None:
    text = (
        resources.files("steadyspot.statemachines") / "schemas" / f"{name}.schema.json"
    ).read_text()

    Draft202012Validator.check_schema(json.loads(text))
