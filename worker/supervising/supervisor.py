"""The supervisor: starts the job, passes signals on, and acts on a stop at once.

The main thread only waits, decides and answers signals; all that can take time happens in the
keeper's thread, so a stop is noticed even while the job sits in a native call or S3 is slow. How an
attempt ends once the job is gone is led by ``ending``.
"""

from __future__ import annotations

import os
import signal
import socket
import time

from steadyspot.contract import Env, Reason
from steadyspot.paths import stamps
from steadyspot.protocol import SOCKET
from steadyspot.worker.errors import SetupError, WorkerError
from steadyspot.worker.supervising import processes, signals
from steadyspot.worker.supervising.speakers import Speakers
from steadyspot.worker.supervising.stages import Shares, shares
from steadyspot.worker.supervising.telling import Telling, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from steadyspot.worker.control import Control, Stopping
    from steadyspot.worker.keeping.keeper import Keeper
    from steadyspot.worker.log import Log
    from steadyspot.worker.options import Options
    from steadyspot.worker.supervising.ending import Ending
    from steadyspot.worker.supervising.rhythm import Rhythm

SOCKET_PATH_BYTES = 100
"""Longer paths do not fit into the address of a Unix socket (108 on Linux).

A longer one is said by way of the worker's own descriptor of its scratch folder.
"""


NO_END_SECONDS = 1e9
"""What is left while no stop was noticed."""

FIRST_STEPS_SECONDS = 0.05
"""How long the job has the processor to itself before the worker loads what is slow to load."""


