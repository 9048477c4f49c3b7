"""What `steadyspot logs` shows of a line is what the worker said in it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.deploy.runs.logs import LogLine, Printing, RunLog, Tasks, line_of, since_of
from steadyspot.deploy.trouble import Trouble
from steadyspot.worker.log import Log
from tests.unit.deploy.fakes import refusal

ABOUT: dict[str, object] = {
    "job": "night", "run_key": "20261124T020000Z", "attempt": 2, "execution": "arn:run"
}  # fmt: skip


def shown(message: str) -> str:
    event = {"timestamp": 1_790_000_000_000, "logStreamName": "run/worker/t1", "message": message}
    return line_of(event).text


def said(level: str, *words: str, about: dict[str, object] | None = None, **more: object) -> str:
    """Return a line as the worker writes it."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as lines:
        log = Log(ABOUT if about is None else about, writer)
        getattr(log, level)(*words, **more)
        log.close()
        os.close(writer)
        return lines.read()


def test_a_line_of_the_worker_is_its_sentence_and_what_the_event_adds() -> None:
    line = said("info", "saved", "The folders are saved.", seconds=1.5)
    assert shown(line) == "worker: The folders are saved. seconds=1.5"


def test_trouble_is_named_before_its_sentence() -> None:
    line = said("error", "save", "The last checkpoint could not be saved: no time.")
    assert shown(line) == "worker: error: The last checkpoint could not be saved: no time."


def test_a_line_of_the_job_is_shown_as_it_is_also_where_it_is_json() -> None:
    for line in ("part 1 of 8", '{"event": "x"', json.dumps({"at": "noon", "rows": 1}), "[1]"):
        assert shown(line) == line
    assert shown(json.dumps({"event": "bought", "sum": 3})) == '{"event": "bought", "sum": 3}'
    structlog = '{"at": "noon", "level": "info", "event": "bought", "message": "x", "job": "mine"}'
    assert shown(structlog) == structlog
    alike = '{"at": "12:00", "level": "info", "event": "bought", "message": "x", "rows": 3}'
    assert shown(alike) == alike


def test_a_line_of_a_worker_that_could_not_read_its_options_is_a_sentence() -> None:
    line = said("error", "setup", "--grace is no number.", about={}, exit_code=125)
    assert shown(line) == "worker: error: --grace is no number. exit_code=125"


