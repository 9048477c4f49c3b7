"""The Amazon States Language where moto's interpreter reads it differently from AWS.

moto parses a definition with a visitor into components that evaluate themselves; the visitor here
puts components of our own in the places that matter: JSONata with real variables, failures of an
expression as `States.QueryEvaluationError`, waits that end when the execution does, and what
`States.ALL` leaves out. What single services do is in `integrations.py` and `run_task.py`; that a
definition is read only once, in `parsing.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, NoReturn, cast

from moto.stepfunctions.parser.api import (
    EvaluationFailedEventDetails,
    ExecutionFailedEventDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.common.assign.assign_decl_binding import (
    AssignDeclBinding,
)
from moto.stepfunctions.parser.asl.component.common.assign.assign_template_value_terminal import (
    AssignTemplateValueTerminal,
    AssignTemplateValueTerminalLit,
)
from moto.stepfunctions.parser.asl.component.common.catch.catcher_decl import CatcherDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import (
    MaxAttemptsOutcome,
)
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import (
    TimeoutSeconds,
    TimeoutSecondsJSONata,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import (
    ConditionStringJSONata,
)
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import Resource
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.state_props import StateProps
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import (
    Seconds,
    SecondsJSONata,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from steadyspot.deploy.local.arguments import call_of, faults
from steadyspot.deploy.local.expressions import ExpressionError, evaluate, json_value
from steadyspot.deploy.local.parsing import left_out
from steadyspot.deploy.local.shapes import compact_json
from steadyspot.deploy.local.validating import LARGEST_DATA, LARGEST_NUMBER

_IN_TASK: Final = "steadyspot.in-task"
"""Mark on an environment: a Task is evaluated, whose handler writes failures into the history."""

_UNCATCHABLE: Final = ("States.Runtime", "States.DataLimitExceeded")
_LARGEST_VARIABLES: Final = 10 * 1024 * 1024
"""Bytes of all variables of an execution together."""
_WAIT_SLICE_SECONDS: Final = 0.25


def event_details(**details: Any) -> EventDetails:
    """The details of an event in the history: one field, though moto's type asks for all."""
    return cast(EventDetails, details)


def fail_evaluation(env: Environment, cause: str) -> NoReturn:
    """End the evaluation with `States.QueryEvaluationError`, for Retry and Catch of a Task.

    In a Task the handler of failures adds `EvaluationFailed` to the history; elsewhere it is added
    here.
    """
    error_name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    failure = FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=error_name,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=event_details(
                evaluationFailedEventDetails=EvaluationFailedEventDetails(
                    state=env.next_state_name or "", cause=cause, error=error_name.error_name
                )
            ),
        )
    )
    if _IN_TASK not in env.heap:
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=event_details(
                evaluationFailedEventDetails=failure.get_evaluation_failed_event_details()
            ),
        )
    raise failure


def end_execution(env: Environment, kind: StatesErrorNameType, cause: str) -> NoReturn:
    """End the execution with an error that no `States.ALL` catches."""
    error_name = StatesErrorName(typ=kind)
    raise FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=error_name,
            event_type=HistoryEventType.TaskFailed,
            event_details=event_details(
                executionFailedEventDetails=ExecutionFailedEventDetails(
                    error=error_name.error_name, cause=cause
                )
            ),
        )
    )


def refuse_large(env: Environment, value: Any, what: str, limit: int = LARGEST_DATA) -> None:
    """End the execution where a value is larger than AWS carries along."""
    if len(compact_json(value).encode()) > limit:
        end_execution(
            env,
            StatesErrorNameType.StatesStatesDataLimitExceeded,
            f"The state/task '{env.next_state_name}' {what} with a size exceeding the maximum "
            "number of bytes service limit.",
        )


class BoundJSONata(StringJSONata):
    """A `{% expression %}` that sees `$states` and the variables as values, not as source text.

    moto writes the values into the expression, unescaped: a Cause, which is JSON, breaks it.
    """

    def _eval_body(self, env: Environment) -> None:
        try:
            env.stack.append(evaluate(self.expression, _variables(env, self.expression)))
        except ExpressionError as error:
            fail_evaluation(env, str(error))


