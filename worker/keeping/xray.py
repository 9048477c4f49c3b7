"""Sends an attempt's span to AWS X-Ray; the one module that knows X-Ray's SDK.

The SDK makes the segments, and they go out by ``PutTraceSegments`` in this process: a daemon would
be a container more. Loading the SDK takes some 20 MiB and tenths of a second, so only a traced
attempt does, and only once its job runs. A move to OpenTelemetry is another module like this one,
named in ``tracing.x_ray``.
"""

from __future__ import annotations

import re
from typing import Any

from aws_xray_sdk.core.models.segment import Segment
from aws_xray_sdk.core.models.subsegment import Subsegment

from steadyspot.worker.keeping.store import Clients
from steadyspot.worker.traces import Span, Value

_ORIGIN = "AWS::ECS::Container"
_NOT_IN_NAMES = re.compile(r"[^\w\s.:/%&#=+\-@]")
"""X-Ray refuses a segment with others ("X-Ray segment documents" in its developer guide)."""

LONGEST_NAME = 200
LONGEST_VALUE = 1000


class NotTaken(Exception):
    """X-Ray answered that it has not processed a segment."""


class XRay:
    """An exporter; ``aws`` are the worker's clients."""

    def __init__(self, aws: Clients, timeout_seconds: float = 1.0) -> None:
        self._client = aws.client("xray", timeout_seconds)

    def __call__(self, trace_id: str, span: Span) -> None:
        """Send a span; X-Ray replaces one that goes on by the same later.

        Raises what botocore does, or ``NotTaken``.
        """
        reply = self._client.put_trace_segments(TraceSegmentDocuments=[document(trace_id, span)])
        for refused in reply.get("UnprocessedTraceSegments", ()):
            raise NotTaken(f"{refused.get('ErrorCode')}: {refused.get('Message')}")


def document(trace_id: str, span: Span) -> str:
    """Return a span with its parts as a segment of X-Ray's, in JSON."""
    segment = Segment(_name(span.name), entityid=span.id, traceid=trace_id)
    segment.origin = _ORIGIN
    for key, value in span.annotations.items():
        segment.put_annotation(key, _value(value))
    _fill(segment, span, segment)
    return str(segment.serialize())


def _fill(entity: Any, span: Span, segment: Any) -> None:
    entity.start_time = span.begun
    for part in span.parts:
        below = Subsegment(_name(part.name), "local", segment)
        below.id = part.id
        _fill(below, part, segment)
        entity.add_subsegment(below)
    if span.stopped:
        entity.add_error_flag()
    if span.failed:
        entity.add_fault_flag()
    if span.ended is not None:
        entity.close(span.ended)


def _name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)[:LONGEST_NAME] or "_"


def _value(value: Value) -> Value:
    return value[:LONGEST_VALUE] if isinstance(value, str) else value
