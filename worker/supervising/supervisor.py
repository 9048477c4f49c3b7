"""The supervisor: starts the job, passes signals on, and acts on a stop at once.

The main thread only waits, decides and answers signals; all that can take time happens in the
keeper's thread, so a stop is noticed even while the job sits in a native call or S3 is slow. How an
attempt ends once the job is gone is led by ``ending``.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time

from steadyspot.contract import Env, Reason, logs
from steadyspot.contract.signals import STOPS
from steadyspot.paths import stamps
from steadyspot.protocol import SOCKET
from steadyspot.worker.errors import SetupError, WorkerError, as_trouble
from steadyspot.worker.options import Audience
from steadyspot.worker.signal_names import signal_name
from steadyspot.worker.speakers import Speakers
from steadyspot.worker.supervising import processes, signals
from steadyspot.worker.supervising.grace import OWN_LIMIT, Grace, Phase
from steadyspot.worker.supervising.half_made import HalfMade
from steadyspot.worker.supervising.job import JobProcess
from steadyspot.worker.supervising.loop import Loop
from steadyspot.worker.supervising.stages import most_save_seconds
from steadyspot.worker.supervising.standstill import Standstill
from steadyspot.worker.supervising.telling import Telling, forward
from steadyspot.worker.traces import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from steadyspot.worker.control import Control, StopNotice
    from steadyspot.worker.keeping.keeper import Keeper
    from steadyspot.worker.log import Log
    from steadyspot.worker.options import Identity, Options
    from steadyspot.worker.supervising.ending import Ending
    from steadyspot.worker.supervising.rhythm import Rhythm

SOCKET_PATH_BYTES = 100
"""Longer paths do not fit into the address of a Unix socket (108 on Linux).

