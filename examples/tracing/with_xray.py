"""Spans by X-Ray's SDK, sent by this process: a task needs no daemon beside it, and may do this.

``python -m steadyspot.examples.tracing.with_xray``; the image needs ``aws-xray-sdk`` and ``boto3``.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.models.trace_header import TraceHeader

from steadyspot.contract.traces import X_RAY


class Direct:
    """Sends what the recorder has made, in the place of the SDK's sender to a daemon."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send_entity(self, entity: Any) -> None:
        self._client.put_trace_segments(TraceSegmentDocuments=[entity.serialize()])


def below_the_attempt(name: str, client: Any) -> AbstractContextManager[Any]:
    """Return a segment of that name in the run's trace; without a trace it is not sent."""
    header = TraceHeader.from_header_str(os.environ.get(X_RAY))
    xray_recorder.configure(sampling=False, emitter=Direct(client), streaming_threshold=1000)
    segment: AbstractContextManager[Any] = xray_recorder.in_segment(
        name, traceid=header.root, parent_id=header.parent, sampling=header.sampled or 0
    )
    return segment


if __name__ == "__main__":
    import boto3

    with below_the_attempt("load", boto3.client("xray")):
        with xray_recorder.in_subsegment("read"):
            print("reading")
        with xray_recorder.in_subsegment("write"):
            print("writing")