class Supervisor:
    """One attempt from the fork to the exit code."""

    def __init__(self, options: Options, environ: Mapping[str, str], log: Log) -> None:
        self.options = options
        self.identity = options.identity
        self.log = log
        self.inbox = signals.Inbox()
        self.speakers = Speakers()
        self.telling: Telling
        self.environ = dict(environ) | options.environment
        self.environ.pop(Env.SECRETS, None)  # The job has them one by one.
        self.scratch = ""
        self.ooms = 0
        self.job: processes.Job
        self.job_status: int | None = None
        self.job_running = False
        self.killed = False
        self.held: set[str] = set()
        self.why: Reason | None = None
        self.noticed = 0.0
        self.shares: Shares
        self.lost: WorkerError | None = None
        self.keeper: Keeper | None = None
        self.control: Control | None = None
        self.stopping: Stopping | None = None
        self.rhythm: Rhythm | None = None
        self.began = time.time()
        self.job_began = self.job_ended = 0.0
        self._ending: Ending | None = None
        self._leftovers: dict[str, tuple[int, int, int, int]] = {}
        self._listener: socket.socket | None = None
        stop_by = self.identity.stop_by if self.identity else None
        self._stop_by = None if stop_by is None else time.monotonic() + stop_by - time.time()

    def run(self) -> int:
        """Run the job to its end; the exit code."""
        if self.identity:
            self._listen()
        processes.adopt_orphans()
        self.job = processes.Job(self.options.command, self.environ, tied=os.getpid() != 1)
        self.inbox.catch(self.job.terminal)
        signals.unblock_all()
        self.telling = Telling(
            self.job.pid,
            self.options.audience,
            self.options.signal_job,
            self.speakers,
        )
        at_once = self.identity is None or self.identity.starts_at_once
        if at_once:
            self._go()
            self.turn(FIRST_STEPS_SECONDS)
        self.ooms = processes.oom_kills()
        self._open()
        from steadyspot.worker.supervising.ending import Ending

        self._ending = ending = Ending(self)
        if not at_once:
            self._await_opening()
            early = ending.before_job()
            if early is not None:
                return ending.leave(early)
            self._go()
        while self.job_status is None:
            self.turn(self._next_deadline())
            self._on_deadlines()
        self.job_ended = time.time()
        return ending.leave(ending.after_job())

    # Starting.

    def _go(self) -> None:
        try:
            self.job.go()
        except WorkerError as error:
            self.lost, self.job_status, self.killed = error, 0, True
            return
        self.job_running = True
        self.job_began = time.time()

    def _listen(self) -> None:
        """Make the scratch folder and the socket, before the job is forked."""
        name = f"{self.options.scratch_dir}/steadyspot-{os.getpid()}-{os.urandom(4).hex()}"
        place = self.options.scratch_dir
        try:
            os.mkdir(name, 0o700)
            self.scratch = name
            os.mkdir(f"{name}/outputs")
            os.mkdir(f"{name}/spool")
            address = f"{name}/socket"
            if len(address.encode()) > SOCKET_PATH_BYTES:
                held = os.open(name, os.O_PATH | os.O_DIRECTORY)  # Until this process ends.
                address = f"/proc/{os.getpid()}/fd/{held}/socket"
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(address)
            self._listener.listen(128)
            for place in (self.options.checkpoint_dir, self.options.output_dir):
                if place:
                    os.makedirs(place, exist_ok=True)
            if self.options.output_dir:
                self._leftovers = stamps(self.options.output_dir)
        except OSError as error:
            raise SetupError(
                f"The worker cannot write in {place}: {error.strerror or error}.",
                "Mount a volume there, or name another folder (--scratch-dir for its own).",
            ) from None
        self.environ[SOCKET] = address

    def _open(self) -> None:
        """Load what is slow to load, now that the job runs or has to wait for it."""
        if self.identity is None or self._listener is None:
            return
        from steadyspot.worker.control import Control, Stopping
        from steadyspot.worker.keeping.keeper import Keeper

        self.stopping = Stopping()
        keeper = Keeper(self.options, self.identity, self.log, self._on_lost)
        keeper.start(self.scratch, self.job.pid, self._leftovers)
        keeper.opened.add_done_callback(lambda _: self.inbox.note())
        self.control = Control(
            self._listener.detach(), self.identity, keeper, self.stopping, self.speakers
        )
        self.keeper = keeper
        if self.options.checkpoint_dir or self.options.output_dir:
            from steadyspot.worker.supervising.rhythm import Rhythm

            every, marker = self.options.every_seconds, self.options.marker
            self.rhythm = Rhythm(keeper.save_folders, every, marker)

    def _await_opening(self) -> None:
        """Wait until the run is restored, or the grace of a stop is over."""
        assert self.keeper is not None
        opened = self.keeper.opened
        while not opened.done() and self.time_left() > 0:
            self.turn(min(self._next_deadline() or 60.0, 60.0))
            self._on_deadlines()

    # Waiting, the one place where the main thread does.

    def turn(self, seconds: float | None) -> None:
        """Wait for the next event, at most so long, and act on signals and ended children."""
        for number in self.inbox.wait(seconds):
            if number == signals.NOTE:
                self._look_at_keeper()
            elif number != signal.SIGCHLD:
                self._on_signal(number)
        self._reap()

    def wait(self, done: Callable[[], bool], until: float | None = None) -> bool:
        """Go on answering until ``done`` or the monotonic time ``until``; whether it is done.

        A stop may be noticed meanwhile: never longer than until its grace is over.
        """
        while not done():
            left = self.time_left()
            if until is not None:
                left = min(left, until - time.monotonic())
            if left <= 0:
                return False
            self.turn(left if left < NO_END_SECONDS else None)
        return True

    def time_left(self) -> float:
        """Seconds until saving has to be over; much, where no stop was noticed."""
        if not self.noticed:
            return NO_END_SECONDS
        return self.noticed + self.shares.save_end - time.monotonic()

    def _reap(self) -> None:
        self.ended = processes.reap()
        if self.job.pid in self.ended and self.job_status is None:
            self.job_status = self.ended[self.job.pid]
            self.job_running = False

    # Signals and deadlines.

    def _on_signal(self, number: int) -> None:
        if number in signals.STOPS and number not in self.options.ordinary:
            self._reap()
            self._on_stop(number)
            return
        if self.job_running:
            forward(self.job.pid, self.options.audience, number)
        if number in signals.SUSPENDING and os.getpid() != 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _on_stop(self, number: int) -> None:
        name = signals.name(number)
        if self.noticed:
            self.log.info("notice", f"{name} came, too; the stop goes on as it is.")
        elif self.job_status is None:
            self._notice(Reason.INTERRUPTED, name)
        else:
            self._share_out()
            self.log.info("notice", f"{name} after the job had ended; its end may take the grace.")

    def _notice(self, why: Reason, what: str) -> None:
        """Stage one: tell the job, and share out the grace."""
        self._share_out()
        self.why = why
        drain = self.shares.drain_end
        if drain <= 0:
            self._end_job()
        elif self.job_running:
            self.telling.begin()
        if self.stopping:
            self.stopping.begin(self.noticed + drain)
        if self.keeper:
            self.keeper.hurry()
        self.log.info(
            "notice",
            f"{what} came; the job has {drain:.1f} s to end.",
            reason=why,
            drain_seconds=round(drain, 3),
            grace_seconds=self.options.stop_timeout_seconds,
        )
        self.log.info("drain", "The unit in hand may end.")

    def _share_out(self) -> None:
        """The grace begins now."""
        self.noticed = time.monotonic()
        self.shares = shares(
            self.options.stop_timeout_seconds,
            self.keeper.save_seconds if self.keeper else 0.0,
            self.options.on_stop_seconds if self.options.on_stop else 0.0,
            self.options.drain_seconds,
        )

    def kill_job(self) -> None:
        """End the job's group by SIGKILL, having looked which outputs it is writing."""
        if self.job_running and not self.killed:
            self.killed = True
            self.look_at_held()
            processes.signal_group(self.job.pid, signal.SIGKILL)

    def look_at_held(self) -> None:
        """Note which outputs are being written by what is about to be killed."""
        if self.identity and self.options.output_dir:
            below = processes.descendants()
            self.held |= processes.held_open(self.options.output_dir, below)

    def finished(self) -> bool:
        """Whether exit 0 counts even after a stop, by the job's own word.

        What it says at its end is not enough where it was told by a signal that Python turns into
        an exception, which the job may have caught.
        """
        of_term = self.options.signal_job == signal.SIGTERM
        return self.control is not None and self.control.finished(self.job.pid if of_term else None)

    def _end_job(self) -> None:
        """The end of the job's share: kill it, and begin to leave meanwhile."""
        self.kill_job()
        if self.killed and self._ending:
            self._ending.begin()

    def _on_deadlines(self) -> None:
        now = time.monotonic()
        stop_at = self._stop_at()
        due = stop_at is not None and now >= stop_at
        if due and self.why is None and self.job_status is None:
            self._notice(Reason.TIMED_OUT, "The attempt's own time limit")
        running = self.why is not None and self.job_running and not self.killed
        if running and now >= self.noticed + self.shares.drain_end:
            self.log.warning("drain", "The job did not end in its share of the grace; killed.")
            self._end_job()

    def _stop_at(self) -> float | None:
        """When the attempt ends itself: what has become durable leaves less to do for another."""
        if self._stop_by is None or self.identity is None:
            return None
        gained = self.keeper.share_gained if self.keeper else 0.0
        return self._stop_by + self.identity.expected_seconds * gained

    def _next_deadline(self) -> float | None:
        now = time.monotonic()
        if self.why is None:
            stop_at = self._stop_at()
            return None if stop_at is None else max(0.0, stop_at - now)
        if self.job_running and not self.killed:
            return max(0.0, self.noticed + self.shares.drain_end - now)
        return max(0.0, self.time_left())

    # What the keeper reports.

    def _look_at_keeper(self) -> None:
        """The fence of a first attempt was refused, or lost later: the job has to go."""
        opened = self.keeper.opened if self.keeper else None
        if self.lost is None and opened and opened.done() and opened.exception():
            self.lost = as_trouble(opened.exception())
        if self.lost is not None:
            self.kill_job()

    def _on_lost(self, error: WorkerError) -> None:
        self.lost = error
        self.inbox.note()


def as_trouble(error: BaseException | None) -> WorkerError:
    """An error as something with a sentence."""
    if isinstance(error, WorkerError):
        return error
    return SetupError(f"The worker met an error of its own: {error!r}.", "Please report it.")