A longer one is said by way of the worker's own descriptor of its scratch folder.
"""


AGAIN_SECONDS = 0.1
"""How long to wait before a thread is started again where there was none to be had."""

FIRST_STEPS_SECONDS = 0.05
"""How long the job has the processor to itself before the worker loads what is slow to load."""


def trace_of(identity: Identity | None) -> Trace:
    """Return what collects the trace of an attempt, which is known before its job begins."""
    if identity is None:
        return Trace("", {})
    annotations = {**identity.about(), "capacity": identity.capacity}
    return Trace(identity.job, annotations, identity.trace_id)


class Supervisor:
    """One attempt from the fork to the exit code."""

    def __init__(self, options: Options, environ: Mapping[str, str], log: Log) -> None:
        self._options = options
        self._identity = options.identity
        self._log = log
        self._environ = dict(environ) | options.environment
        self._environ.pop(Env.SECRETS, None)  # The job has them one by one.
        self._trace = trace_of(options.identity)
        self._environ |= self._trace.environment
        self._began = time.time()
        self._ooms = 0
        self._grace = Grace(
            options.stop_timeout_seconds,
            options.on_stop_seconds if options.on_stop else 0.0,
            options.drain_seconds,
        )
        self._loop = Loop(self._grace, self._on_signal, self._look_at_keeper, self._on_ended)
        self._speakers = Speakers()
        self._scratch = ""
        self._listener: socket.socket | None = None
        self._leftovers: dict[str, tuple[int, int, int, int]] = {}
        self._job: JobProcess
        self._telling: Telling
        self._keeper: Keeper | None = None
        self._control: Control | None = None
        self._stopping: StopNotice | None = None
        self._rhythm: Rhythm | None = None
        self._ending: Ending | None = None
        stop_by = self._identity.stop_by if self._identity else None
        self._stop_by = None if stop_by is None else time.monotonic() + stop_by - time.time()

    def run(self) -> int:
        """Run the job to its end; the exit code."""
        if self._identity:
            self._listen()
        processes.adopt_orphans()
        self._ooms = processes.oom_kills()
        options = self._options
        standstill = Standstill()
        folders = (options.checkpoint_dir, options.output_dir) if self._identity else ("", "")
        half_made = HalfMade(*folders, standstill)
        self._job = job = JobProcess(
            options.command,
            self._environ,
            tied=os.getpid() != 1,
            standstill=standstill,
            half_made=half_made,
        )
        processes.raise_file_limit()  # The job, which is forked, keeps its own.
        self._telling = Telling(
            job.pid, options.audience, options.signal_job, self._speakers, half_made
        )
        self._loop.inbox.catch(job.terminal)
        signals.unblock_all()
        at_once = self._identity is None or self._identity.starts_at_once
        if at_once:
            self._go()
            self._loop.turn(FIRST_STEPS_SECONDS)
        self._open()
        self._ending = ending = self._make_ending()
        early = None
        if not at_once:
            self._await_opening()
            early = ending.before_job()
            if early is None:
                self._go()
        if self._keeper and early is None:
            self._keeper.begin_trace()
        while early is None and job.status is None:
            self._loop.turn(self._next_deadline())
            self._on_deadlines()
        code = ending.leave(early or ending.after_job())
        if self._scratch:
            import shutil

            shutil.rmtree(self._scratch, ignore_errors=True)
        return code

    # Starting.

    def _go(self) -> None:
        try:
            self._job.go()
        except WorkerError as error:
            self._job.trouble = error
            return
        self._grace.enter(Phase.RUNNING)

    def _make_ending(self) -> Ending:
        from steadyspot.worker.supervising.ending import Ending, Parts

        parts = Parts(
            self._options,
            self._environ,
            self._log,
            self._job,
            self._grace,
            self._loop,
            self._telling,
            self._keeper,
            self._rhythm,
            self._finished,
            self._began,
            self._ooms,
            self._trace,
        )
        return Ending(parts)

    def _listen(self) -> None:
        """Make the scratch folder and the socket, before the job is forked."""
        name = f"{self._options.scratch_dir}/steadyspot-{os.getpid()}-{os.urandom(4).hex()}"
        place = self._options.scratch_dir
        self._check_apart(place)
        try:
            os.mkdir(name, 0o700)
            self._scratch = name
            os.mkdir(f"{name}/outputs")
            os.mkdir(f"{name}/spool")
            address = f"{name}/socket"
            if len(address.encode()) > SOCKET_PATH_BYTES:
                held = os.open(name, os.O_PATH | os.O_DIRECTORY)  # Until this process ends.
                address = f"/proc/{os.getpid()}/fd/{held}/socket"
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(address)
            self._listener.listen(128)
            for place in (self._options.checkpoint_dir, self._options.output_dir):
                if place:
                    os.makedirs(place, exist_ok=True)
                    if not os.access(place, os.W_OK, effective_ids=True):
                        raise OSError(errno.EACCES, "it is read-only")
            if self._options.output_dir:
                self._leftovers = stamps(self._options.output_dir)
        except OSError as error:
            by = self._options.set_by.get(place)
            other = f"in {by}" if by else f"one for its own files in {Env.SCRATCH_DIR}"
            raise SetupError(
                f"The worker cannot write in {place}: {error.strerror or error}.",
                f"Mount a volume there, or name another folder, {other}.",
            ) from None
        self._environ[SOCKET] = address

    def _check_apart(self, scratch: str) -> None:
        """Raise ``SetupError`` where the job's folders would hold the worker's own files.

        A restore would remove them, or the commit publish them.
        """
        own = os.path.realpath(scratch)
        for folder in filter(None, (self._options.checkpoint_dir, self._options.output_dir)):
            place = os.path.realpath(folder)
            if os.path.commonpath([own, place]) == place:
                raise SetupError(
                    f"The folder {folder} holds the worker's own files, which lie in {scratch}.",
                    "Give the job a folder of its own, in"
                    f" {self._options.set_by[folder]}, or the worker one in {Env.SCRATCH_DIR}.",
                )

    def _open(self) -> None:
        """Load what is slow to load, now that the job runs or has to wait for it."""
        if self._identity is None or self._listener is None:
            return
        from steadyspot.worker.control import Control, StopNotice
        from steadyspot.worker.keeping.keeper import Keeper
        from steadyspot.worker.keeping.tracing import Tracing

        threading.excepthook = self._on_thread_fault
        self._stopping = StopNotice()
        keeper = Keeper(
            self._options,
            self._identity,
            self._log,
            self._on_lost,
            self._job,
            self._scratch,
            leftovers=self._leftovers,
        )
        if self._trace.id:
            keeper.trace(self._trace, Tracing(self._trace, self._log))
        if self._grace.noticed:
            self._stopping.begin(self._grace.drain_end)
            keeper.hurry(self._grace.save_end)
        self._keeper = keeper
        self._start(keeper.start)
        keeper.opened.add_done_callback(lambda _: self._loop.inbox.note())
        self._control = Control(
            self._listener.detach(),
            self._identity,
            keeper.requests,
            self._stopping,
            self._speakers,
            self._on_lost,
        )
        self._start(self._control.start)
        if self._options.checkpoint_dir or self._options.output_dir:
            from steadyspot.worker.supervising.rhythm import Rhythm

            most_seconds = most_save_seconds(self._options.stop_timeout_seconds)
            self._rhythm = Rhythm(
                keeper.save_folders,
                self._options.every_seconds,
                self._options.marker,
                keeper.forecast,
                most_seconds,
                lambda seconds: keeper.warn_of_stop(seconds, most_seconds),
            )
            self._start(self._rhythm.start)

    def _start(self, start: Callable[[], None]) -> None:
        """Start what needs a thread as soon as there is one to be had: the job may end some.

        Raises ``Short`` where that takes longer than the patience, or than a stop leaves.
        """
        until = time.monotonic() + self._options.patience_seconds
        while True:
            try:
                start()
            except RuntimeError as error:
                end = self._grace.save_end if self._grace.noticed else until
                if time.monotonic() >= end:
                    raise as_trouble(error) from None
            else:
                return
            self._loop.turn(AGAIN_SECONDS)
            self._on_deadlines()

    def _await_opening(self) -> None:
        """Wait until the run is restored, or the grace of a stop is over."""
        assert self._keeper is not None
        opened = self._keeper.opened
        while not opened.done() and self._grace.left() > 0 and self._job.trouble is None:
            self._loop.turn(min(self._next_deadline() or 60.0, 60.0))
            self._on_deadlines()

    def _on_ended(self, ended: dict[int, int]) -> None:
        if self._job.pid in ended:
            self._job.end(ended[self._job.pid])

    # Signals and deadlines.

    def _on_signal(self, number: int) -> None:
        if number in STOPS and number not in self._options.ordinary:
            self._loop.reap()
            self._on_stop(number)
            return
        if self._job.running:
            forward(self._job.pid, self._options.audience, number)
        if number in signals.SUSPENDING and os.getpid() != 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _on_stop(self, number: int) -> None:
        name = signal_name(number)
        if self._grace.noticed:
            self._log.info("notice", f"{name} came, too; the stop goes on as it is.")
        elif self._job.status is None:
            self._notice(Reason.INTERRUPTED, name)
        else:
            self._grace.begin(name, self._save_seconds())
            if self._keeper:
                self._keeper.hurry(self._grace.save_end)
            self._log.info("notice", f"{name} after the job had ended; its end may take the grace.")

    def _notice(self, why: Reason, by: str) -> None:
        """Tell the job, and share out the grace."""
        drain_seconds = self._grace.begin(by, self._save_seconds(), why)
        if drain_seconds <= 0:
            self._end_job()
        elif self._job.running:
            self._telling.begin()
        if self._stopping:
            self._stopping.begin(self._grace.drain_end)
        if self._keeper:
            self._keeper.hurry(self._grace.save_end)
        told = {logs.SIGNAL: by} if why is Reason.INTERRUPTED else {}
        self._log.info(
            "notice",
            f"{by[0].upper()}{by[1:]} came; the job has {drain_seconds:.1f} s to end.",
            **told,
            reason=why,
            drain_seconds=round(drain_seconds, 3),
            grace_seconds=self._grace.seconds,
        )
        self._log.info("drain", self._what_now())

    def _what_now(self) -> str:
        """What becomes of the job while it has its share of the grace, for people."""
        if self._job.killed:
            return "The job is killed at once."
        if not self._job.running:
            return "The job does not begin any more."
        if self._keeper and self._keeper.has_unit_in_hand:
            return "The unit in hand may end."
        if self._options.audience is Audience.NONE:
            return "The job is sent no signal; it may end by itself."
        return "The job is told, and may end by itself."

    def _save_seconds(self) -> float:
        return self._keeper.save_seconds if self._keeper else 0.0

    def _finished(self) -> bool:
        """Whether exit 0 counts even after a stop, by what the job itself reported.

        What it says at its end is not enough where it was told by a signal that Python turns into
        an exception, which the job may have caught.
        """
        if self._control is None:
            return False
        of_term = self._options.signal_job == signal.SIGTERM
        return self._control.finished(self._job.pid if of_term else None)

    def _end_job(self) -> None:
        """The end of the job's share: kill it, and begin to leave meanwhile."""
        self._job.kill()
        if self._job.killed and self._ending:
            self._ending.begin()

    def _on_deadlines(self) -> None:
        now = time.monotonic()
        if self._grace.phase <= Phase.RUNNING:
            stop_at = self._stop_at()
            if stop_at is not None and now >= stop_at and self._job.status is None:
                self._notice(Reason.TIMED_OUT, OWN_LIMIT)
        elif self._drains() and now >= self._grace.drain_end:
            self._log.warning("drain", "The job did not end in its share of the grace; killed.")
            self._end_job()

    def _drains(self) -> bool:
        return self._grace.phase is Phase.DRAINING and self._job.running and not self._job.killed

    def _stop_at(self) -> float | None:
        """When the attempt ends itself: what has become durable leaves less to do for another."""
        if self._stop_by is None or self._identity is None:
            return None
        gained = self._keeper.share_gained if self._keeper else 0.0
        return self._stop_by + self._identity.expected_seconds * gained

    def _next_deadline(self) -> float | None:
        now = time.monotonic()
        if self._grace.phase <= Phase.RUNNING:
            stop_at = self._stop_at()
            return None if stop_at is None else max(0.0, stop_at - now)
        if self._drains():
            return max(0.0, self._grace.drain_end - now)
        return max(0.0, self._grace.left())

    # What the keeper reports.

    def _look_at_keeper(self) -> None:
        """The fence of a first attempt was refused, or lost later: the job has to go."""
        opened = self._keeper.opened if self._keeper else None
        if self._job.trouble is None and opened and opened.done() and opened.exception():
            self._job.trouble = as_trouble(opened.exception())
        if self._job.trouble is not None:
            self._job.kill()

    def _on_thread_fault(self, args: threading.ExceptHookArgs) -> None:
        """What nobody foresaw has ended a thread, which others may wait for."""
        self._on_lost(as_trouble(args.exc_value))

    def _on_lost(self, error: WorkerError) -> None:
        self._job.trouble = error
        self._loop.inbox.note()
