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

_DIRECTLY: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
    **{"<": (int, operator.lt), "<=": (int, operator.le)},
    **{">": (int, operator.gt), ">=": (int, operator.ge)},
    **{"=": (str, operator.eq), "!=": (str, operator.ne), "&": (str, operator.add)},
    **{"+": (int, operator.add), "-": (int, operator.sub), "*": (int, operator.mul)},
    **dict.fromkeys("/%", (type(None), lambda _one, _other: None)),
}
"""What Python does as JSONata would where both sides are of a type, and a number is exact."""

_EXACT = 2**53
"""Below it JSONata's numbers, which are floats, are the same as Python's whole ones."""

_SYMBOLS: dict[type, str] = {
    **{str: "s", bool: "b", int: "n", float: "n", dict: "o", type(None): "m"},
    **{list: "a", Utils.JList: "a", Utils.RangeList: "a"},
    **{Jsonata.JNativeFunction: "f", Jsonata.JLambda: "f"},
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


class _Closure(Parser.Symbol):  # type: ignore[misc]
    """A function that an expression has made, without all that a node of the engine's tree has."""

    type, value, token, position = "lambda", "function", None, 0
    thunk, _jsonata_lambda = False, True

    def __init__(self, node: Any, given: Any, frame: Any) -> None:
        self.input, self.environment = given, frame
        self.arguments, self.signature, self.body = node.arguments, node.signature, node.body
        if node.thunk:
            self.thunk = True


_SYMBOLS[_Closure] = "f"


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
            "name": self._name,
            "unary": self._unary,
            "lambda": self._lambda,
        }
        self._engines: dict[str, Callable[..., Any]] = {
            "wildcard": lambda node, given, _: self.evaluate_wildcard(node, given),
            "descendant": lambda node, given, _: self.evaluate_descendants(node, given),
            "parent": lambda node, _, frame: frame.lookup(node.slot.label),
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

    def apply(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:
        result = self.apply_inner(proc, args, input, environment)
        while isinstance(result, Parser.Symbol) and result.thunk:  # A call in the last place.
            call, given, frame = result.body, result.input, result.environment
            following = self._step(call.procedure)(given, frame)
            if isinstance(following, Parser.Symbol):
                following.position = call.procedure.position
                if call.procedure.type == "variable":
                    following.token = call.procedure.value
            arguments = [self._step(one)(given, frame) for one in call.arguments]
            result = self.apply_inner(following, arguments, input, environment)
        return result

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:
        if isinstance(proc, Parser.Symbol) and proc._jsonata_lambda:
            if proc.signature is not None:
                args = proc.signature.validate(args, input)
            return self.apply_procedure(proc, args)
        if isinstance(proc, Jsonata.JNativeFunction):
            args = _validated(proc.signature, args, input)
            result = proc.method(*args, *(None,) * (proc.nargs - len(args)))
            return Utils.convert_number(result) if Utils.is_numeric(result) else result
        return super().apply_inner(proc, args, input, environment)

    def apply_procedure(self, proc: Any, args: Any) -> Any:
        frame = _Frame(proc.environment)
        for named, given in zip(proc.arguments, args, strict=False):
            frame.bind(named.value, given)
        return self._step(proc.body)(proc.input, frame)

    def evaluate_filter(self, predicate: Any, input: Any, environment: Any) -> Any:
        items = input if isinstance(input, list) else [] if input is None else [input]
        if predicate.type == "number" or getattr(items, "tuple_stream", False):
            return super().evaluate_filter(predicate, input, environment)
        step = self._step(predicate)
        found = Utils.create_sequence()
        for item in items:
            result = step(item, environment)
            if type(result) is not bool:  # It may be numbers, which count the items.
                return super().evaluate_filter(predicate, input, environment)
            if result:
                found.append(item)
        return found

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

    def _name(self, node: Any) -> Step:
        name = str(node.value)

        def step(given: Any, frame: Any) -> Any:
            value = given.get(name) if isinstance(given, dict) else None
            if value is None:
                value = self.evaluate_name(node, given, frame)
            return _whole(value, node)

        return step

    def _unary(self, node: Any) -> Step:
        if node.value == "{":
            return self._object(node)
        if node.value == "[":
            return self._array(node)
        return lambda given, frame: _whole(self.evaluate_unary(node, given, frame), node)

    def _object(self, node: Any) -> Step:
        pairs = [(self._step(key), self._step(value)) for key, value in node.lhs_object]

        def step(given: Any, frame: Any) -> Any:
            if isinstance(given, list):  # Its members are grouped.
                return self.evaluate_group_expression(node, given, frame)
            values: dict[str, Step] = {}
            for key, value in pairs:
                name = key(given, frame)
                if name is None:
                    continue
                if type(name) is not str or name in values:
                    return self.evaluate_group_expression(node, given, frame)
                values[name] = value
            made = {name: value(given, frame) for name, value in values.items()}
            return {name: value for name, value in made.items() if value is not None}

        return step

    def _array(self, node: Any) -> Step:
        steps = [(self._step(one), str(one.value) == "[") for one in node.expressions]

        def step(given: Any, frame: Any) -> Any:
            result = Utils.JList()
            for one, is_array in steps:
                value = one(given, frame)
                if isinstance(value, list) and not is_array:
                    result.extend(value)
                elif value is not None:
                    result.append(value)
            result.cons = bool(node.consarray)
            return result

        return step

    def _lambda(self, node: Any) -> Step:
        return lambda given, frame: _Closure(node, given, frame)

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
        elif sign[0] in "<>":
            engines = self.evaluate_comparison_expression
        else:
            engines = self.evaluate_numeric_expression
        is_number = sign in {"+", "-", "*"}

        def step(given: Any, frame: Any) -> Any:
            one, other = left(given, frame), right(given, frame)
            if type(one) is kind and type(other) is kind:
                result = directly(one, other)
                if not is_number or max(abs(one), abs(other), abs(result)) < _EXACT:
                    return result
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
    if "as_they_are" not in signature.__dict__:
        signature.as_they_are = {}
        signature.looks_into_lists = any(param.subtype for param in signature._params)
    try:
        kinds = known = _kinds(given)
        if signature.looks_into_lists:
            known += str([sorted(set(_kinds(one))) for one in given if isinstance(one, list)])
    except KeyError:
        return signature.validate(given, context)
    if signature.as_they_are.get(known):
        return given
    taken = signature.validate(given, context)
    if known not in signature.as_they_are:
        signature.as_they_are[known] = all(
            found or not param.context
            for param, found in zip(
                signature._params, signature._regex.fullmatch(kinds).groups(), strict=True
            )
        ) and all(one is other for one, other in zip(given, taken, strict=False))
    return taken


def _kinds(values: list[Any]) -> str:
    return "".join([_SYMBOLS[type(value)] for value in values])
