"""How an attempt ends once the job is gone: save, withdraw, leave, or publish.

Decides what the job's end means, has the keeper do it within what is left of the grace, and gives
the exit code of the contract. Signals go on being answered meanwhile by the supervisor it belongs
to.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Exit, Reason
from steadyspot.worker.errors import AlreadyComplete, FenceLost, WorkerError
from steadyspot.worker.supervising import processes
from steadyspot.worker.supervising.supervisor import as_trouble
from steadyspot.worker.telemetry import Trace, embedded_metrics

if TYPE_CHECKING:
    from steadyspot.worker.supervising.supervisor import Supervisor

LEFTOVER_SECONDS = 5.0
"""How long processes that a finished job left behind may take to end on SIGTERM."""

LOOK_SECONDS = 0.1
"""How often it is looked for a process that spoke with the worker and is gone."""

TRACE_SECONDS = 1.0
"""The longest that a trace is waited for."""

WORD_SECONDS = 5.0
"""The longest that the last word is waited for where no grace limits it."""


class Outcome:
    """How the attempt ends: exit code, the worker's word for it, and a sentence."""

    def __init__(self, code: int, reason: Reason | None, sentence: str) -> None:
        self.code = int(code)
        self.reason = reason
        self.sentence = sentence


class Ending:
    """Leads one attempt from the job's end to the exit code."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._of = supervisor
        self._lost_seconds = 0.0
        self._traced = False
        self._tracing = threading.Lock()
        self._sent: Future[None] | None = None
        self._saved: Future[Any] | None = None
        self._word: Future[Any] | None = None
        identity = supervisor.identity
        annotations: dict[str, Any] = {"capacity": identity.capacity} if identity else {}
        if identity:
            annotations |= identity.about()
        self._trace = Trace(identity.job if identity else "job", annotations)

    def before_job(self) -> Outcome | None:
        """What there is to say instead of running the job, if anything."""
        assert self._of.keeper is not None
        opened = self._of.keeper.opened
        if not opened.done():
            return self._stopped()
        if opened.exception() is not None:
            return self._trouble(as_trouble(opened.exception()))
        if opened.result():
            return Outcome(
                Exit.FINISHED,
                None,
                "The commit of an earlier attempt was finished; nothing to run.",
            )
        return self._save_and_leave(self._stopped()) if self._of.why else None

    def begin(self) -> None:
        """The job was killed for a stop: save and say so while the system takes it apart.

        That takes long where it held much memory. Only folders, a command for the stop, and a job
        that had said it was through with its work, which may have ended well, have to wait for it.
        """
        of = self._of
        if of.keeper is None or of.rhythm or of.options.on_stop or of.finished() or of.lost:
            return
        outcome, begun = self._stopped(), time.time()
        assert outcome.reason is not None
        self._saved = of.keeper.save_last(of.held)

        def traced(saved: Future[Any]) -> None:
            self._trace.add("save", begun, time.time(), saved.exception() is not None)
            self._send_trace(outcome)

        self._saved.add_done_callback(traced)
        of.keeper.withdraw()
        self._word = of.keeper.leave(outcome.reason, outcome.code, outcome.sentence)

    def after_job(self) -> Outcome:
        """The job has ended: what that means, done."""
        of = self._of
        assert of.job_status is not None
        code = processes.exit_code(of.job_status)
        finished = code == 0 and (of.why is None or of.finished())
        self._end_leftovers(finished)
        if of.rhythm:
            of.rhythm.stop()
        if of.lost is not None:
            return self._trouble(of.lost)
        if finished:
            if of.keeper and of.keeper.trouble:
                return self._save_and_leave(self._failed(code))
            return self._publish()
        if of.why is not None:
            if of.options.on_stop:
                self._run_on_stop()
            return self._save_and_leave(self._stopped())
        return self._save_and_leave(self._failed(code))

    def leave(self, outcome: Outcome) -> int:
        """The last stage: say it, send what was measured, leave nothing behind; the exit code."""
        self._end_children()
        write = self._of.log.info if outcome.code == 0 else self._of.log.warning
        write(
            "leave",
            outcome.sentence,
            reason=outcome.reason or "finished",
            exit_code=outcome.code,
            seconds=round(time.time() - self._of.began, 3),
        )
        self._tell_numbers(outcome)
        if self._of.scratch:
            shutil.rmtree(self._of.scratch, ignore_errors=True)
        return outcome.code

    # What the end of the job means.

    def _stopped(self) -> Outcome:
        if self._of.why is Reason.TIMED_OUT:
            return Outcome(Exit.TIMED_OUT, self._of.why, "Stopped by the attempt's own time limit.")
        return Outcome(
            Exit.INTERRUPTED, Reason.INTERRUPTED, "Interrupted by SIGTERM before the job finished."
        )

    def _failed(self, code: int) -> Outcome:
        if code and processes.oom_kills() > self._of.ooms:
            sentence = f"A process was killed for memory; the job ended with {code}."
            return Outcome(code, Reason.OUT_OF_MEMORY, sentence)
        trouble = self._of.keeper.trouble if self._of.keeper else None
        if trouble is not None:
            return Outcome(trouble.exit_code, trouble.reason, str(trouble))
        if code == Exit.TRY_AGAIN:
            return Outcome(code, Reason.TRY_AGAIN, "The job asks to be tried again (exit 75).")
        return Outcome(code, Reason.FAILED, f"The job ended with exit code {code}.")

    # Doing it.

    def _end_leftovers(self, finished: bool) -> None:
        """Tell what the job left behind, wait for it, kill it; also outside its group.

        At a stop it has the rest of the job's share, else ``LEFTOVER_SECONDS``.
        """
        of = self._of
        left = [] if of.killed else processes.descendants()
        if left and finished:
            of.log.warning(
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
                of.look_at_held()
                break
            of.telling.go_on()
            of.turn(min(LOOK_SECONDS, seconds))
        self._end_children()

    def _leftover_end(self, begun: float, finished: bool) -> float:
        of = self._of
        longest = begun + LEFTOVER_SECONDS
        if not of.noticed:
            return longest
        share = of.noticed + of.shares.drain_end
        return min(share, longest) if finished else share

    def _end_children(self) -> None:
        while not processes.kill_children():
            self._of.turn(0.005)

    def _run_on_stop(self) -> None:
        """Run the user's own command for a stop, within its share of the grace."""
        of = self._of
        of.log.info("on-stop", "The command for a stop runs.", command=of.options.on_stop)
        shell = ["/bin/sh", "-c", of.options.on_stop]
        pid = os.posix_spawn(
            "/bin/sh", shell, of.environ, setpgroup=0, setsigmask=[], setsigdef=[signal.SIGPIPE]
        )
        status: list[int] = []

        def ended() -> bool:
            status.extend([of.ended[pid]] if pid in of.ended else [])
            return bool(status)

        of.wait(ended, of.noticed + of.shares.on_stop_end)
        code = processes.exit_code(status[0]) if status else None
        if code != 0:
            how = "was killed at the end of its share" if code is None else f"ended with {code}"
            of.log.warning("on-stop", f"The command for a stop {how}.", exit_code=code)
        self._end_children()

    def _publish(self) -> Outcome:
        of = self._of
        if of.keeper is None:
            return Outcome(Exit.FINISHED, None, "The job finished.")
        of.log.info("publish", "The job finished; its outputs are published.")
        with self._trace.part("publish"):
            published = self._ask(of.keeper.commit())
        if not published.done():
            sentence = "Interrupted by SIGTERM while publishing; the next attempt finishes it."
            return Outcome(Exit.INTERRUPTED, Reason.INTERRUPTED, sentence)
        if published.exception() is not None:
            return self._trouble(as_trouble(published.exception()))
        record = published.result()
        units, outputs = record["units"], len(record["outputs"])
        return Outcome(
            Exit.FINISHED, None, f"The run is complete: {units} units, {outputs} outputs."
        )

    def _save_and_leave(self, outcome: Outcome) -> Outcome:
        of = self._of
        if of.keeper is None:
            return outcome
        assert outcome.reason is not None
        of.log.info("save", "What is done is made durable.")
        saved = self._saved
        if saved is None:
            with self._trace.part("save"):
                saved = self._ask(of.keeper.save_last(of.held))
        else:
            self._ask(saved)
        error = saved.exception() if saved.done() else None
        if isinstance(error, FenceLost):
            return self._trouble(error)
        if error is not None or not saved.done():
            why = error or "its share of the grace is over."
            of.log.error("save", f"The last checkpoint could not be saved: {why}")
        of.log.info("withdraw", "Half-made outputs are withdrawn.")
        if self._word is None:
            of.keeper.withdraw()
        return self._say(outcome) or outcome

    def _say(self, outcome: Outcome) -> Outcome | None:
        """Write the last word; another outcome when it shows that the fence is lost."""
        of = self._of
        assert of.keeper is not None
        assert outcome.reason is not None
        until = None if of.noticed else time.monotonic() + WORD_SECONDS
        word = self._word
        if word is None:
            self._send_trace(outcome)
            word = of.keeper.leave(outcome.reason, outcome.code, outcome.sentence)
        self._ask(word, until)
        error = word.exception() if word.done() else None
        if isinstance(error, FenceLost):
            return self._trouble(error)
        if error is not None or not word.done():
            of.log.warning("leave", f"The last word could not be written: {error or 'no time.'}")
        else:
            self._lost_seconds = word.result()
        return None

    def _trouble(self, error: WorkerError) -> Outcome:
        """The worker's own trouble: end the job if it runs, say it where possible."""
        of = self._of
        of.kill_job()
        of.wait(lambda: not of.job_running)
        if isinstance(error, AlreadyComplete):
            return Outcome(Exit.FINISHED, None, error.sentence)
        outcome = Outcome(error.exit_code, error.reason, str(error))
        if of.keeper is None:
            return outcome
        if isinstance(error, FenceLost):
            self._ask(of.keeper.abandon(), time.monotonic() + WORD_SECONDS)
            return outcome
        of.keeper.withdraw()
        return self._say(outcome) or outcome

    def _ask(self, future: Future[Any], until: float | None = None) -> Future[Any]:
        """Wait for the keeper, within the grace of a stop, while signals are answered."""
        future.add_done_callback(lambda _: self._of.inbox.note())
        self._of.wait(future.done, until)
        return future

    def _tell_numbers(self, outcome: Outcome) -> None:
        """The metrics' line, and the trace, which is never waited for longer than a second."""
        of, keeper, identity = self._of, self._of.keeper, self._of.identity
        if keeper is None or identity is None:
            return
        now = time.time()
        values: dict[str, float] = {
            "RunSeconds": round(now - of.began, 3),
            "LostSeconds": round(self._lost_seconds, 3),
        } | keeper.numbers()
        if of.job_began:
            values["StartupSeconds"] = round(of.job_began - of.began, 3)
        if of.why is Reason.INTERRUPTED:
            values["SignalToExitSeconds"] = round(time.monotonic() - of.noticed, 3)
        line = embedded_metrics(identity.job, identity.capacity, values, now)
        of.log.raw(line | of.log.about)
        self._send_trace(outcome)
        if self._sent is not None:
            self._ask(self._sent, time.monotonic() + TRACE_SECONDS)

    def _send_trace(self, outcome: Outcome) -> None:
        """Send the trace, once, beside whatever else there is to wait for."""
        of, keeper = self._of, self._of.keeper
        with self._tracing:
            if self._traced or keeper is None:
                return
            self._traced = True
            if of.job_began:
                self._trace.add("job", of.job_began, of.job_ended or time.time())
            if keeper.restored:
                self._trace.add("restore", *keeper.restored)
            self._sent = keeper.send_trace(self._trace.document(outcome.code, outcome.sentence))