def _variables(env: Environment, expression: str) -> dict[str, Any]:
    store = env.variable_store
    assigned = {**store._outer_scope, **store._inner_scope}
    variables = {name: value for name, value in assigned.items() if f"${name}" in expression}
    if "$states" in expression:
        states = env.states._states_data
        visible = {"input": states["input"], "context": _context(states["context"])}
        for key in ("result", "errorOutput"):
            # null where there is none, so an expression that looks at it would not fail
            if states.get(key) is not None:
                visible[key] = states.get(key)
        variables["states"] = visible
    return variables


def _context(data: Mapping[str, Any]) -> Any:
    context = json_value(data)
    if state := context.get("State"):
        state["EnteredTime"] = json_value(datetime.fromisoformat(state["EnteredTime"]))
    return context


class BooleanCondition(ConditionStringJSONata):
    """A Choice's condition. Anything but true or false is an error, as on AWS."""

    def _eval_body(self, env: Environment) -> None:
        self.string_jsonata.eval(env=env)
        if not isinstance(env.stack[-1], bool):
            expression = self.string_jsonata.literal_value
            fail_evaluation(env, _unexpected(expression, "Condition", "boolean"))


class PositiveTimeout(TimeoutSecondsJSONata):
    """`TimeoutSeconds` as an expression: a positive whole number within its limit, or an error."""

    def _eval_seconds(self, env: Environment) -> int:
        self.string_jsonata.eval(env=env)
        return _whole(env, self.string_jsonata.literal_value, "TimeoutSeconds", at_least=1)


class LimitedBindings(EvalComponent):
    """All bindings of an `Assign` as one, within AWS's limits."""

    def __init__(self, bindings: list[AssignDeclBinding]) -> None:
        super().__init__()
        self._bindings = bindings

    def _eval_body(self, env: Environment) -> None:
        assigned: dict[str, Any] = {}
        for binding in self._bindings:
            binding.eval(env)
            assigned.update(env.stack.pop())
        refuse_large(env, assigned, "assigned variables")
        store = env.variable_store
        known = {**store._outer_scope, **store._inner_scope, **assigned}
        refuse_large(env, known, "led to variables", _LARGEST_VARIABLES)
        env.stack.append(assigned)


class _PunctualWait:
    """Waits to the second that was asked for, and stops when the execution is stopped.

    moto listens for a signal that is set and cleared at once, and waits on if it was not listening.
    """

    def _wait_interval(self, env: Environment, wait_seconds: int) -> None:
        _wait_while_running(env, wait_seconds)


def _wait_while_running(env: Environment, seconds: float) -> None:
    until = time.monotonic() + seconds
    while env.is_running() and (left := until - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, _WAIT_SLICE_SECONDS))


class LiteralWait(_PunctualWait, Seconds):
    """`Seconds` as a number."""


class ExpressionWait(_PunctualWait, SecondsJSONata):
    """`Seconds` as an expression: a whole number, not negative, or an error."""

    def _get_wait_seconds(self, env: Environment) -> int:
        self.string_jsonata.eval(env=env)
        return _whole(env, self.string_jsonata.literal_value, "Seconds", at_least=0)


def _whole(env: Environment, expression: str, field: str, at_least: int) -> int:
    value = env.stack.pop()
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        fail_evaluation(env, _unexpected(expression, field, "integer"))
    if value > LARGEST_NUMBER:
        fail_evaluation(
            env,
            f"The JSONata expression '{expression}' specified for the field '{field}' returned a "
            f"value that is out of range: at most {LARGEST_NUMBER}.",
        )
    return value


def _unexpected(expression: str, field: str, expected: str) -> str:
    return (
        f"The JSONata expression '{expression}' specified for the field '{field}' returned an "
        f"unexpected result type. Expected '{expected}'."
    )


class CatchableErrors(ErrorEqualsDecl):
    """`ErrorEquals` with AWS's limits: `States.ALL` leaves out what ends an execution in any case.

    `States.Runtime` is never caught, `States.DataLimitExceeded` only by name; `States.TaskFailed`
    stands for every name but `States.Timeout`.
    """

    def _eval_body(self, env: Environment) -> None:
        error_name: ErrorName | None = env.stack.pop()
        name = error_name.error_name if error_name else None
        names = [str(wanted.error_name) for wanted in self.error_names]
        env.stack.append(error_matches(name, names))


