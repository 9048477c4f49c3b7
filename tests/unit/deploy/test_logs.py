"""What `steadyspot logs` shows of a line is what the worker said in it."""

from __future__ import annotations

import json
import os

from steadyspot.deploy.runs.logs import line_of
from steadyspot.worker.log import Log

ABOUT: dict[str, object] = {
    "job": "night", "run_key": "20261124T020000Z", "attempt": 2, "execution": "arn:run"
}  # fmt: skip


def shown(message: str) -> str:
    event = {"timestamp": 1_790_000_000_000, "logStreamName": "run/worker/t1", "message": message}
    return line_of(event).text


def said(level: str, *words: str, **more: object) -> str:
    """Return a line as the worker writes it."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as lines:
        log = Log(ABOUT, writer)
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
