"""How an attempt ends once the job is gone: save, withdraw, leave, or publish.

Decides what the job's end means, has the keeper do it within what is left of the grace, and gives
the exit code of the contract. Signals go on being answered meanwhile by the loop it waits in. It
knows nothing of the supervisor, which hands it the job, the grace and the keeper.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from steadyspot.contract import Exit, Reason, logs
from steadyspot.contract import metrics as names
from steadyspot.worker import telemetry
from steadyspot.worker.errors import (
    AlreadyComplete,
    FenceLost,
    Unreachable,
    WorkerError,
    as_trouble,
)
from steadyspot.worker.log import Log
from steadyspot.worker.options import Identity, Options
from steadyspot.worker.supervising import processes
from steadyspot.worker.supervising.grace import Grace, Phase
from steadyspot.worker.supervising.job import JobProcess
from steadyspot.worker.supervising.loop import Loop
from steadyspot.worker.supervising.telling import Telling
from steadyspot.worker.traces import PUBLISH, RESTORE, SAVE, Trace

if TYPE_CHECKING:  # A worker without a run does not load what speaks with AWS.
    from concurrent.futures import Future

    from steadyspot.contract.records import CompletionColumn
    from steadyspot.worker.keeping.keeper import Keeper
    from steadyspot.worker.supervising.rhythm import Rhythm

LEFTOVER_SECONDS = 5.0
"""How long processes that a finished job left behind may take to end on SIGTERM.

And before that, to write what they have open in the folder for outputs to its end.
"""

PARTING_SECONDS = 0.5
"""How long what ends by itself after its parent may take, such as Python's resource tracker."""

LOOK_SECONDS = 0.1
"""How often it is looked for a process that spoke with the worker and is gone."""

TRACE_SECONDS = 1.0
"""The longest that a trace is waited for."""

WORD_SECONDS = 5.0
"""The longest that the stop report is waited for where no grace limits it."""


class Outcome:
    """How the attempt ends: exit code, the worker's reason, a sentence, more for the log."""

    def __init__(
        self,
        code: int,
        reason: Reason | None,
        sentence: str,
        details: Mapping[str, str] | None = None,
    ) -> None:
        self.code = int(code)
        self.reason = reason
        self.sentence = sentence
        self.details = details or {}

    @property
    def report(self) -> tuple[Reason, int, str]:
        """What the attempt writes down when it leaves without having finished."""
        assert self.reason is not None
        return self.reason, self.code, self.sentence

    @classmethod
    def of(cls, error: WorkerError) -> Outcome:
        """Return how an attempt ends that this error ended."""
        return cls(error.exit_code, error.reason, str(error), error.details())


class Parts(NamedTuple):
    """What an ending works with. ``keeper`` is none where no state machine started the worker.

    ``finished``: whether the job said that all is done; ``began``: when the worker did, in seconds
    since the epoch; ``ooms``: kills for memory in the container before the job began.
    """

    options: Options
    environ: Mapping[str, str]
    log: Log
    job: JobProcess
    grace: Grace
    loop: Loop
    telling: Telling
    keeper: Keeper | None
    rhythm: Rhythm | None
    finished: Callable[[], bool]
    began: float
    ooms: int
    trace: Trace


