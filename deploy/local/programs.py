"""Compiled JSONata expressions: jsonata-python, with its most frequent steps taken in less time.

The engine walks its tree and asks at every node what kind it is. A ``Program`` makes a function of
each node the first time it is met: own ones for the kinds that most time goes into, the engine's
method for all others. What they come to is the engine's; a test holds the two equal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.parser import Parser
from jsonata.utils import Utils

Step = Callable[[Any, Any], Any]
"""What evaluates a node: from the input and the scope to a value."""

_HOOKS = {"__evaluate_entry", "__evaluate_exit"}
"""By these names the engine's limits of time and depth are bound."""

_DIRECTLY: dict[str, tuple[type, Callable[[Any, Any], Any]]] = {
    **{"<": (int, operator.lt), "<=": (int, operator.le)},
    **{">": (int, operator.gt), ">=": (int, operator.ge)},
    **{"=": (str, operator.eq), "!=": (str, operator.ne), "&": (str, operator.add)},
    **dict.fromkeys("+-*/%", (type(None), lambda _one, _other: None)),
}
"""What Python does as JSONata would where both sides are of a type."""

_SYMBOLS: dict[type, str] = {
    **{str: "s", bool: "b", int: "n", float: "n", dict: "o", type(None): "m"},
    **{list: "a", Utils.JList: "a", Utils.RangeList: "a"},
}
"""The letters by which signatures of functions tell types."""


class _Frame(Jsonata.Frame):  # type: ignore[misc]
    """A scope that finds names as the engine's does, in half the time."""

    def __init__(self, parent: Any) -> None:
        self.bindings: dict[str, Any] = {}
        self.parent = parent
        self.is_parallel_call = False
        self.hooks: dict[str, Any] = getattr(parent, "hooks", {})

    def bind(self, name: str, val: Any) -> None:
        if name in _HOOKS:
            self.hooks = {**self.hooks, name: val}
        self.bindings[name] = val
        if isinstance(val, (Parser.Symbol, Jsonata.JFunction)) and val.signature is not None:
            val.signature.set_function_name(name)

    def lookup(self, name: str) -> Any:
        frame: Any = self
        while frame is not None:
            if name in frame.bindings:
                return frame.bindings[name]
            frame = frame.parent
        return None


class Program(Jsonata):  # type: ignore[misc]
    """A compiled expression, for one thread at a time; nulls are told from what is undefined.

    It keeps no context for ``$eval``, which AWS does not have.
    """

    def __init__(self, expression: str) -> None:
        super().__init__(expression)
        self.set_output_convert_nulls(False)
        self._own: dict[str, Callable[[Any], Step]] = {
            "variable": self._variable,
            "path": self._path,
            "binary": self._binary,
            "condition": self._condition,
            "block": self._block,
            "bind": self._bind,
            "function": self._function,
        }
        self._engines: dict[str, Callable[..., Any]] = {
            "unary": self.evaluate_unary,
            "name": self.evaluate_name,
            "wildcard": lambda node, given, _: self.evaluate_wildcard(node, given),
            "descendant": lambda node, given, _: self.evaluate_descendants(node, given),
            "parent": lambda node, _, frame: frame.lookup(node.slot.label),
            "lambda": self.evaluate_lambda,
            "partial": self.evaluate_partial_application,
            "apply": self.evaluate_apply_expression,
            "transform": self.evaluate_transform_expression,
        }

    def evaluate(self, *given: Any) -> Any:
        """Evaluate it now: `$millis` asks the program that is the thread's current one."""
        Jsonata.CURRENT.jsonata = self
        return super().evaluate(*given)

    def create_frame(self, enclosing_environment: Any = None) -> Jsonata.Frame:
        return _Frame(enclosing_environment)

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:
        return self._step(expr)(input, environment)

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:
        if isinstance(proc, Parser.Symbol) and proc._jsonata_lambda:
            if proc.signature is not None:
                args = proc.signature.validate(args, input)
            return self.apply_procedure(proc, args)
        if isinstance(proc, Jsonata.JNativeFunction):
            return proc.call(input, _validated(proc.signature, args, input))
        return super().apply_inner(proc, args, input, environment)

    def _step(self, node: Any) -> Step:
        try:
            step: Step = node.step
        except AttributeError:
            step = node.step = self._made(node)
        return step

    def _made(self, node: Any) -> Step:
        kind = node.type
        if kind in {"string", "number", "value", "regex"}:
            value = Utils.NULL_VALUE if node.value is None else node.value
            step: Step = lambda _input, _frame: value  # noqa: E731
        elif kind in self._own:
            step = self._own[kind](node)
        else:
            engines = self._engines[kind]
            step = lambda given, frame: _whole(engines(node, given, frame), node)  # noqa: E731
        if node.predicate or (node.group is not None and kind != "path"):
            step = self._narrowed(step, node)
        return _watched(step, node) if self.environment.hooks else step

    def _narrowed(self, made: Step, node: Any) -> Step:
        """What a predicate or a group makes of a node's value."""

        def step(given: Any, frame: Any) -> Any:
            result = made(given, frame)
            for item in node.predicate or ():
                result = self.evaluate_filter(item.expr, result, frame)
            if node.group is not None and node.type != "path":
                result = self.evaluate_group_expression(node.group, result, frame)
            return _whole(result, node)

        return step

    def _variable(self, node: Any) -> Step:
        if node.value == "":
            return lambda given, frame: _whole(self.evaluate_variable(node, given, frame), node)
        name = str(node.value)

        def step(_given: Any, frame: Any) -> Any:
            while frame is not None:
                if name in frame.bindings:
                    return _whole(frame.bindings[name], node)
                frame = frame.parent
            return None

        return step

    def _path(self, node: Any) -> Step:
        def engines(given: Any, frame: Any) -> Any:
            return _whole(self.evaluate_path(node, given, frame), node)

        if not _is_plain(node):
            return engines
        first = node.steps[0]
        names = [str(step.value) for step in node.steps if step.type == "name"]
        start = None if first.type == "name" else self._step(first)

        def step(given: Any, frame: Any) -> Any:
            value = start(given, frame) if start else given
            for name in names:
                if isinstance(value, list):  # Its members are looked into, one by one.
                    return engines(given, frame)
                if not isinstance(value, dict):
                    return None
                value = value.get(name)
            return engines(given, frame) if isinstance(value, Utils.JList) else value

        return step

    def _binary(self, node: Any) -> Step:
        sign = str(node.value)
        if sign in {"and", "or"}:
            return _joined(self._step(node.lhs), self._step(node.rhs), decided=sign == "or")
        if sign not in _DIRECTLY:
            return lambda given, frame: _whole(self.evaluate_binary(node, given, frame), node)
        left, right = self._step(node.lhs), self._step(node.rhs)
        kind, directly = _DIRECTLY[sign]
        if sign == "&":
            engines = self._joined_text
        elif sign in {"=", "!="}:
            engines = self.evaluate_equality_expression
        elif kind is int:
            engines = self.evaluate_comparison_expression
        else:
            engines = self.evaluate_numeric_expression

        def step(given: Any, frame: Any) -> Any:
            one, other = left(given, frame), right(given, frame)
            if type(one) is kind and type(other) is kind:
                return directly(one, other)
            return engines(one, other, sign)

        return step

    def _joined_text(self, one: Any, other: Any, _sign: str) -> Any:
        return self.evaluate_string_concat(one, other)

    def _condition(self, node: Any) -> Step:
        condition, then = self._step(node.condition), self._step(node.then)
        other = self._step(node._else) if node._else is not None else None

        def step(given: Any, frame: Any) -> Any:
            if _is_true(condition(given, frame)):
                return _whole(then(given, frame), node)
            return _whole(other(given, frame), node) if other else None

        return step

    def _block(self, node: Any) -> Step:
        steps = [self._step(one) for one in node.expressions]

        def step(given: Any, frame: Any) -> Any:
            scope = _Frame(frame)
            result = None
            for one in steps:
                result = one(given, scope)
            return _whole(result, node)

        return step

    def _bind(self, node: Any) -> Step:
        value, name = self._step(node.rhs), str(node.lhs.value)

        def step(given: Any, frame: Any) -> Any:
            result = value(given, frame)
            frame.bind(name, result)
            return _whole(result, node)

        return step

    def _function(self, node: Any) -> Step:
        called = node.procedure
        arguments = [self._step(one) for one in node.arguments or ()]
        find = self._step(called)

        def step(given: Any, frame: Any) -> Any:
            function = find(given, frame)
            if function is None or called.type != "variable":
                result = self.evaluate_function(node, given, frame, Utils.NONE)
                return _whole(result, node)
            try:
                if isinstance(function, Parser.Symbol):
                    function.token, function.position = called.value, node.position
                result = self.apply(
                    function, [one(given, frame) for one in arguments], given, frame
                )
            except JException as error:
                if error.location < 0:
                    error.location = node.position
                if error.current is None:
                    error.current = node.token
                raise
            return _whole(result, node)

        return step


