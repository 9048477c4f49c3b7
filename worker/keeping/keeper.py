"""The keeper: one thread that owns S3 and DynamoDB, so that the supervisor can always answer.

It loads botocore beside the running job, and then does one thing after the other; marks that arrive
during a save share the next one. What it does stands in ``saving``, what a job may ask for in
``job_requests``; whether and when is the supervisor's.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Set
from concurrent.futures import Future
from typing import Any

from steadyspot.contract import Reason
from steadyspot.worker.errors import KeptInMemory, WorkerError, WorkerFault, as_trouble
from steadyspot.worker.keeping.aws import Aws
from steadyspot.worker.keeping.in_hand import InHand
from steadyspot.worker.keeping.job_requests import JobRequests
from steadyspot.worker.keeping.pace import Forecast, Pace
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.saved_folders import Job, SavedFolders
from steadyspot.worker.keeping.saving import Saving
from steadyspot.worker.keeping.store import Clients
from steadyspot.worker.keeping.tracing import Tracing
from steadyspot.worker.keeping.unsaved import Unsaved
from steadyspot.worker.keeping.uploads import Upload
from steadyspot.worker.keeping.warnings import Warnings
from steadyspot.worker.log import Log
from steadyspot.worker.options import Identity, Options
from steadyspot.worker.traces import Span, Trace


def connect(options: Options, patience: Patience) -> Clients:
    """The real thing; loading it takes a while."""
    return Aws(2 * options.uploads + 4, options.stop_timeout_seconds, patience)


class Keeper:
    """Runs what is asked, one after the other, in its own thread; results come as futures.

    Made with ``scratch``, a folder: outputs are written below its ``outputs``, copies of saved
    files below its ``spool``. ``leftovers`` lay in the folder for outputs before the ``job`` began,
    by ``paths.stamps``. ``lost`` is called, in the keeper's thread, when another attempt has taken
    the fence, and of an error of the worker's own.
    """

    def __init__(
        self,
        options: Options,
        identity: Identity,
        log: Log,
        lost: Callable[[WorkerError], None],
        job: Job,
        scratch: str,
        *,
        leftovers: dict[str, tuple[int, int, int, int]] | None = None,
        connect: Callable[[Options, Patience], Clients] = connect,
    ) -> None:
        self._options = options
        self._log = log
        self._lost = lost
        self._connect = connect
        self._tracing: Tracing | None = None
        self._patience = Patience(
            options.patience_seconds, lambda sentence: log.warning("aws", sentence)
        )
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._aws: Clients | None = None
        self._warnings = warnings = Warnings(log)
        self._pace = Pace()
        self._needed_seconds = 0.0
        self._failures = 0
        self._warned = False
        self._folders = SavedFolders(
            options, log, warnings, os.path.join(scratch, "spool"), job, leftovers or {}
        )
        in_hand = InHand(
            os.path.join(scratch, "outputs"),
            self._drop,
            self._say_left,
        )
        self._unsaved = Unsaved(in_hand)
        self.saving = Saving(
            options,
            identity,
            log,
            self._unsaved,
            self._folders,
            warnings,
            lost,
            patience=self._patience,
        )
        self.requests = JobRequests(identity.fresh, self.saving, self._unsaved, self.submit)
        self.opened = self.saving.opened

    def trace(self, trace: Trace, tracing: Tracing) -> None:
        """Have the attempt traced; before ``start``."""
        self.requests.trace = self.saving.trace = trace
        self._tracing = tracing

    def start(self) -> None:
        """Begin in a thread of its own."""
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """Have the keeper's thread do something after all that was asked before."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                self._look_for_fault(error)
                future.set_exception(error)

        self._queue.put(run)
        return future

    # What the supervisor asks, as futures.

    def save_folders(self, asked: bool = False) -> Future[Any]:
        """Make the folders durable as they are now, with the job running.

        In the midst of a unit only where the job has ``asked`` for it.
        """
        return self.submit(lambda: self._save_folders(asked))

    def save_last(self, held: set[str]) -> Future[Any]:
        """Make durable what is marked and what is in the folders; later marks are refused.

        A command for the stop asks for it, whatever was in hand. ``held`` are files that the job
        had open for writing when it was killed, or told and ended of that.
        """
        with self._unsaved.lock:
            self._unsaved.closed = True
        asked = bool(self._options.on_stop)
        return self.submit(lambda: self.saving.save_folders(running=False, held=held, asked=asked))

    def withdraw(self) -> Future[Any]:
        """Begin to abort what is uploaded but counts for nothing; ``leave`` waits for it."""
        return self.submit(self.saving.withdraw)

    def abandon(self) -> Future[Any]:
        """The fence is lost: abort what surely is nobody's; how many."""
        return self.submit(self.saving.abandon)

    def commit(self, left_behind: int = 0, unfinished: Set[str] = frozenset()) -> Future[Any]:
        """Publish all outputs and complete the run; the completion record.

        ``left_behind`` processes still ran when the job's first one had ended well;
        ``unfinished`` are real paths of outputs that they had not written to the end.
        """
        with self._unsaved.lock:
            self._unsaved.closed = True
        return self.submit(lambda: self.saving.commit(left_behind, unfinished))

    def begin_anew_where_lacking(self) -> Future[KeptInMemory | None]:
        """The job has failed: why all its units are done again, if they are."""
        with self._unsaved.lock:
            self._unsaved.closed = True
        return self.submit(self.saving.begin_anew_where_lacking)

    def leave(
        self, report: Callable[[], tuple[Reason, int, str]], grace: Callable[[], dict[str, float]]
    ) -> Future[Any]:
        """Report why the attempt stops: reason, exit code, sentence; the seconds of work lost.

        ``report``, and ``grace`` for how much of it was used, are called when all that was asked
        before is done.
        """
        return self.submit(lambda: self.saving.leave(*report(), grace()))

    # What it asks and gets at once.

    def hurry(self, until: float) -> None:
        """The attempt is to end by then (monotonic): calls are tried again no longer.

        A restore that is under way is pointless now.
        """
        self._patience.hurry(until)
        self._folders.hurry()

    @property
    def trouble(self) -> WorkerError | None:
        """Why a unit could not be marked, until that very unit is."""
        return self._unsaved.trouble

    @property
    def save_seconds(self) -> float:
        """What the longest save took, or one would take now as it was last looked."""
        return max(self.saving.save_seconds, self._needed_seconds)

    def forecast(self) -> Forecast:
        """Look what a save of the folders would take now, by what the last ones took."""
        if self.opened.done() and not self.opened.exception():
            self._needed_seconds = self._pace.seconds(self._folders.pending())
        return Forecast(self._needed_seconds, self._pace.is_measured)

    def warn_of_stop(self, seconds: float, most_seconds: float) -> None:
        """Say, once, that a last save could not be made; not where AWS is what takes so long."""
        if self._warned or self._patience.failures > self._failures:
            return
        self._warned = True
        self._warnings.say(
            "save",
            f"A stop now could not save what the job has changed: that takes some {seconds:.0f} s,"
            f" and the stop leaves {most_seconds:.0f} s to it. What came after the last save would"
            " be done again. Raise stop_timeout, or let the job change less in its folders.",
        )

    @property
    def share_gained(self) -> float:
        """How much of the work this attempt has made durable, 0 to 1."""
        return self.saving.share_gained

    @property
    def restored(self) -> tuple[float, float] | None:
        """When a restore began and ended, in seconds since the epoch."""
        return self._folders.restored

    def numbers(self) -> dict[str, float]:
        """What was measured, by the names of the metrics."""
        if not self.opened.done() or self.opened.exception():
            return {}
        attempt = self.saving.attempt
        return {
            "Units": attempt.ledger.units_done,
            "CheckpointSeconds": round(self.save_seconds, 3),
            "CheckpointBytes": attempt.saved_bytes,
        }

    def begin_trace(self) -> None:
        """The job runs: load what sends its trace, and say that the attempt goes on."""
        if self._tracing:
            self.submit(self._begin_trace)

    def send_trace(self, span: Span | None) -> Future[None] | None:
        """Send the attempt's span; none when there is nothing to send, or to send it with."""
        return self._tracing.send(span, self.saving.uploader.pool) if self._tracing else None

    # In its own thread.

    def _save_folders(self, asked: bool) -> None:
        self._failures = self._patience.failures
        begun = time.monotonic()
        if not self.saving.save_running(asked):
            return
        self._needed_seconds = 0.0
        if self._failures == self._patience.failures:
            self._pace = self._pace.after(self._folders.work, time.monotonic() - begun)

    def _run(self) -> None:
        try:
            self._aws = self._connect(self._options, self._patience)
            complete = self.saving.open(self._aws)
        except BaseException as error:
            if not self.saving.ready.done():
                self.saving.ready.set_exception(error)
            self.opened.set_exception(error)
        else:
            self.opened.set_result(complete)
        while True:
            self._queue.get()()

    def _begin_trace(self) -> None:
        if self._tracing and self._aws and not self.opened.exception():
            self._tracing.begin(self._aws, self.saving.uploader.pool)

    def _look_for_fault(self, error: BaseException) -> None:
        """An error that nobody foresaw ends the attempt, also where nobody waits for the result."""
        trouble = as_trouble(error)
        if isinstance(trouble, WorkerFault):
            self._lost(trouble)

    def _drop(self, upload: Upload) -> None:
        self.saving.uploader.drop(upload)

    def _say_left(self, unit: str, outputs: int) -> None:
        if outputs:
            self._log.warning(
                "unit",
                f"The unit {unit} was left before its mark: {outputs} outputs of it do not count.",
            )
