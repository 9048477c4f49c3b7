"""JSONata as Step Functions evaluates it: a function from an expression and its variables to JSON.

jsonatapy does the language; what AWS adds (`$parse`, `$hash`, ...) and takes away (`$eval`) is put
on top here. AWS names jsonata 2.0.6 as its reference; tests hold the two equal. What an expression
may see and what becomes of a failure is the interpreter's business.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jsonatapy

_TIME_LIMIT_MILLISECONDS = 1_000
_DEPTH_LIMIT = 500
_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
_STRICTLY = """(
    $found := (%s);
    $found & '';  /* no text is made of a number that is not finite */
    $found != $found and $exists($found.**[$type($) = 'function'])
        ? $error('It comes to a function')
        : $found
)"""
"""To the engine what holds a function is not even equal to itself: only then is it looked into."""
_WITH_FRACTIONS = """(
    $fromMillis := (function($engines) {
        function($at, $picture, $zone)<n-s?s?:s> { $engines($at - $at %% 1, $picture, $zone) }
    })($fromMillis);
    %s
)"""
"""The engine's `$fromMillis` refuses a fraction of a millisecond, which AWS's leaves out."""


class ExpressionError(Exception):
    """An expression failed, or came to nothing. The text is a sentence for people."""


def compiled(
    expression: str, moment: Callable[[], datetime] | None = None
) -> jsonatapy.JsonataExpression:
    """Compile an expression for the thread that asks for it; no other may even let go of it.

    Where there is a ``moment``, `$now` and `$millis` tell it instead of the time.
    """
    program = _STRICTLY % expression
    if "$fromMillis" in expression:
        program = _WITH_FRACTIONS % program
    made = jsonatapy.compile(
        program, timeout=_TIME_LIMIT_MILLISECONDS, max_stack_depth=_DEPTH_LIMIT
    )
    for name, function in _FUNCTIONS.items():
        made.register_override(name, function)
    if moment:
        made.register_override("now", lambda: json_value(moment()))
        made.register_override("millis", lambda: round(moment().timestamp() * 1000))
    return made


def evaluate(
    expression: str,
    variables: Mapping[str, Any],
    program: Callable[[str], jsonatapy.JsonataExpression] = compiled,
) -> Any:
    """Evaluate one JSONata expression without its ``{% %}``.

    Parameters
    ----------
    variables
        Name without ``$`` to JSON value. None is JSON's null; what is missing is undefined.
    program
        What compiles the expression, or has kept it compiled.

    Returns
    -------
    A JSON value in Python's own types; numbers that are whole come out as int.

    Raises
    ------
    ExpressionError
        For every failure of the evaluation, an undefined result, and a result that is no JSON.
    """
    text, failure = None, fault_of(expression)
    if not failure:
        text, failure = _come_to(expression, {"eval": None, **variables}, program)
    if failure:
        raise ExpressionError(f"The JSONata expression '{expression}' failed: {failure}.")
    if text is None:
        raise ExpressionError(
            f"The JSONata expression '{expression}' returned nothing (undefined)."
        )
    return _JSON.decode(text)


@lru_cache(maxsize=1_000)
def fault_of(expression: str) -> str:
    """What is wrong with an expression as it stands; empty if it can be evaluated."""
    try:
        jsonatapy.compile(expression)
    except ValueError as error:
        return _said(error)
    return ""


def _come_to(
    expression: str,
    bindings: dict[str, Any],
    program: Callable[[str], jsonatapy.JsonataExpression],
) -> tuple[str | None, str]:
    """The JSON that it comes to, if any, and why it failed.

    It raises nothing: an error would take what is compiled along, maybe to another thread.
    """
    try:
        made = program(expression)
        try:
            return made.evaluate_json_or_none(None, bindings), ""
        except OverflowError:  # a whole number that is larger than the engine takes as such
            bindings = json.loads(json.dumps(bindings), parse_int=float)
            return made.evaluate_json_or_none(None, bindings), ""
    except Exception as error:  # the engine's, or what a value of Python cannot be made
        return None, _said(error)


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


_JSON = json.JSONDecoder(parse_float=_number)


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


def _parse(text: str, *_: Any) -> Any:
    return json.loads(text, parse_int=float)  # of any size, and those that are whole come out so


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


def _uuid(*_: Any) -> str:
    return str(uuid.uuid4())


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "parse": _parse,
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": _uuid,
}
