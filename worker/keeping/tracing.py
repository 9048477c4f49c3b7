"""When an attempt's span is sent: once its job runs, as one that goes on, and whole at its end.

Whatever goes wrong with that is said in the log and harms nothing: no run waits for its trace, none
ends for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

from steadyspot.worker.keeping.store import Clients
from steadyspot.worker.log import Log
from steadyspot.worker.traces import Exporter, Span, Trace
from steadyspot.worker.zone import zone_of_task


def x_ray(aws: Clients) -> Exporter:
    """What sends traces; loading it takes a while, and only a traced attempt does."""
    from steadyspot.worker.keeping.xray import XRay

    return XRay(aws)


class Tracing:
    """Sends the span of ``trace``; ``connect`` makes what sends it."""

    def __init__(
        self, trace: Trace, log: Log, connect: Callable[[Clients], Exporter] = x_ray
    ) -> None:
        self._trace = trace
        self._log = log
        self._connect = connect
        self._exporter: Exporter | None = None
        self._sent: Future[None] | None = None

    def begin(self, aws: Clients, pool: Executor) -> None:
        """Load what sends the trace, and say that the attempt goes on."""
        self._trace.annotate("zone", zone_of_task())
        try:
            self._exporter = self._connect(aws)
        except Exception as error:
            self._say(error)
        self.send(self._trace.begun(), pool)

    def send(self, span: Span | None, pool: Executor) -> Future[None] | None:
        """Send the span beside all else; none where there is nothing to send, or to send it with.

        It replaces what was sent of it before, and so comes behind that.
        """
        if self._exporter is None or span is None:
            return None
        self._sent = pool.submit(self._send, self._exporter, span, self._sent)
        return self._sent

    def _send(self, exporter: Exporter, span: Span, before: Future[None] | None) -> None:
        if before is not None:
            before.result()
        try:
            exporter(self._trace.id, span)
        except Exception as error:
            self._say(error)

    def _say(self, error: Exception) -> None:
        self._log.warning("trace", f"The attempt's trace could not be sent: {error}")
