"""What an execution is evaluated in, where moto's ends otherwise than AWS's.

An execution ends once, and at the latest when its history is full: AWS keeps 25,000 events of a
Standard workflow. No state catches that, and nothing of the workflow runs any more; moto's history
grows without end, and an execution that is stopped between two steps fails at the next.
"""

from __future__ import annotations

from typing import Any, Final

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext,
    EventManager,
)
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramError,
    ProgramRunning,
    ProgramStopped,
    ProgramTimedOut,
)

LARGEST_HISTORY: Final = 25_000
"""Events, the one that tells of the end included."""


class BoundedEvents(EventManager):
    """The events of the execution that `env` evaluates, up to so many."""

    def __init__(self, env: AwsEnvironment, limit: int = LARGEST_HISTORY) -> None:
        super().__init__(cloud_watch_logging_session=env.cloud_watch_logging_session)
        self._env = env
        self._limit = limit
        self._last = 0

    def add_event(
        self,
        context: EventHistoryContext,
        event_type: HistoryEventType,
        event_details: EventDetails | None = None,
        *more: Any,
        **named: Any,
    ) -> int:
        """Add it, and end the execution with the last but one; what still comes then is dropped."""
        is_end = event_type is HistoryEventType.ExecutionFailed
        if self._last >= self._limit - 1 and not is_end:
            return self._last
        self._last = super().add_event(context, event_type, event_details, *more, **named)
        self._env.is_under_way |= "stateEnteredEventDetails" in (event_details or {})
        if self._last == self._limit - 1 and not is_end:
            self._env.set_error(
                ExecutionFailedEventDetails(
                    error="States.Runtime",
                    cause="The execution reached the maximum number of history events "
                    f"({self._limit}).",
                )
            )
        return self._last


class AwsEnvironment(Environment):
    """What an execution is evaluated in: the first end counts, and its history ends.

    `is_under_way`: it has entered a state since it was started, or redriven.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.is_under_way = False
        self.event_manager = BoundedEvents(self)

    @property
    def next_field_name(self) -> str | None:
        """The field that is evaluated, for the texts of errors."""
        return super().next_field_name

    @next_field_name.setter
    def next_field_name(self, name: str) -> None:
        # Without an error where a stop came between: it would end the thread without a word.
        state = self._program_state
        if isinstance(state, ProgramRunning):
            state.next_field_name = name

    def set_error(self, error: ExecutionFailedEventDetails) -> None:
        """End it as failed, unless it has ended: whatever a step says that a stop met is no end."""
        with self._state_mutex:
            if not isinstance(self._program_state, ProgramError | ProgramStopped | ProgramTimedOut):
                super().set_error(error)
