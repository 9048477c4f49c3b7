"""The rendered definitions: equal to the code, readable, and made of expressions that compile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonata
import pytest
from jsonschema import Draft202012Validator

from steadyspot.deploy.local.cloudformation.text import parsed
from steadyspot.deploy.stacks.changes import definitions
from steadyspot.statemachines.pieces import NAMES
from steadyspot.statemachines.render import DEFINITIONS, ROOM, TEMPLATES, definition, filled, pretty


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_the_console_shows_is_what_the_code_says(name: str) -> None:
    assert (ROOM / "rendered" / f"{name}.asl.json").read_text() == pretty(name), "make render"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_templates_carry_the_same_definitions(path: Path) -> None:
    assert path.read_text() == filled(path.read_text()), "make render"


def carried(path: Path) -> dict[str, Any]:
    """The definition that a template carries, every named piece put in its place."""
    (found,) = definitions(path.read_text()).values()
    return found


@pytest.mark.parametrize(("name", "path"), list(zip(DEFINITIONS, TEMPLATES, strict=True)))
def test_what_a_template_carries_is_written_out_beside_the_code(name: str, path: Path) -> None:
    assert carried(path) == definition(name)


def test_fn_sub_makes_of_the_template_what_is_written_out() -> None:
    """By the rules of ``Fn::Sub``: once, and not into what it has put in."""
    template = parsed(TEMPLATES[0].read_text())
    text, given = template["Resources"]["StateMachine"]["Properties"]["DefinitionString"]["Fn::Sub"]
    own = {*template["Parameters"], *template["Resources"]}

    def substituted(value: Any, names: dict[str, Any]) -> str:
        def put(found: re.Match[str]) -> str:
            name = found[1]
            value = names.get(name)
            if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), list):
                return substituted(value["Fn::Sub"][0], value["Fn::Sub"][1])
            if isinstance(value, dict) and name not in NAMES:
                return substituted(value["Fn::Sub"], {})
            if isinstance(value, str):
                return value
            assert name in own or name in names or name.startswith("AWS::"), (
                f"{name} is no name of the template"
            )
            return found[0]

        return re.sub(r"\$\{([\w:]+)\}", put, value)

    assert json.loads(substituted(text, given)) == definition("job")
    plain = [value for value in given.values() if isinstance(value, str)]
    assert not [piece for piece in plain if "${" in piece]


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from expressions(item)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value.removeprefix("{%").removesuffix("%}")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_expression_compiles_once_its_defaults_are_substituted(name: str) -> None:
    found = list(expressions(definition(name)))

    assert found
    for text in found:
        jsonata.Jsonata(re.sub(r"\$\{\w+\}", "1", text))


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
