"""The supervisor: starts the job, passes signals on, and leads a stop through its stages.

Stages are notice, drain, save, withdraw, leave. The main thread only waits, decides and answers
signals; all that can take time happens in the keeper's thread, so a stop is acted on at once even
while the job sits in a native call or S3 is slow. It exits with the codes of the contract.
"""

from __future__ import annotations

import os
import signal
import time

from worker import processes, signals
from worker.contract import Exit, Reason
from worker.errors import AlreadyComplete, FenceLost, SetupError, WorkerError
from worker.log import Log
from worker.protocol import SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from concurrent.futures import Future
    from typing import Any

    from worker.control import Control, Stopping
    from worker.keeper import Keeper
    from worker.options import Options
    from worker.rhythm import Rhythm
    from worker.stages import Shares

LEFTOVER_SECONDS = 5.0
"""How long processes that the finished job left behind may take to end on SIGTERM."""


class Outcome:
    """How the attempt ends: exit code, the worker's word for it, and a sentence."""

    def __init__(self, code: int, reason: Reason | None, sentence: str) -> None:
        self.code = code
        self.reason = reason
        self.sentence = sentence


class Supervisor:
    """One attempt from the fork to the exit code."""

    def __init__(self, options: Options, environ: Mapping[str, str], log: Log) -> None:
        self.options = options
        self.identity = options.identity
        self.log = log
        self.inbox = signals.Inbox()
        self.scratch = ""
        self.started = time.monotonic()
        self.job_status: int | None = None
        self.job_running = False
        self.why: Reason | None = None
        self.noticed = 0.0
        self.lost: WorkerError | None = None
        self.killed = False
        self.shares: Shares
        self.keeper: Keeper | None = None
        self.control: Control | None = None
        self.stopping: Stopping | None = None
        self.rhythm: Rhythm | None = None
        self.held: set[str] = set()
        self._listener: socket.socket | None = None
        self._environ = dict(environ) | options.environment
        self._stop_at = self._monotonic(self.identity.stop_by if self.identity else None)

    def run(self) -> int:
        """Run the job to its end; the exit code."""
        if self.identity:
            self._listen()
        signals.block_all()
        pid_one = os.getpid() == 1
        job = processes.Job(self.options.command, self._environ, tied=not pid_one)
        self.job = job
        self.inbox.catch(job.terminal)
        signals.unblock_all()
        fresh = self.identity is None or (self.identity.fresh and self.identity.rerun == "always")
        if fresh:
            self._go()
        processes.adopt_orphans()
        self.ooms = processes.oom_kills()
        self._open()
        if not fresh:
            complete = self._await_opening()
            if complete is not None:
                return self._end(complete)
            self._go()
        while self.job_status is None:
            self._turn()
        return self._end(self._after_job())

    # Starting.

    def _go(self) -> None:
        try:
            self.job.go()
        except WorkerError as error:
            self.lost, self.job_status, self.killed = error, 0, True
        else:
            self.job_running = True

    def _listen(self) -> None:
        """Make the scratch folder and the socket, before the job is forked."""
        import socket

        name = f"{self.options.scratch_dir}/steadyspot-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            os.mkdir(name, 0o700)
            self.scratch = name
            os.mkdir(f"{name}/outputs")
            os.mkdir(f"{name}/spool")
            for folder in (self.options.checkpoint_dir, self.options.output_dir):
                if folder:
                    os.makedirs(folder, exist_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(f"{name}/socket")
            self._listener.listen(128)
        except OSError as error:
            raise SetupError(
                f"The worker cannot write in {self.options.scratch_dir}: {error.strerror}.",
                "Mount a volume there, or name another folder with --scratch-dir.",
            ) from None
        self._environ[SOCKET] = f"{name}/socket"

    def _open(self) -> None:
        """Load what is slow to load, now that the job runs or has to wait for it."""
        if self.identity is None or self._listener is None:
            return
        from worker.control import Control, Stopping
        from worker.keeper import Keeper

        self.stopping = Stopping()
        self.keeper = Keeper(self.options, self.identity, self.log, self._on_lost)
        self.keeper.start(f"{self.scratch}/spool", self.job.pid)
        self.keeper.opened.add_done_callback(lambda _: self.inbox.note())
        if self.options.checkpoint_dir or self.options.output_dir:
            from worker.rhythm import Rhythm

            self.rhythm = Rhythm(
                self.keeper.save_folders, self.options.every_seconds, self.options.marker
            )
        self.control = Control(
            self._listener, f"{self.scratch}/outputs", self.identity, self.keeper, self.stopping
        )

    def _await_opening(self) -> Outcome | None:
        """Wait until the run is restored; an outcome when there is nothing left to run."""
        assert self.keeper is not None
        opened = self.keeper.opened
        while not opened.done() and not self._grace_is_over():
            self._turn()
        if opened.done() and opened.exception() is None and opened.result():
            return Outcome(
                Exit.FINISHED, None, "A commit begun by an earlier attempt was finished."
            )
        if opened.done() and opened.exception() is not None:
            return self._trouble(opened.exception())
        if self.why is not None:
            return self._save_and_leave(self._stopped())
        return None

    # The main loop.

    def _turn(self) -> None:
        """Wait for the next event or deadline and act on it."""
        for number in self.inbox.wait(self._next_deadline()):
            if number == signals.NOTE:
                self._look_at_keeper()
            elif number != signal.SIGCHLD:
                self._on_signal(number)
        self._reap()
        self._on_deadlines()

    def _reap(self) -> None:
        ended = processes.reap()
        if self.job.pid in ended and self.job_status is None:
            self.job_status = ended[self.job.pid]
            self.job_running = False

    def _on_signal(self, number: int) -> None:
        self._reap()
        if number == signal.SIGTERM:
            if self.job_status is not None:
                self.log.info(
                    "notice", "SIGTERM after the job had ended; what is under way goes on."
                )
            elif self.why is None:
                self._notice(Reason.INTERRUPTED)
            else:
                self.log.info("notice", "Another SIGTERM; the stop goes on as it is.")
            return
        if self.options.forward and self.job_running:
            processes.signal_group(self.job.pid, number, self.options.single_child)
        if number in signals.SUSPENDING and os.getpid() != 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _notice(self, why: Reason) -> None:
        """Stage one: tell the job, and share out the grace."""
        from worker.stages import shares

        self.why = why
        self.noticed = time.monotonic()
        self.shares = shares(
            self.options.stop_timeout_seconds,
            self.keeper.save_seconds if self.keeper else 0.0,
            self.options.on_stop_seconds if self.options.on_stop else 0.0,
            self.options.drain_seconds,
        )
        what = "SIGTERM" if why is Reason.INTERRUPTED else "The attempt's own time limit"
        drain = self.shares.drain_end
        if self.stopping:
            self.stopping.begin(self.noticed + drain)
        if self.job_running and drain > 0 and self.options.forward:
            processes.signal_group(self.job.pid, self.options.signal_job, self.options.single_child)
        if drain <= 0:
            self._kill_job()
        self.log.info(
            "notice",
            f"{what} came; the job has {drain:.1f} s to end.",
            reason=why,
            drain_seconds=round(drain, 3),
            grace_seconds=self.options.stop_timeout_seconds,
        )
        self.log.info("drain", "The unit in hand may end.")

    def _kill_job(self) -> None:
        if self.job_running and not self.killed:
            self.killed = True
            if self.keeper and self.options.output_dir:
                from worker.folders import held_open

                self.held = held_open(self.options.output_dir, processes.descendants())
            processes.signal_group(self.job.pid, signal.SIGKILL)

    def _on_deadlines(self) -> None:
        now = time.monotonic()
        due = self._stop_at is not None and now >= self._stop_at
        if due and self.why is None and self.job_status is None:
            self._notice(Reason.TIMED_OUT)
        if self.why and self.job_running and now >= self.noticed + self.shares.drain_end:
            if not self.killed:
                self.log.warning("drain", "The job did not end in its share of the grace; killed.")
            self._kill_job()

    def _next_deadline(self) -> float | None:
        now = time.monotonic()
        ends: list[float] = []
        if self.why is None and self._stop_at is not None:
            ends.append(self._stop_at)
        elif self.why is not None and self.job_running and not self.killed:
            ends.append(self.noticed + self.shares.drain_end)
        elif self.why is not None:
            ends.append(self.noticed + self.shares.save_end)
        return max(0.0, min(ends) - now) if ends else None

    def _look_at_keeper(self) -> None:
        """The fence of a first attempt was refused, or lost later: the job has to go."""
        opened = self.keeper.opened if self.keeper else None
        if self.lost is None and opened and opened.done() and opened.exception():
            error = opened.exception()
            self.lost = error if isinstance(error, WorkerError) else _unexpected(error)
        if self.lost is not None:
            self._kill_job()

    def _on_lost(self, error: FenceLost) -> None:
        self.lost = error
        self.inbox.note()

    # Ending.

    def _after_job(self) -> Outcome:
        """The job has ended: what that means, and what is still to be done for it."""
        assert self.job_status is not None
        code = processes.exit_code(self.job_status)
        self._end_leftovers()
        if self.rhythm:
            self.rhythm.stop()
        if self.lost is not None:
            return self._trouble(self.lost)
        finished = code == 0 and (self.why is None or bool(self.control and self.control.all_done))
        if finished:
            return self._commit()
        if self.why is not None:
            if self.options.on_stop:
                self._run_on_stop()
            return self._save_and_leave(self._stopped())
        return self._save_and_leave(self._failed(code))

    def _run_on_stop(self) -> None:
        """Run the user's own command for a stop, within its share of the grace."""
        self.log.info("on-stop", "The command for a stop runs.", command=self.options.on_stop)
        shell = ["/bin/sh", "-c", self.options.on_stop]
        pid = os.posix_spawn(
            "/bin/sh", shell, self._environ, setpgroup=0, setsigmask=[], setsigdef=[signal.SIGPIPE]
        )
        end = self.noticed + self.shares.on_stop_end
        ended: dict[int, int] = {}
        while pid not in ended and time.monotonic() < end:
            for number in self.inbox.wait(end - time.monotonic()):
                if number not in (signals.NOTE, signal.SIGCHLD):
                    self._on_signal(number)
            ended |= processes.reap()
        code = processes.exit_code(ended[pid]) if pid in ended else None
        if code != 0:
            how = "was killed at the end of its share" if code is None else f"ended with {code}"
            self.log.warning("on-stop", f"The command for a stop {how}.", exit_code=code)
        self._end_children()

    def _end_leftovers(self) -> None:
        """End what the job left behind: SIGTERM, a moment, SIGKILL; also outside its group."""
        if not self.killed:
            processes.signal_group(self.job.pid, signal.SIGTERM)
            end = time.monotonic() + LEFTOVER_SECONDS
            if self.why is not None:
                end = min(end, self.noticed + self.shares.drain_end)
            while processes.children() and time.monotonic() < end:
                for number in self.inbox.wait(min(0.05, max(0.0, end - time.monotonic()))):
                    if number not in (signals.NOTE, signal.SIGCHLD):
                        self._on_signal(number)
                processes.reap()
        self._end_children()

    def _end_children(self) -> None:
        while not processes.kill_children():
            self.inbox.wait(0.005)
            self._reap()

    def _stopped(self) -> Outcome:
        assert self.why is not None
        if self.why is Reason.TIMED_OUT:
            return Outcome(Exit.TIMED_OUT, self.why, "Stopped by the attempt's own time limit.")
        return Outcome(
            Exit.INTERRUPTED, self.why, "Interrupted by SIGTERM before the job finished."
        )

    def _failed(self, code: int) -> Outcome:
        if code and processes.oom_kills() > self.ooms:
            return Outcome(
                code,
                Reason.OUT_OF_MEMORY,
                f"A process was killed for memory; the job ended with {code}.",
            )
        if code == Exit.TRY_AGAIN:
            return Outcome(code, Reason.TRY_AGAIN, "The job asks to be tried again (exit 75).")
        return Outcome(code, Reason.FAILED, f"The job ended with exit code {code}.")

    def _commit(self) -> Outcome:
        if self.keeper is None:
            return Outcome(Exit.FINISHED, None, "The job finished.")
        self.log.info("publish", "The job finished; its outputs are published.")
        future = self.keeper.commit()
        self._await(future, None)
        error = future.exception()
        if error is not None:
            return self._trouble(error)
        record = future.result()
        return Outcome(
            Exit.FINISHED,
            None,
            f"The run is complete: {record['units']} units, {len(record['outputs'])} outputs.",
        )

    def _save_and_leave(self, outcome: Outcome) -> Outcome:
        if self.keeper is None:
            return outcome
        assert outcome.reason is not None
        self.log.info("save", "What is done is made durable.")
        saved = self.keeper.save_last(self.held)
        self._await(saved, self._save_end())
        if saved.done() and isinstance(saved.exception(), FenceLost):
            return self._trouble(saved.exception())
        if saved.done() and saved.exception():
            self.log.error("save", f"The last checkpoint could not be saved: {saved.exception()}")
        self.log.info("withdraw", "Half-made outputs are withdrawn.")
        withdrawn = self.keeper.withdraw()
        word = self.keeper.leave(outcome.reason, outcome.code, outcome.sentence)
        self._await(word, self._save_end())
        if word.done() and isinstance(word.exception(), FenceLost):
            return self._trouble(word.exception())
        if not word.done() or word.exception() or withdrawn.exception():
            self.log.warning("leave", "The last word could not be written in time.")
        return outcome

    def _trouble(self, error: BaseException | None) -> Outcome:
        """The worker's own trouble: end the job if it runs, say it where possible, leave."""
        self._kill_job()
        while self.job_running:
            self._turn()
        if isinstance(error, AlreadyComplete):
            return Outcome(Exit.FINISHED, None, error.sentence)
        known = error if isinstance(error, WorkerError) else _unexpected(error)
        outcome = Outcome(known.exit_code, known.reason, str(known))
        if self.keeper and not isinstance(known, FenceLost):
            word = self.keeper.leave(known.reason, known.exit_code, str(known))
            self._await(word, time.monotonic() + LEFTOVER_SECONDS)
        return outcome

    def _await(self, future: Future[Any], until: float | None) -> None:
        """Go on answering signals until the future is done or the time is over."""
        future.add_done_callback(lambda _: self.inbox.note())
        while not future.done():
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            for number in self.inbox.wait(left):
                if number not in (signals.NOTE, signal.SIGCHLD):
                    self._on_signal(number)
            processes.reap()

    def _save_end(self) -> float | None:
        return self.noticed + self.shares.save_end if self.why is not None else None

    def _grace_is_over(self) -> bool:
        return self.why is not None and time.monotonic() >= self.noticed + self.shares.save_end

    def _end(self, outcome: Outcome) -> int:
        self._end_children()
        write = self.log.info if outcome.code == 0 else self.log.warning
        write(
            "leave",
            outcome.sentence,
            reason=outcome.reason or "finished",
            exit_code=int(outcome.code),
            seconds=round(time.monotonic() - self.started, 3),
        )
        self._clean()
        return int(outcome.code)

    def _clean(self) -> None:
        if self.scratch:
            import shutil

            shutil.rmtree(self.scratch, ignore_errors=True)

    def _monotonic(self, at: float | None) -> float | None:
        return None if at is None else time.monotonic() + at - time.time()


def _unexpected(error: BaseException | None) -> WorkerError:
    return SetupError(f"The worker met an error of its own: {error!r}.", "Please report it.")
