"""The contract is the one place for what it names: nothing of it is spelled out beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import COMPLETION, WORKER_CONTAINER, Env
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY, run_key_of, scheduled_time_of
from steadyspot.contract.states import AfterTheEndState, JobState
from steadyspot.statemachines.render import definition

ROOT = Path(__file__).parents[2]
ROOMS = {
    "the API": list((ROOT / "steadyspot").glob("*.py")),
    "worker": list((ROOT / "worker").rglob("*.py")),
    "deploy": list((ROOT / "deploy").rglob("*.py")),
    "statemachines": list((ROOT / "statemachines").rglob("*.py")),
}
UNIQUE = {
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


def spelled_out(source: str, names: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return the lines that spell out what the contract names, and its name there."""
    return [(line, names[text]) for line, text in literals(source) if text in names]


@pytest.mark.parametrize("room", ROOMS)
def test_no_literal_stands_beside_the_contract(room: str) -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in ROOMS[room]
        if (wrong := spelled_out(path.read_text("utf-8"), UNIQUE))
    }
    assert found == {}


def test_a_literal_beside_the_contract_is_found_wherever_it_stands() -> None:
    source = '"""STEADYSPOT_JOB"""\nx = {"STEADYSPOT_JOB": f"{y}completion.json"}\n'
    assert spelled_out(source, UNIQUE) == [(2, "Env.JOB"), (2, "COMPLETION")]


def test_the_states_are_those_of_the_definitions() -> None:
    job: dict[str, Any] = definition("job")
    assert set(job["States"]) == set(JobState)
    assert set(definition("after-the-end")["States"]) == set(AfterTheEndState)


def test_the_container_whose_exit_code_counts_has_one_name() -> None:
    task = (ROOT / "deploy" / "templates" / "job.yaml").read_text("utf-8")
    assert f"Name: {WORKER_CONTAINER}\n" in task


def test_the_run_key_of_a_scheduled_time() -> None:
    at = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    assert scheduled_time_of(at) == "2026-11-24T02:00:00Z"
    assert run_key_of(scheduled_time_of(at)) == "20261124T020000Z"
    assert FIRST_RUN_KEY < run_key_of(scheduled_time_of(at)) < LAST_RUN_KEY
