"""The log driver of the embedded AWS: what a log group does not take never stops a container."""

from __future__ import annotations

from typing import Any

import pytest

from steadyspot.deploy.local.awslogs import LogWriter


class Refusing:
    """Logs and metrics, of which nothing is left when they are written to."""

    groups = ("group",)

    def put_log_events(self, *_: Any) -> None:
        raise LookupError("the stream went with its group")

    def put_metric_data(self, *_: Any) -> None:
        raise LookupError("no such metrics")


def test_a_line_that_is_not_taken_is_lost_and_the_next_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing: Any = Refusing()
    writer = LogWriter(refusing, refusing, "group", "worker/1")
    for line in ("one", "", "two"):
        writer.write(line)
    assert [one.message for one in caplog.records] == ["worker/1 did not take a line"] * 2
