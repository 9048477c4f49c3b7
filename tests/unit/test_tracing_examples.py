"""The example of a job's own spans: what it sends hangs below the attempt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_xray_sdk.core import xray_recorder

from steadyspot.contract.traces import X_RAY, x_ray_header
from steadyspot.examples.tracing.with_xray import below_the_attempt

TRACE, SPAN = "1-6a03b6a0-0123456789abcdef01234567", "00000000000000aa"


class Sent:
    """An X-Ray that keeps what it is sent."""

    def __init__(self) -> None:
        self.segments: list[dict[str, Any]] = []

    def put_trace_segments(self, TraceSegmentDocuments: list[str]) -> None:  # noqa: N803
        self.segments += map(json.loads, TraceSegmentDocuments)


def test_segment_of_a_job_is_in_the_run_s_trace_below_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(X_RAY, x_ray_header(TRACE, SPAN))
    sent = Sent()
    with below_the_attempt("load", sent), xray_recorder.in_subsegment("read"):
        pass
    (segment,) = sent.segments
    assert (segment["trace_id"], segment["parent_id"]) == (TRACE, SPAN)
    assert [part["name"] for part in segment["subsegments"]] == ["read"]


def test_a_job_that_is_not_traced_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(X_RAY, raising=False)
    sent = Sent()
    with below_the_attempt("load", sent):
        pass
    assert sent.segments == []