def _is_plain(path: Any) -> bool:
    """Return whether a path is names, one below the other, of a variable or of the input."""
    first, *others = path.steps
    return (
        not path.keep_singleton_array
        and path.group is None
        and path.tuple is None
        and first.type in {"name", "variable"}
        and first.value != ""
        and all(step.type == "name" for step in others)
        and not any(
            step.stages or step.predicate or step.group or step.tuple or step.focus or step.index
            for step in path.steps
        )
    )


def _joined(left: Step, right: Step, *, decided: bool) -> Step:
    """`and`, which is decided where one side is false, or `or`."""

    def step(given: Any, frame: Any) -> Any:
        if _is_true(left(given, frame)) is decided:
            return decided
        return _is_true(right(given, frame))

    return step


def _watched(made: Step, node: Any) -> Step:
    """Let the limits of time and depth see the step."""

    def step(given: Any, frame: Any) -> Any:
        hooks = frame.hooks
        if hooks:
            hooks["__evaluate_entry"](node, given, frame)
        result = made(given, frame)
        if hooks:
            hooks["__evaluate_exit"](node, given, frame, result)
        return result

    return step


def _whole(result: Any, node: Any) -> Any:
    """A node's value: of a sequence of one the one, of an empty sequence nothing."""
    if not isinstance(result, Utils.JList) or not result.sequence or result.tuple_stream:
        return result
    if node.keep_array:
        result.keep_singleton = True
    if not result:
        return None
    return result[0] if len(result) == 1 and not result.keep_singleton else result


def _is_true(value: Any) -> bool:
    return value if type(value) is bool else bool(Jsonata.boolize(value))


def _validated(signature: Any, given: list[Any], context: Any) -> Any:
    """The arguments as a function takes them; where their types alone decide, it is remembered."""
    try:
        kinds = "".join([_SYMBOLS[type(value)] for value in given])
    except KeyError:
        return signature.validate(given, context)
    as_they_are = signature.__dict__.setdefault("as_they_are", {})
    if as_they_are.get(kinds):
        return given
    taken = signature.validate(given, context)
    if kinds not in as_they_are:
        as_they_are[kinds] = (
            not any(param.subtype for param in signature._params)
            and all(
                found or not param.context
                for param, found in zip(
                    signature._params, signature._regex.fullmatch(kinds).groups(), strict=True
                )
            )
            and all(one is other for one, other in zip(given, taken, strict=False))
        )
    return taken
