"""Spans by OpenTelemetry, sent to a collector beside the job, which hands them on to X-Ray.

``python -m steadyspot.examples.tracing.with_opentelemetry``; the image needs ``opentelemetry-sdk``
and ``opentelemetry-exporter-otlp-proto-http``, the job a sidecar as in ``docs/how-to/tracing.md``.
"""

from __future__ import annotations

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from steadyspot.contract.traces import TRACEPARENT


def run(exporter: SpanExporter) -> None:
    """Do the job's work in spans below the attempt's."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    carrier = {TRACEPARENT.lower(): os.environ.get(TRACEPARENT, "")}
    attempt = TraceContextTextMapPropagator().extract(carrier)
    tracer = provider.get_tracer("job")
    with tracer.start_as_current_span("load", context=attempt):
        with tracer.start_as_current_span("read"):
            print("reading")
        with tracer.start_as_current_span("write"):
            print("writing")
    provider.shutdown()  # Sends what is left; at a stop, too, if the job ends by itself.


if __name__ == "__main__":
    run(OTLPSpanExporter())  # To http://localhost:4318, where a collector listens.
