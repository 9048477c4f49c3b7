"""A stop that comes between the start of an execution and its first state."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from steadyspot.deploy.local.executions import AwsExecution

MOMENT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


class LateEnvironment:
    """An interpreter that has entered no state yet when it is looked at first."""

    def __init__(self) -> None:
        self.looks = 0
        self.stops: list[dict[str, Any]] = []

    @property
    def is_under_way(self) -> bool:
        self.looks += 1
        return self.looks > 3

    def is_running(self) -> bool:
        return True

    def set_stop(self, **stop: Any) -> None:
        assert self.looks > 3
        self.stops.append(stop)


def execution(worker: object) -> Any:
    made: Any = AwsExecution.__new__(AwsExecution)
    made.ended = threading.Event()
    made.exec_worker = worker
    return made


def test_a_stop_waits_for_the_first_state() -> None:
    environment = LateEnvironment()
    execution(SimpleNamespace(env=environment)).stop(MOMENT, "E", "C")
    assert environment.stops == [{"stop_date": MOMENT, "error": "E", "cause": "C"}]


def test_a_stop_of_what_has_ended_does_nothing() -> None:
    environment = LateEnvironment()
    ended = execution(SimpleNamespace(env=environment))
    ended.ended.set()
    ended.stop(MOMENT, None, None)
    assert environment.stops == []


def test_a_history_is_empty_before_there_is_an_interpreter() -> None:
    assert execution(None).to_history_output() == {"events": []}
