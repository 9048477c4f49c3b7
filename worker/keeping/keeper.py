"""The keeper: one thread that owns S3 and DynamoDB, so that the supervisor can always answer.

It loads botocore beside the running job, takes the fence, makes marks durable (those that arrive
during a save share the next one), commits, and says its last word. Whether and when is the
supervisor's.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from steadyspot.contract import Reason, output_prefix
from steadyspot.worker.errors import FenceLost, SetupError, WorkerError
from steadyspot.worker.keeping.attempt import About, Attempt
from steadyspot.worker.keeping.checkpoint import File, Output
from steadyspot.worker.keeping.commit import OutputsLost
from steadyspot.worker.keeping.fence import Fence
from steadyspot.worker.keeping.saved_folders import SavedFolders
from steadyspot.worker.keeping.store import Aws, Clients
from steadyspot.worker.keeping.uploads import Upload, Uploader, check_publishable
from steadyspot.worker.log import Log, now
from steadyspot.worker.options import Identity, Options

PROGRESS_SECONDS = 5.0
"""How often progress is written where nothing else is saved."""


def connect(options: Options) -> Clients:
    """The real thing; loading it takes a while."""
    return Aws(2 * options.uploads + 4, options.stop_timeout_seconds)


def request_sha256(options: Options, identity: Identity) -> str:
    """The hash of what was asked for: job, run key, command and the job's environment."""
    request = {
        "job": identity.job,
        "run_key": identity.run_key,
        "command": options.command,
        "environment": options.environment,
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class Keeper:
    """Runs requests one after the other in its own thread; results come as futures.

    ``lost`` is called, in the keeper's thread, when another attempt has taken the fence.
    """

    def __init__(
        self,
        options: Options,
        identity: Identity,
        log: Log,
        lost: Callable[[FenceLost], None],
        connect: Callable[[Options], Clients] = connect,
    ) -> None:
        self._options = options
        self._identity = identity
        self._log = log
        self._lost = lost
        self._connect = connect
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: list[Future[None]] = []
        self._save_queued = False
        self._staged: dict[str, Upload] = {}
        self._replaced: dict[str, str] = {}
        self._closed = False
        self._progress: dict[str, Any] = {}
        self._progress_due = time.monotonic() + PROGRESS_SECONDS
        self._began = time.monotonic()
        self._aws: Clients | None = None
        self._aborts: list[Future[Any]] = []
        self._share_before = self.share_gained = 0.0
        self.save_seconds = 0.0
        self.trouble: WorkerError | None = None
        self._folders = SavedFolders(options, log)
        self.opened: Future[bool] = Future()
        self._ready: Future[None] = Future()
        self.attempt: Attempt
        self.uploader: Uploader

    def start(self, spool: str, job: int) -> None:
        """Begin in a thread of its own; ``spool`` is a folder for copies, ``job`` a process id."""
        self._folders.begin(spool, job)
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """Have the keeper's thread do something after all that was asked before."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._queue.put(run)
        return future

    # What control threads ask, each waiting for its answer.

    def units(self) -> list[str]:
        """Keys of the units done. Before the fence of a first attempt is held there are none."""
        if not self.opened.done() and self._identity.fresh:
            return []
        self.opened.result()
        with self._lock:
            return list(self.attempt.ledger.units)

    def state(self) -> Any:
        """The state as last marked."""
        if not self.opened.done() and self._identity.fresh:
            return None
        self.opened.result()
        return self.attempt.ledger.state

    def stage(self, name: str, path: str) -> None:
        """Begin to upload an output; the file is removed once it is staged."""
        check_publishable(name)
        self._ready.result()
        with self._lock:
            if self._closed:
                raise SetupError("The attempt is ending.", "Nothing to do; the unit is done again.")
            older = self._staged.pop(name, None)
            upload = self.uploader.stage(name, path, lambda: _remove(path))
            self._staged[name] = upload
            if older:
                self.uploader.drop(older)

    def mark(self, unit: str | None, names: list[str], state: Any) -> None:
        """Count a unit as done; returns once that is durable in S3 and under the fence."""
        with self._lock:
            uploads = [self._staged[name] for name in names if name in self._staged]
        if len(uploads) != len(names):
            raise SetupError("An output was marked that was never staged.", "Stage it first.")
        outputs = [self._settled(upload) for upload in uploads]
        self.opened.result()
        ticket: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise SetupError("The attempt is ending.", "Nothing to do; the unit is done again.")
            self._count(unit, outputs, state)
            self._waiting.append(ticket)
            queued, self._save_queued = self._save_queued, True
        if not queued:
            self.submit(self._save)
        ticket.result()

    def _settled(self, upload: Upload) -> Output:
        try:
            return upload.future.result()
        except WorkerError as error:
            self.trouble = error
            raise

    def progress(self, fraction: float | None, total: int | None) -> None:
        """Note how far the job is; written with the next save, and by itself every 5 seconds."""
        with self._lock:
            if fraction is not None:
                self._progress["fraction"] = float(fraction)
            if total is not None:
                self._progress["total"] = int(total)
            due = time.monotonic() >= self._progress_due and not self._closed
            if not due or fraction is None or self._save_queued:
                return
            self._progress_due = time.monotonic() + PROGRESS_SECONDS
            self._save_queued = True
        self.submit(self._save)

    # What the supervisor asks, as futures.

    def save_folders(self) -> Future[Any]:
        """Make the folders durable as they are now, with the job running."""
        return self.submit(self._save_running)

    def save_last(self, held: set[str]) -> Future[Any]:
        """Make durable what is marked and what is in the folders; later marks are refused.

        ``held`` are files that the job had open for writing when it was killed.
        """
        with self._lock:
            self._closed = True
        return self.submit(lambda: self._save_folders(running=False, held=held))

    def withdraw(self) -> Future[Any]:
        """Begin to abort what is uploaded but counts for nothing; ``leave`` waits for it."""
        return self.submit(self._withdraw)

    def hurry(self) -> None:
        """A stop was noticed: a restore that is under way is pointless now."""
        self._folders.hurry()

    def abandon(self) -> Future[Any]:
        """The fence is lost: abort what surely is nobody's; how many."""
        return self.submit(self._abandon)

    @property
    def restored(self) -> tuple[float, float] | None:
        """When a restore began and ended, in seconds since the epoch."""
        return self._folders.restored

    def numbers(self) -> dict[str, float]:
        """What was measured, by the names of the metrics."""
        if not self.opened.done() or self.opened.exception():
            return {}
        ledger = self.attempt.ledger
        return {
            "Units": len(ledger.units),
            "CheckpointSeconds": round(self.save_seconds, 3),
            "CheckpointBytes": self.attempt.saved_bytes,
        }

    def send_trace(self, document: str) -> Future[None] | None:
        """Send a trace beside everything else; none when there is nothing to send it with."""
        if self._aws is None or not self._ready.done() or self._ready.exception():
            return None
        return self.uploader.pool.submit(self._aws.send_trace, document)

    def commit(self) -> Future[Any]:
        """Publish all outputs and complete the run; the completion record."""
        with self._lock:
            self._closed = True
        return self.submit(self._commit)

    def leave(self, reason: Reason, exit_code: int, sentence: str) -> Future[Any]:
        """Write the last word; the seconds of work lost."""
        return self.submit(lambda: self._leave(reason, exit_code, sentence))

    # In the keeper's own thread.

    def _run(self) -> None:
        try:
            complete = self._open()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            self.opened.set_exception(error)
        else:
            self.opened.set_result(complete)
            assert self._aws is not None
            self._aws.prepare_trace()
        while True:
            self._queue.get()()

    def _open(self) -> bool:
        identity = self._identity
        self._aws = self._connect(self._options)
        bucket = self._aws.bucket(identity.bucket)
        table = self._aws.table(identity.table, identity.job, identity.run_key)
        outputs = output_prefix(identity.job, identity.run_key)
        self._token = f"{identity.fence}-{secrets.token_hex(8)}"
        self.uploader = Uploader(
            bucket, outputs, self._options.uploads, lambda: f"{self._token}-{secrets.token_hex(8)}"
        )
        self._ready.set_result(None)
        about = About(
            identity.job,
            identity.run_key,
            identity.execution,
            identity.fence,
            identity.attempt,
            request_sha256(self._options, identity),
        )
        fence = Fence(table, identity.execution, identity.fence, secrets.token_hex(16))
        self.attempt = Attempt(
            about, fence, bucket, self.uploader.pool, now, time.monotonic, self._began
        )
        complete = self.attempt.open()
        self._share_before = self.attempt.ledger.share
        if not complete:
            self._folders.restore(self.attempt.ledger.files, bucket)
        return complete

    def _count(self, unit: str | None, outputs: list[Output], state: Any) -> None:
        ledger = self.attempt.ledger
        if unit is None:
            ledger.state = state
            return
        for old in ledger.mark(unit, outputs, state):
            self._replaced[old.upload_id] = old.key
        for output in outputs:
            self.uploader.forget(output)
            self._staged.pop(output.name, None)

    def _save_running(self) -> None:
        """A save that fails while the job runs is said; the next one tries again."""
        if self.opened.exception() or self._closed:
            return
        try:
            self._save_folders(running=True, held=None)
        except WorkerError as error:
            self._log.warning("save", f"The folders could not be saved this time: {error}")
            raise

    def _save_folders(self, running: bool, held: set[str] | None) -> None:
        """Capture first and stage outputs after: what the capture calls done is then staged."""
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        begun = time.monotonic()
        ledger = self.attempt.ledger
        files = self._folders.capture(running, self.uploader, self._key_of)
        changed = files is not None and files != ledger.files
        if changed:
            with self._lock:
                ledger.files = files
        changed = self._stage_folder(held) or changed
        self._save(last=not running, changed=changed)
        self._folders.keep()
        if changed:
            self.save_seconds = max(self.save_seconds, time.monotonic() - begun)

    def _key_of(self, file: File) -> str:
        return f"{self.attempt.checkpoints}files/{file.sha256}-{self._identity.fence}"

    def _stage_folder(self, held: set[str] | None) -> bool:
        """Stage files that are new in the folder for outputs; whether anything changed."""
        new, gone = self._folders.look(held)
        with self._lock:
            for name in gone:
                self._replace(name)
        for output in self._folders.stage(self.uploader, new):
            with self._lock:
                self._take(output)
        return bool(new or gone)

    def _take(self, output: Output) -> None:
        self._replace(output.name)
        self.attempt.ledger.outputs[output.name] = output
        self.uploader.forget(output)

    def _replace(self, name: str) -> None:
        old = self.attempt.ledger.outputs.pop(name, None)
        if old:
            self._replaced[old.upload_id] = old.key

    def _save(self, last: bool = False, changed: bool = True) -> None:
        self.opened.result()
        with self._lock:
            tickets, self._waiting = self._waiting, []
            self._save_queued = False
            if not changed and not tickets:
                return
            replaced, self._replaced = self._replaced, {}
            for name, value in self._progress.items():
                setattr(self.attempt.ledger, name, value)
            self.attempt.ledger.open_uploads = self.uploader.open_uploads() | replaced
            ledger = self.attempt.ledger.copy()
        begun = time.monotonic()
        try:
            self.attempt.save(ledger)
        except BaseException as error:
            for ticket in tickets:
                ticket.set_exception(error)
            if isinstance(error, FenceLost):
                self._lost(error)
            elif isinstance(error, WorkerError):
                self.trouble = error
            raise
        self.trouble = None
        self.share_gained = max(0.0, ledger.share - self._share_before)
        self.save_seconds = max(self.save_seconds, time.monotonic() - begun)
        with self._lock:
            mine = self.attempt.ledger
            mine.sequence, mine.segments = ledger.sequence, ledger.segments
            mine.sealed_units, mine.sealed_tokens = ledger.sealed_units, ledger.sealed_tokens
        for ticket in tickets:
            ticket.set_result(None)
        if not last:
            self.uploader.abort(replaced)
            self._tidy()

    def _tidy(self) -> None:
        try:
            self.attempt.drop_old()
        except WorkerError as error:
            self._log.warning("tidy", f"Old checkpoints could not be deleted: {error}")

    def _commit(self) -> dict[str, Any]:
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        with self._lock:
            loose = list(self._staged.values())
        ledger = self.attempt.ledger
        self._stage_folder(set())
        for output in [upload.future.result() for upload in loose]:
            self._take(output)
        replaced = dict(self._replaced)
        try:
            record = self.attempt.commit(ledger, list(ledger.outputs.values()))
        except OutputsLost as lost:
            self.attempt.undo(lost)
            raise WorkerError(
                f"{len(lost.names)} outputs were removed from the bucket before the commit.",
                "Nothing to do; their units are done again.",
            ) from None
        self.uploader.abort(replaced)
        return record

    def _abandon(self) -> int:
        if self.opened.exception():
            aborts = self.uploader.withdraw()  # Never written down anywhere.
            wait(aborts)
            return len(aborts)
        counted = self.attempt.uploads_that_count()
        if counted is None:
            return 0
        outputs = self.attempt.ledger.outputs.values()
        mine = {o.upload_id: o.key for o in outputs if o.token.startswith(self._token)}
        return self.uploader.abandon(counted, mine)

    def _withdraw(self) -> None:
        self._aborts = self.uploader.withdraw()

    def _leave(self, reason: Reason, exit_code: int, sentence: str) -> float:
        if self.opened.exception():
            return 0.0
        lost = self.attempt.leave(reason, exit_code, sentence)
        wait(self._aborts)
        return lost


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