def launch(capacity: str) -> dict[str, Any]:
    return {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": capacity}}


def submitted(*tasks: str, kind: str = "ecs") -> dict[str, Any]:
    told = {"Tasks": [{"TaskArn": f"arn:aws:ecs:eu-central-1:1:task/shop/{t}"} for t in tasks]}
    return {
        "type": "TaskSubmitted",
        "taskSubmittedEventDetails": {"resourceType": kind, "output": json.dumps(told)},
    }


def claimed(earlier: int) -> dict[str, Any]:
    assigned = {"run": json.dumps({"earlierAttempts": earlier})}
    details = {"name": "Claim the run", "assignedVariables": assigned}
    return {"type": "TaskStateExited", "stateExitedEventDetails": details}


SPOT, ON_DEMAND = "Run on Fargate Spot", "Run on on-demand Fargate"


def test_each_task_has_the_number_of_its_attempt_refused_launches_and_earlier_ones_counted() -> (
    None
):
    tasks = Tasks()
    tasks.tell([claimed(2), launch(SPOT), submitted(), launch(SPOT), submitted("b", kind="x")])
    tasks.tell([launch(SPOT), submitted("c"), launch(ON_DEMAND), submitted("d"), {"type": "x"}])
    assert tasks.attempts == {"c": 5, "d": 6}


class Streams:
    """CloudWatch Logs with a stream for each task; what they were asked for is kept."""

    def __init__(self, **lines: list[tuple[int, str]]) -> None:
        self.lines = lines
        self.asked: list[str] = []

    def get_paginator(self, _name: str) -> Streams:
        return self

    def paginate(self, logStreamNames: list[str], startTime: int, **_: Any) -> list[Any]:  # noqa: N803
        (stream,) = logStreamNames
        task = stream.rsplit("/", 1)[-1]
        self.asked.append(task)
        if task not in self.lines:
            raise refusal("ResourceNotFoundException")
        events = [
            {"eventId": f"{task}{at}", "timestamp": at, "logStreamName": stream, "message": text}
            for at, text in self.lines[task]
            if at >= startTime
        ]
        return [{"events": events}]

    def get_log_events(
        self,
        logStreamName: str,  # noqa: N803
        limit: int,
        startFromHead: bool,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        task = logStreamName.rsplit("/", 1)[-1]
        self.asked.append(task)
        if task not in self.lines:
            raise refusal("ResourceNotFoundException")
        kept = self.lines[task][:limit] if startFromHead else self.lines[task][-limit:]
        return {"events": [{"timestamp": at, "message": text} for at, text in kept]}


def test_the_last_lines_of_a_task_are_one_call_however_much_it_has_printed() -> None:
    metrics = '{"_aws": {}}'
    streams = Streams(a=[(number, str(number)) for number in range(9_000)] + [(9_000, metrics)])
    log = RunLog(streams, "group")
    assert texts(log.last("arn:task/shop/a", 2, 4)) == [(2, "8997"), (2, "8998"), (2, "8999")]
    assert {line.task for line in log.last("a", 2, 4)} == {"a"}
    assert log.last("silent", 1, 4) == []
    assert streams.asked == ["a", "a", "silent"]


def texts(lines: list[LogLine]) -> list[tuple[int, str]]:
    return [(line.attempt, line.text) for line in lines]


def test_only_lines_of_this_run_appear_as_its_attempts_print_them() -> None:
    streams = Streams(other=[(1, "of another run")], a=[(1_000, "one")])
    printing = Printing(RunLog(streams, "group"))
    assert printing.news() == []
    printing.tasks.tell([launch(SPOT), submitted("a")])
    assert texts(printing.news()) == [(1, "one")]
    streams.lines["a"].append((2_000, "two"))
    printing.tasks.tell([launch(SPOT), submitted("b")])
    assert texts(printing.news()) == [(1, "two")]  # its last words, before those of the next
    streams.lines["b"] = [(3_000, "three")]
    streams.asked.clear()
    assert texts(printing.news()) == [(2, "three")]
    assert streams.asked == ["b"]


def test_a_line_that_comes_late_is_shown_once_and_those_before_the_wish_never() -> None:
    streams = Streams(a=[(40_000, "old"), (60_000, "one")])
    log = RunLog(streams, "group", datetime.fromtimestamp(50, UTC))
    assert [line.text for line in log.news("a")] == ["one"]
    streams.lines["a"] += [(55_000, "late"), (41_000, "old, too")]
    assert [line.text for line in log.news("a")] == ["late"]
    assert list(log.news("a")) == []


def test_one_attempt_alone_is_shown_where_that_is_meant() -> None:
    streams = Streams(a=[(1, "one")], b=[(2, "two")])
    printing = Printing(RunLog(streams, "group"), only=2)
    assert texts(printing.all_of({"a": 1, "b": 2})) == [(2, "two")]
    assert streams.asked == ["b"]


def test_what_embedded_metrics_say_is_for_machines() -> None:
    streams = Streams(a=[(1, '{"_aws": {}}'), (2, "x")])
    assert [line.text for line in RunLog(streams, "group").news("a")] == ["x"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_so_long_ago_is_a_moment(text: str, seconds: int) -> None:
    before = datetime.now(UTC)
    meant = since_of(text)
    assert before <= meant + timedelta(seconds=seconds) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["", "soon", "0m", "-5m", "10", "10 m", "2026-02-30", "9" * 30])
def test_no_time_is_refused(text: str) -> None:
    with pytest.raises(Trouble, match="is no time"):
        since_of(text)


def test_a_line_for_machines_has_its_time_in_utc_and_its_attempt() -> None:
    event = {"timestamp": 1_795_485_660_007, "logStreamName": "run/worker/t1", "message": "x"}
    assert line_of(event, 2).as_data() == {
        "at": "2026-11-24T02:01:00.007Z",
        "attempt": 2,
        "task": "t1",
        "text": "x",
    }