def error_matches(name: str | None, names: Collection[str]) -> bool:
    """Whether an error is one of those that a Retrier or a Catcher names."""
    if name == "States.Runtime":
        return False
    if name in names:
        return True
    wildcard = "States.ALL" in names or ("States.TaskFailed" in names and name != "States.Timeout")
    return wildcard and name not in _UNCATCHABLE


class PunctualRetrier(RetrierDecl):
    """A Retrier whose back-off ends with the execution; moto sleeps through a stop."""

    def _eval_body(self, env: Environment) -> None:
        self.error_equals.eval(env)
        if not env.stack.pop():
            env.stack.append(RetrierOutcome.Skipped)
            return
        self.max_attempts.eval(env)
        if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
            env.stack.append(RetrierOutcome.Failed)
            return
        self.interval_seconds.eval(
            env
        )  # puts seconds on the stack; each of the others changes them
        for change in (self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
            change.eval(env)
        _wait_while_running(env, env.stack.pop())
        env.stack.append(RetrierOutcome.Executed)


class _OutputIsSet:
    """On the stack of an environment: the Task's Output is already evaluated."""


class AwsTask(ExecutionState):
    """What every Task does on AWS and not in moto; mixed into moto's class of each service.

    Output is evaluated where Retry and Catch still apply, and a task that was stopped together with
    its execution adds nothing to the history any more.
    """

    def _eval_parameters(self, env: Environment) -> Any:
        """What the Arguments come to. moto drops what it does not know; AWS ends the execution."""
        task: Any = self
        arguments: Any = {}
        if task.parargs is not None:
            task.parargs.eval(env=env)
            arguments = env.stack.pop()
        refuse_large(env, arguments, "has Arguments")
        call = call_of(task.resource.resource_arn)
        if call is not None and (found := faults(call, arguments, literal=False)):
            end_execution(
                env,
                StatesErrorNameType.StatesRuntime,
                f"An error occurred while executing the state '{env.next_state_name}'. The "
                f"Parameters '{compact_json(arguments)}' could not be used to start the Task: "
                f"[{', '.join(found)}]",
            )
        return arguments

    def _eval_execution(self, env: Environment) -> None:
        env.heap[_IN_TASK] = True
        super()._eval_execution(env)  # type: ignore[safe-super]  # the service's class comes next

    def _evaluate_with_timeout(self, env: Environment) -> None:
        env.heap[_IN_TASK] = True
        try:
            super()._evaluate_with_timeout(env)
            if self.output:
                self.output.eval(env=env)
                env.stack.append(_OutputIsSet())
        except Exception:
            if isinstance(env.variable_store, AwsVariables):
                env.variable_store.forget()
            if env.is_running():
                raise
        finally:
            env.heap.pop(_IN_TASK, None)

    def _eval_state_output(self, env: Environment) -> None:
        if env.stack and isinstance(env.stack[-1], _OutputIsSet):
            env.stack.pop()
        else:
            super()._eval_state_output(env)

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, FailureEventException):
            return ex.failure_event
        if isinstance(ex, TimeoutError):
            return self._get_timed_out_failure_event(env)  # type: ignore[attr-defined, no-any-return]
        return super()._from_error(env=env, ex=ex)