class Ending:
    """Leads one attempt from the job's end to the exit code."""

    def __init__(self, parts: Parts) -> None:
        self._options = parts.options
        self._environ = parts.environ
        self._log = parts.log
        self._job = parts.job
        self._grace = parts.grace
        self._loop = parts.loop
        self._telling = parts.telling
        self._keeper = parts.keeper
        self._rhythm = parts.rhythm
        self._finished = parts.finished
        self._began = parts.began
        self._ooms = parts.ooms
        self._lost_seconds = 0.0
        self._left_behind = 0
        self._unfinished: set[str] = set()
        self._finished_run = False
        self._traced = False
        self._tracing = threading.Lock()
        self._sent: Future[None] | None = None
        self._saved: Future[Any] | None = None
        self._report: Future[Any] | None = None
        self._identity = parts.options.identity
        self._trace = parts.trace

    def before_job(self) -> Outcome | None:
        """What there is to say instead of running the job, if anything."""
        assert self._keeper is not None
        opened = self._keeper.opened
        gave_up = opened.done() and isinstance(opened.exception(), Unreachable)
        if gave_up and self._grace.why is not None:
            return self._stopped()  # But for the stop, AWS would still be waited for.
        if self._job.trouble is not None:
            return self._trouble(self._job.trouble)
        if not opened.done():
            return self._stopped()
        if opened.exception() is not None:
            return self._trouble(as_trouble(opened.exception()))
        if opened.result():
            self._finished_run = True
            return Outcome(
                Exit.FINISHED,
                None,
                "The commit of an earlier attempt was finished; nothing to run.",
            )
        return self._save_and_leave(self._stopped()) if self._grace.why else None

    def begin(self) -> None:
        """The job was killed for a stop: save and say so while the system takes it apart.

        That takes long where it held much memory. Only folders, a command for the stop, and a job
        that had said it was through with its work, which may have ended well, have to wait for it.
        """
        if (
            self._keeper is None
            or self._rhythm
            or self._options.on_stop
            or self._finished()
            or self._job.trouble
        ):
            return
        outcome, begun = self._stopped(), time.time()
        self._saved = last = self._keeper.save_last(self._job.held)

        def traced(saved: Future[Any]) -> None:
            self._trace.add(SAVE, begun, time.time(), saved.exception() is not None)
            self._send_trace(self._as_saved(outcome, saved.exception()))

        last.add_done_callback(traced)
        self._keeper.withdraw()
        self._report = self._keeper.leave(
            lambda: self._as_saved(outcome, last.exception()).report, self._grace.used
        )

    def after_job(self) -> Outcome:
        """The job has ended: what that means, done."""
        assert self._job.status is not None
        code = processes.exit_code(self._job.status)
        self._telling.first_ended(code)
        finished = code == 0 and (self._grace.why is None or self._finished())
        self._end_leftovers(finished)
        self._grace.enter(Phase.SAVING)
        if self._rhythm:
            self._rhythm.stop()
        if self._job.trouble is not None:
            return self._trouble(self._job.trouble)
        if finished:
            if self._keeper and self._keeper.trouble:
                return self._save_and_leave(self._failed(code))
            return self._publish()
        if self._grace.why is not None:
            if self._options.on_stop:
                self._run_on_stop()
            return self._save_and_leave(self._stopped())
        return self._save_and_leave(self._lacking() or self._failed(code))

    def leave(self, outcome: Outcome) -> int:
        """The last stage: say it, send what was measured, leave nothing behind; the exit code."""
        self._grace.enter(Phase.LEAVING)
        self._end_children()
        write = self._log.info if outcome.code == 0 else self._log.warning
        write(
            "leave",
            outcome.sentence,
            **{logs.REASON: outcome.reason or "finished"},
            exit_code=outcome.code,
            seconds=round(time.time() - self._began, 3),
            **outcome.details,
        )
        self._tell_numbers(outcome)
        return outcome.code

    # What the end of the job means.

    def _stopped(self) -> Outcome:
        if self._grace.why is Reason.TIMED_OUT:
            return Outcome(Exit.TIMED_OUT, self._grace.why, f"Stopped by {self._grace.by}.")
        return Outcome(
            Exit.INTERRUPTED,
            Reason.INTERRUPTED,
            f"Interrupted by {self._grace.by} before the job finished.",
        )

    def _failed(self, code: int) -> Outcome:
        if not self._job.began:
            sentence = "The job's first process was killed before it could begin."
            return Outcome(code, Reason.FAILED, sentence)
        if code and processes.oom_kills() > self._ooms:
            sentence = f"A process was killed for memory; the job ended with {code}."
            return Outcome(code, Reason.OUT_OF_MEMORY, sentence)
        trouble = self._keeper.trouble if self._keeper else None
        if trouble is not None:
            return Outcome.of(trouble)
        if code == Exit.TRY_AGAIN:
            return Outcome(code, Reason.TRY_AGAIN, "The job asks to be tried again (exit 75).")
        return Outcome(code, Reason.FAILED, f"The job ended with exit code {code}.")

    def _lacking(self) -> Outcome | None:
        """The job may have failed for what units that were left out had written elsewhere."""
        if self._keeper is None:
            return None
        found = self._ask(self._keeper.begin_anew_where_lacking())
        error = found.result() if found.done() and not found.exception() else None
        return Outcome.of(error) if error else None

    # Doing it.

    def _end_leftovers(self, finished: bool) -> None:
        """Tell what the job left behind, wait for it, kill it; also outside its group.

        At a stop it has the rest of the job's share, else ``LEFTOVER_SECONDS``. What it writes into
        the folder for outputs all the same is ``_unfinished`` once the job has ended well.
        """
        left, held = [] if self._job.killed else processes.descendants(), self._job.held
        if left and finished:
            self._let_end()
            left = processes.descendants()
            self._left_behind = len(left)
            self._unfinished = self._job.being_written()
        if self._left_behind:
            self._log.warning(
                "left-behind",
                "The job's first process ended and left work running in the background, which is"
                " ended now. If it belongs to the job, have the first process wait for it ('wait'"
                " in a shell).",
                processes=len(left),
            )
        begun = time.monotonic()
        while left and processes.children():
            seconds = self._leftover_end(begun, finished) - time.monotonic()
            if seconds <= 0:
                break
            self._telling.go_on()
            self._loop.turn(min(LOOK_SECONDS, seconds))
        self._end_children()
        if finished:
            self._unfinished |= self._job.held - held

    def _let_end(self) -> None:
        """Give what ends by itself its time, longer where it writes an output to its end."""
        begun = time.monotonic()
        self._loop.wait(lambda: not processes.children(), begun + PARTING_SECONDS)
        self._loop.wait(
            lambda: not self._job.being_written() or self._grace.noticed > 0,
            begun + LEFTOVER_SECONDS,
        )

    def _leftover_end(self, begun: float, finished: bool) -> float:
        longest = begun + LEFTOVER_SECONDS
        if not self._grace.noticed:
            return longest
        share = self._grace.drain_end
        return min(share, longest) if finished else share

    def _end_children(self) -> None:
        self._job.stop_to_kill()
        while not processes.kill_children():
            self._loop.turn(0.005)
            self._job.stop_to_kill()

    def _run_on_stop(self) -> None:
        """Run the user's own command for a stop, within its share of the grace."""
        self._job.end_proofs()
        self._log.info("on-stop", "The command for a stop runs.", command=self._options.on_stop)
        shell = ["/bin/sh", "-c", self._options.on_stop]
        pid = os.posix_spawn(
            "/bin/sh", shell, self._environ, setpgroup=0, setsigmask=[], setsigdef=[signal.SIGPIPE]
        )
        status: list[int] = []

        def ended() -> bool:
            status.extend([self._loop.ended[pid]] if pid in self._loop.ended else [])
            return bool(status)

        self._loop.wait(ended, self._grace.on_stop_end)
        code = processes.exit_code(status[0]) if status else None
        if code != 0:
            how = "was killed at the end of its share" if code is None else f"ended with {code}"
            self._log.warning("on-stop", f"The command for a stop {how}.", exit_code=code)
        self._end_children()

    def _publish(self) -> Outcome:
        if self._keeper is None:
            return Outcome(Exit.FINISHED, None, "The job finished.")
        self._log.info("publish", "The job finished; its outputs are published.")
        with self._trace.part(PUBLISH):
            published = self._ask(self._keeper.commit(self._left_behind, self._unfinished))
        if not published.done():
            by = self._grace.by
            sentence = f"Interrupted by {by} while publishing; the next attempt finishes it."
            return Outcome(Exit.INTERRUPTED, Reason.INTERRUPTED, sentence)
        if published.exception() is not None:
            return self._trouble(as_trouble(published.exception()))
        self._finished_run = True
        record: CompletionColumn = published.result()
        units, outputs = record["units"], record["outputs"]
        return Outcome(
            Exit.FINISHED, None, f"The run is complete: {units} units, {outputs} outputs."
        )

    def _save_and_leave(self, outcome: Outcome) -> Outcome:
        if self._keeper is None:
            return outcome
        self._log.info("save", "What is done is made durable.")
        saved = self._saved
        if saved is None:
            with self._trace.part(SAVE):
                saved = self._ask(self._keeper.save_last(self._job.held))
        else:
            self._ask(saved)
        error = saved.exception() if saved.done() else None
        if isinstance(error, FenceLost):
            return self._trouble(error)
        outcome = self._as_saved(outcome, error)
        if error is not None or not saved.done():
            why = as_trouble(error) if error else "its share of the grace is over."
            details = why.details() if isinstance(why, WorkerError) else {}
            self._log.error("save", f"The last checkpoint could not be saved: {why}", **details)
        self._log.info("withdraw", "Half-made outputs are withdrawn.")
        if self._report is None:
            self._keeper.withdraw()
        return self._say(outcome) or outcome

    def _as_saved(self, outcome: Outcome, error: BaseException | None) -> Outcome:
        """After a stop, what hindered the last save says more than the stop does."""
        if error is None or self._grace.why is None:
            return outcome
        return Outcome.of(as_trouble(error))

    def _say(self, outcome: Outcome) -> Outcome | None:
        """Write the stop report; another outcome when it shows that the fence is lost."""
        assert self._keeper is not None
        until = None
        if not self._grace.noticed:
            until = time.monotonic() + WORD_SECONDS
            self._keeper.hurry(until)
        report = self._report
        if report is None:
            self._send_trace(outcome)
            report = self._keeper.leave(lambda: outcome.report, self._grace.used)
        self._ask(report, until)
        error = report.exception() if report.done() else None
        if isinstance(error, FenceLost):
            return self._trouble(error)
        if error is not None or not report.done():
            self._log.warning(
                "leave", f"The stop report could not be written: {error or 'no time.'}"
            )
        else:
            self._lost_seconds = report.result()
        return None

    def _trouble(self, error: WorkerError) -> Outcome:
        """The worker's own trouble: end the job if it runs, say it where possible."""
        self._job.kill()
        self._loop.wait(lambda: not self._job.running)
        if isinstance(error, AlreadyComplete):
            return Outcome(Exit.FINISHED, None, error.sentence)
        outcome = Outcome.of(error)
        if self._keeper is None:
            return outcome
        if isinstance(error, FenceLost):
            self._ask(self._keeper.abandon(), time.monotonic() + WORD_SECONDS)
            return outcome
        self._keeper.withdraw()
        return self._say(outcome) or outcome

    def _ask(self, future: Future[Any], until: float | None = None) -> Future[Any]:
        """Wait for the keeper, within the grace of a stop, while signals are answered."""
        future.add_done_callback(lambda _: self._loop.inbox.note())
        self._loop.wait(future.done, until)
        return future

    def _tell_numbers(self, outcome: Outcome) -> None:
        """The lines of metrics, and the trace, which is never waited for longer than a second."""
        keeper, identity = self._keeper, self._identity
        if keeper is None or identity is None:
            return
        self._log.raw({**self._metrics(identity, outcome), **keeper.numbers(), **self._log.about})
        for capacity, cause, times in telemetry.refused(identity.refusals):
            refused = {names.JOB: identity.job, names.CAPACITY: capacity, names.CAUSE: cause}
            line = telemetry.embedded_metrics(
                refused, {tuple(refused): {names.REFUSALS: times}}, time.time()
            )
            self._log.raw({**line, **self._log.about})
        self._send_trace(outcome)
        if self._sent is not None:
            self._ask(self._sent, time.monotonic() + TRACE_SECONDS)

    def _metrics(self, identity: Identity, outcome: Outcome) -> dict[str, Any]:
        """Return what is counted of the attempt, and of its run by the one that finished that."""
        now = time.time()
        began = self._job.began or None
        seconds = round(now - self._began, 3)
        run, runs, delays = telemetry.of_run(
            telemetry.Times(began, now, identity.scheduled, identity.deadline),
            first=identity.attempt == 1 and identity.shard_of is None,
            finished=self._finished_run and identity.shard_of is None,
        )
        grace: dict[str, float] = {}
        if self._grace.why is Reason.INTERRUPTED:
            used = time.monotonic() - self._grace.noticed
            grace = {
                "SignalToExitSeconds": round(used, 3),
                "GracePercent": round(100 * used / max(1.0, self._grace.seconds), 1),
            }
        dimensions = {
            names.JOB: identity.job,
            names.CAPACITY: identity.capacity or "unknown",
            names.CAUSE: str(outcome.reason or "finished"),
            names.OUTCOME: run,
        }
        metrics: dict[tuple[str, ...], telemetry.Values] = {
            (names.JOB, names.CAPACITY): {
                "RunSeconds": seconds,
                "LostSeconds": round(self._lost_seconds, 3),
                **telemetry.money(identity.prices, identity.capacity, seconds, self._lost_seconds),
            },
            (names.JOB, names.CAUSE): {"Attempts": 1},
            (names.JOB, names.OUTCOME): runs,
            (names.JOB,): {**delays, **grace},
        }
        line = telemetry.embedded_metrics(dimensions, metrics, now)
        return line | ({"StartupSeconds": round(began - self._began, 3)} if began else {})

    def _send_trace(self, outcome: Outcome) -> None:
        """Send the trace, once, beside whatever else there is to wait for."""
        keeper = self._keeper
        with self._tracing:
            if self._traced or keeper is None:
                return
            self._traced = True
            job = (self._job.began, self._job.ended or time.time()) if self._job.began else None
            if keeper.restored:
                self._trace.add(RESTORE, *keeper.restored)
            cause = outcome.reason or "finished"
            self._sent = keeper.send_trace(self._trace.closed(outcome.code, cause, job))
