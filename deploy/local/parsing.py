"""How the embedded AWS reads definitions: as moto does, but each state once, and its data never.

moto's parser goes through a text character by character, 0.8 s for the workflow of a job, and each
job has its own. So data and expressions, most of the text, are put aside, where the components that
come out (`language.py`) take them from.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.program.states import States
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

left_out: dict[str, Any] = {}
"""Expressions, and data that an `Assign` holds, by the text that is read in their place."""


class RememberingParser(AmazonStateLanguageParser):
    """moto's parser, which reads a state once.

    The machines of jobs differ in one state alone, of which most is the cause table. The components
    that come out hold no state of an execution. What is no definition is left to moto's parser as a
    whole, which says what is wrong.
    """

    @staticmethod
    @lru_cache(maxsize=64)
    def parse(definition: str) -> tuple[Any, Any]:
        try:
            machine = json.loads(definition, object_pairs_hook=_once)
            parts = [
                _part(machine, {name: _without_expressions(_without_data(state))})
                for name, state in machine["States"].items()
            ]
            first, tree = parts[0]
        except Exception:  # Whatever it is, moto's parser says it of the whole.
            return AmazonStateLanguageParser.parse(definition)
        read = States()
        for program, _ in parts:
            read.states |= program.states.states
        whole = Program(
            first.query_language,
            first.start_at,
            read,
            first.timeout_seconds,
            first.comment,
            first.version,
        )
        return whole, tree


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("A name stands twice.")
    return dict(pairs)


def _without_data(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a state assigns as it stands: the parser needs 10 ms for a row of a table."""
    bare = dict(state)
    for field in ("Catch", "Choices"):
        if field in bare:
            bare[field] = [_without_data(rule) for rule in bare[field]]
    if "Assign" in bare:
        bare["Assign"] = {name: _put_aside(name, it) for name, it in bare["Assign"].items()}
    return bare


def _put_aside(name: str, given: Any) -> Any:
    if not _is_data({name: given}) or isinstance(given, (bool, int, float)) or given is None:
        return given
    return _aside(json.dumps(given), given)


def _aside(text: str, given: Any) -> str:
    aside = f"left-out-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    left_out[aside] = given
    return aside


def _without_expressions(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: item if name == "Comment" else _without_expressions(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_expressions(item) for item in value]
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        expression = value[2:-2].strip()
        return f"{{%{_aside(expression, expression)}%}}"
    return value


def _is_data(value: Any) -> bool:
    """Return whether nothing in it is an expression, of JSONata or as JSONPath's names tell one."""
    if isinstance(value, dict):
        return all(not name.endswith(".$") and _is_data(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_data, value))
    return not isinstance(value, str) or not value.startswith("{%")


def _part(machine: dict[str, Any], states: dict[str, Any]) -> tuple[Any, Any]:
    bare = {**machine, "States": states}
    return _parsed(json.dumps(bare, ensure_ascii=False, separators=(",", ":")))


@lru_cache(maxsize=1024)
def _parsed(definition: str) -> tuple[Any, Any]:
    parsed: tuple[Any, Any] = AmazonStateLanguageParser.parse(definition)
    return parsed
