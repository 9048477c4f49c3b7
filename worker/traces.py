"""What a traced attempt did and when, as data: one span, with spans of its parts below it.

Where the run is traced, the attempt's span is part of the run's one trace. Parts that come without
end, such as units, are thinned out evenly. How spans are sent, and whose library is loaded for
that, is the matter of an exporter alone (``keeping/xray.py``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from steadyspot.contract import Exit
from steadyspot.contract.traces import TRACEPARENT, X_RAY, traceparent, x_ray_header

MOST_OF_KIND = 50
"""So many units, and so many saves, of an attempt are in its trace: a segment of X-Ray's has 64 kB
at most."""

JOB, UNIT, RESTORE, SAVE, PUBLISH = "job", "unit", "restore", "save", "publish"
"""The parts of an attempt. The name of a unit's is its key; units are below the job."""

_STOPS = (Exit.INTERRUPTED, Exit.TIMED_OUT)

Value = str | int | float | bool


class Span(NamedTuple):
    """Something that took its time, in seconds since the epoch; without ``ended`` it goes on.

    ``stopped``: it ended for a reason outside; ``failed``: for one of its own.
    """

    name: str
    id: str
    begun: float
    ended: float | None = None
    stopped: bool = False
    failed: bool = False
    annotations: Mapping[str, Value] = {}
    parts: tuple[Span, ...] = ()


Exporter = Callable[[str, Span], None]
"""Sends the span of an attempt, which belongs to the trace of this id (as X-Ray writes it)."""


class Thinned:
    """Spans of which every second goes whenever they become too many: what is left is spread."""

    def __init__(self, most: int = MOST_OF_KIND) -> None:
        self._most = most
        self._every = 1
        self._seen = 0
        self.spans: list[Span] = []

    def add(self, span: Span) -> None:
        if self._seen % self._every == 0:
            self.spans.append(span)
        self._seen += 1
        if len(self.spans) > self._most:
            self.spans = self.spans[::2]
            self._every *= 2


class Trace:
    """Collects one attempt's span, from any thread; without an ``id`` it collects nothing.

    ``clock`` gives seconds since the epoch, ``random`` so many random bytes.
    """

    def __init__(
        self,
        name: str,
        annotations: Mapping[str, Value],
        id: str = "",
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.id = id
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._in_hand: dict[str, float] = {}
        self._units = Thinned()
        self._saves = Thinned()
        self._parts: list[Span] = []
        self._span = Span(name, self._new_id(), clock(), annotations=annotations) if id else None

    @property
    def environment(self) -> dict[str, str]:
        """By which the job's own spans hang below the attempt's."""
        if self._span is None:
            return {}
        return {
            X_RAY: x_ray_header(self.id, self._span.id),
            TRACEPARENT: traceparent(self.id, self._span.id),
        }

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part that lasts as long as the block; it failed where that raises."""
        begun = self._clock()
        failed = True
        try:
            yield
            failed = False
        finally:
            self.add(name, begun, self._clock(), failed)

    def add(self, name: str, begun: float, ended: float, failed: bool = False) -> None:
        """A part that is over."""
        if self._span is None:
            return
        span = Span(name, self._new_id(), begun, ended, failed=failed)
        with self._lock:
            if name == SAVE:
                self._saves.add(span)
            else:
                self._parts.append(span)

    def begin_unit(self, unit: str) -> None:
        """The job takes a unit in hand."""
        if self._span is not None:
            with self._lock:
                self._in_hand[unit] = self._clock()

    def end_unit(self, unit: str, failed: bool = False) -> None:
        """A unit is durable, or will not be done."""
        if self._span is None:
            return
        with self._lock:
            begun = self._in_hand.pop(unit, None)
            if begun is not None:
                ended = self._clock()
                name = unit.strip('"')  # Of a key in JSON, which most often is one text.
                self._units.add(Span(name, self._new_id(), begun, ended, failed=failed))

    def annotate(self, name: str, value: Value) -> None:
        """Say more of the attempt, by which traces are found."""
        if self._span is not None and value != "":
            annotations = {**self._span.annotations, name: value}
            self._span = self._span._replace(annotations=annotations)

    def begun(self) -> Span | None:
        """The attempt's span as long as it goes on."""
        return self._span

    def closed(
        self, exit_code: int, cause: str, job: tuple[float, float] | None = None
    ) -> Span | None:
        """The whole span, closed now; ``job``: when the job began and ended, if it ever began."""
        if self._span is None:
            return None
        with self._lock:
            units, parts = tuple(self._units.spans), [*self._parts, *self._saves.spans]
        if job:
            parts.append(Span(JOB, self._new_id(), *job, parts=units))
        return self._span._replace(
            ended=self._clock(),
            stopped=exit_code in _STOPS,
            failed=exit_code not in (Exit.FINISHED, *_STOPS),
            annotations={**self._span.annotations, "exit_code": exit_code, "cause": cause},
            parts=tuple(sorted(parts, key=lambda part: part.begun)),
        )

    def _new_id(self) -> str:
        return self._random(8).hex()
