"""JSONata as Step Functions evaluates it: a function from an expression and its variables to JSON.

jsonata-python does the language; what AWS adds (`$parse`, `$hash`, ...) and takes away (`$eval`) is
put on top here. What an expression may see and what becomes of a failure is the interpreter's
business.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils

from steadyspot.deploy.local.programs import Program

TIME_LIMIT_MILLISECONDS = 5_000
"""AWS stops an expression after 1 s; an interpreter in Python on a busy machine gets more."""

_DEPTH_LIMIT = 500
_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


_THE_SAME = {str, int, bool}
"""Types of values that the engine has as they are."""


class ExpressionError(Exception):
    """An expression failed, or came to nothing. The text is a sentence for people."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate one JSONata expression without its ``{% %}``.

    Parameters
    ----------
    variables
        Name without ``$`` to JSON value. None is JSON's null; what is missing is undefined.

    Returns
    -------
    A JSON value in Python's own types; numbers that are whole come out as int.

    Raises
    ------
    ExpressionError
        For every failure of the evaluation, an undefined result, and a result that is no JSON.
    """
    bindings = bindings_of(variables)
    with _lent(expression) as program:
        return result_of(expression, program, bindings)


def fault_of(expression: str) -> str:
    """What is wrong with an expression as it stands; empty if it can be evaluated."""
    try:
        with _lent(expression) as program:
            program()
    except Exception as error:  # the library raises whatever Python raises
        return " ".join(str(error).split()) or type(error).__name__
    return ""


@lru_cache(maxsize=400)
def _idle(_expression: str) -> list[Program]:
    """The programs of an expression that nobody uses at the moment; compiling takes up to 30 ms."""
    return []


@contextmanager
def _lent(expression: str) -> Iterator[Callable[[], Program]]:
    """Lend what gives the program, with limits that begin when it is asked for."""
    idle = _idle(expression)
    used: list[Program] = []

    def program() -> Program:
        try:
            used.append(idle.pop())
        except IndexError:
            used.append(Program(expression))
        used[0].environment.set_runtime_bounds(TIME_LIMIT_MILLISECONDS, _DEPTH_LIMIT)
        return used[0]

    try:
        yield program
    finally:
        idle += used


def bindings_of(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the engine binds: the functions that AWS adds, then JSON values by name."""
    bindings: dict[str, Any] = {name: Jsonata.JLambda(f) for name, f in _FUNCTIONS.items()}
    bindings["eval"] = None
    bindings.update({name: to_jsonata(value) for name, value in variables.items()})
    return bindings


def result_of(expression: str, program: Callable[[], Jsonata], bindings: dict[str, Any]) -> Any:
    """Return what a program comes to as JSON; every failure is an :class:`ExpressionError`."""
    try:
        result = program().evaluate(None, bindings)
    except Exception as error:  # the library raises whatever Python raises, ZeroDivisionError too
        reason = str(error) or type(error).__name__
        raise ExpressionError(f"The JSONata expression '{expression}' failed: {reason}.") from error
    if result is None:
        raise ExpressionError(
            f"The JSONata expression '{expression}' returned nothing (undefined)."
        )
    return _to_json(result, expression)


def json_value(value: Any) -> Any:
    """Make a value of the context object plain JSON: times become ISO text with milliseconds."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    return value


def to_jsonata(value: Any) -> Any:
    """Make a JSON value what the engine has it as."""
    if type(value) in _THE_SAME:
        return value
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, Mapping):
        return {key: to_jsonata(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonata(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # one kind of number, as in JavaScript: $string(2.0) is "2"
    return value


def _to_json(value: Any, expression: str) -> Any:
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError(f"The JSONata expression '{expression}' returned no number.")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): _to_json(item, expression) for key, item in value.items()}
    if isinstance(value, Utils.RangeList):
        return list(range(value.a, value.b + 1))
    if isinstance(value, (list, tuple)):
        return [_to_json(item, expression) for item in value]
    raise ExpressionError(
        f"The JSONata expression '{expression}' returned an unsupported result type."
    )


def _parse(text: str) -> Any:
    return to_jsonata(json.loads(text))


def _partition(array: list[Any], size: float) -> list[Any]:
    step = int(size)
    if step < 1:
        raise ValueError("$partition needs a positive size")
    return [array[start : start + step] for start in range(0, len(array), step)]


def _range(first: float, last: float, step: float) -> list[int]:
    stride = int(step)
    return list(range(int(first), int(last) + (1 if stride > 0 else -1), stride))


def _hash(text: str, algorithm: str) -> str:
    return hashlib.new(_HASHES[algorithm], text.encode()).hexdigest()


def _random(seed: int | None = None) -> float:
    return random.Random(seed).random()


def _uuid() -> str:
    return str(uuid.uuid4())


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "parse": _parse,
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": _uuid,
}
