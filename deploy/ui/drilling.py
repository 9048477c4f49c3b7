"""Drills that are asked for from the page: one at a time, on a throwaway copy of a job.

A drill holds back Ctrl-C while it puts things back, which only the main thread can; so the server's
threads ask, and the main thread carries out. What has been seen so far is there at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Queue
from threading import Lock
from typing import TYPE_CHECKING

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.drills import DRILLS, Drill, Stage
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target

_LOG = logging.getLogger(__name__)
ON_COPY = tuple(name for name, drill in DRILLS.items() if drill.on_copy)
"""The drills that a page offers: none of them touches the job itself."""


@dataclass(frozen=True)
class Seen:
    """A line of a drill; ``tone`` is plain, good or bad."""

    at: datetime
    text: str
    tone: str


@dataclass(frozen=True)
class Drilled:
    """A drill that is under way, or was the last one."""

    job: str
    name: str
    lines: tuple[Seen, ...]
    is_over: bool


class Drilling:
    """The drills of one server.

    Parameters
    ----------
    drills
        By name.
    stage
        Makes what a drill works with.
    """

    def __init__(
        self,
        target: Target,
        drills: Mapping[str, Drill] = DRILLS,
        stage: Callable[..., Stage] = Stage,
    ) -> None:
        self._target = target
        self._drills = drills
        self._stage = stage
        self._asked: Queue[tuple[Job, str]] = Queue()
        self._changing = Lock()
        self._last: Drilled | None = None

    @property
    def last(self) -> Drilled | None:
        """The drill that is under way, else the last one; None before the first."""
        return self._last

    def ask(self, job: Job, name: str) -> None:
        """Have a drill begun.

        Raises
        ------
        Trouble
            When another one is under way.
        """
        with self._changing:
            if self._last and not self._last.is_over:
                raise Trouble(
                    f"The drill {self._last.name} of {self._last.job} is under way.",
                    "Wait for its end: one is carried out at a time.",
                )
            self._last = Drilled(job.name, name, (), is_over=False)
        self._asked.put((job, name))

    def carry_out(self) -> None:
        """Carry out what is asked for, in the main thread, until an exception ends the program."""
        while True:
            self.carry_out_one()

    def carry_out_one(self) -> None:
        """Wait for a drill that is asked for, and carry it out; all is put back when it ends."""
        job, name = self._asked.get()
        try:
            stage = self._stage(self._target, job, lambda moment: self._add(moment.text, "plain"))
            with closing(self._drills[name].run(stage)) as found:
                for one in found:
                    self._add(f"{'ok' if one.good else 'NOT OK'}: {one.text}", _tone(good=one.good))
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                _LOG.error("A drill has failed.", exc_info=error)
                trouble = Trouble("Steadyspot itself has failed.", "The terminal has a traceback.")
            self._add(f"{trouble.what} {trouble.what_to_do}", "bad")
        finally:
            self._change(is_over=True)

    def _add(self, text: str, tone: str) -> None:
        self._change(line=Seen(datetime.now(UTC), text, tone))

    def _change(self, *, line: Seen | None = None, is_over: bool = False) -> None:
        with self._changing:
            last = self._last
            if last:
                lines = (*last.lines, line) if line else last.lines
                self._last = Drilled(last.job, last.name, lines, is_over=is_over)


def _tone(*, good: bool) -> str:
    return "good" if good else "bad"