class AwsPreprocessor(Preprocessor):
    """moto's visitor, making our components. `task_classes` maps a service's name to its Task."""

    task_classes: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def visitString_jsonata(  # noqa: N802
        self, ctx: ASLParser.String_jsonataContext
    ) -> StringJSONata:
        expression = super().visitString_jsonata(ctx).expression
        return BoundJSONata(expression=left_out.get(expression, expression))

    def visitAssign_decl(self, ctx: ASLParser.Assign_declContext) -> AssignDecl:  # noqa: N802
        bindings: Any = [LimitedBindings(super().visitAssign_decl(ctx).declaration_bindings)]
        return AssignDecl(declaration_bindings=bindings)

    def visitAssign_template_value_terminal_string_literal(  # noqa: N802
        self, ctx: ASLParser.Assign_template_value_terminal_string_literalContext
    ) -> AssignTemplateValueTerminal:
        text = str(self._inner_string_of(ctx.string_literal()))
        return AssignTemplateValueTerminalLit(value=left_out.get(text, text))

    def visitCondition_string_jsonata(  # noqa: N802
        self, ctx: ASLParser.Condition_string_jsonataContext
    ) -> ConditionStringJSONata:
        return BooleanCondition(string_jsonata=self.visitString_jsonata(ctx.string_jsonata()))

    def visitTimeout_seconds_jsonata(  # noqa: N802
        self, ctx: ASLParser.Timeout_seconds_jsonataContext
    ) -> TimeoutSecondsJSONata:
        return PositiveTimeout(string_jsonata=self.visitString_jsonata(ctx.string_jsonata()))

    def visitTimeout_seconds_int(  # noqa: N802
        self, ctx: ASLParser.Timeout_seconds_intContext
    ) -> TimeoutSeconds:
        timeout = super().visitTimeout_seconds_int(ctx)
        if timeout.timeout_seconds < 1:
            raise ValueError("TimeoutSeconds must be a positive integer.")
        return timeout

    def visitSeconds_int(self, ctx: ASLParser.Seconds_intContext) -> Seconds:  # noqa: N802
        return LiteralWait(seconds=super().visitSeconds_int(ctx).seconds)

    def visitSeconds_jsonata(  # noqa: N802
        self, ctx: ASLParser.Seconds_jsonataContext
    ) -> SecondsJSONata:
        return ExpressionWait(string_jsonata=self.visitString_jsonata(ctx.string_jsonata()))

    def visitRetrier_decl(self, ctx: ASLParser.Retrier_declContext) -> RetrierDecl:  # noqa: N802
        read = super().visitRetrier_decl(ctx)
        return PunctualRetrier(
            error_equals=CatchableErrors(error_names=read.error_equals.error_names),
            interval_seconds=read.interval_seconds,
            max_attempts=read.max_attempts,
            backoff_rate=read.backoff_rate,
            max_delay_seconds=read.max_delay_seconds,
            jitter_strategy=read.jitter_strategy,
            comment=read.comment,
        )

    def visitCatcher_decl(self, ctx: ASLParser.Catcher_declContext) -> CatcherDecl:  # noqa: N802
        catcher = super().visitCatcher_decl(ctx)
        names = catcher.error_equals.error_names
        catcher.error_equals = CatchableErrors(error_names=names)  # type: ignore[misc]
        return catcher

    @staticmethod
    def _common_state_field_of(state_props: StateProps) -> CommonStateField:
        resource = state_props.get(Resource)
        task_class = AwsPreprocessor.task_classes.get(getattr(resource, "service_name", ""))
        if task_class is None:
            return Preprocessor._common_state_field_of(state_props)
        state: CommonStateField = task_class()
        state.from_state_props(state_props)
        return state


class AwsVariables(VariableStore):
    """The assigned variables of an execution, which change when a state is left.

    On AWS `Assign` and `Output` are evaluated side by side: no expression of a state sees what the
    same state assigns, and what a failed attempt assigned is forgotten. In moto Output sees it. In
    the history each value stands as JSON; moto leaves the quotes inside a string as they are.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._assigned: dict[str, Any] = {}

    def set(self, variable_identifier: str, variable_value: Any) -> None:
        if variable_identifier in self._outer_scope:
            super().set(variable_identifier, variable_value)  # raises: it belongs to another scope
        self._declaration_tracing.add(variable_identifier)
        self._assigned[variable_identifier] = variable_value

    def get(self, variable_identifier: str) -> Any:
        if variable_identifier in self._assigned:
            return self._assigned[variable_identifier]
        return super().get(variable_identifier)

    def forget(self) -> None:
        """Undo what the state assigned so far; its attempt failed."""
        self._assigned.clear()
        super().reset_tracing()

    def reset_tracing(self) -> None:
        """Let the assigned values count; moto calls this when a state is left."""
        self._inner_scope.update(self._assigned)
        self._assigned.clear()
        self._variable_declarations_cache = None
        super().reset_tracing()

    def get_assigned_variables(self) -> dict[str, str]:
        return {name: compact_json(self.get(name)) for name in sorted(self._declaration_tracing)}
