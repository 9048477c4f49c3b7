"""The keeper: one thread that owns S3 and DynamoDB, so that the supervisor can always answer.

It loads botocore beside the running job, takes the fence, makes marks durable (those that arrive
during a save share the next one), commits, and reports why the attempt stops. Whether and when is
the supervisor's.
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
from steadyspot.names import twins
from steadyspot.paths import remove
from steadyspot.worker.errors import (
    FenceLost,
    SetupError,
    TooLate,
    WorkerError,
    WorkLost,
    as_trouble,
)
from steadyspot.worker.keeping.attempt import About, Attempt
from steadyspot.worker.keeping.checkpoint import Damaged, File, Output
from steadyspot.worker.keeping.commit import OutputsLost
from steadyspot.worker.keeping.fence import Fence
from steadyspot.worker.keeping.folders import Seen
from steadyspot.worker.keeping.in_hand import InHand, Unit
from steadyspot.worker.keeping.saved_folders import SavedFolders
from steadyspot.worker.keeping.store import Aws, Bucket, Clients
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
        self._waiting: list[tuple[str, Future[None]]] = []
        self._save_queued = False
        self._replaced: dict[str, str] = {}
        self._replaced_before: dict[str, str] = {}
        self._troubles: dict[str, WorkerError] = {}
        self._closed = False
        self._progress: dict[str, Any] = {}
        self._progress_due = time.monotonic() + PROGRESS_SECONDS
        self._began = time.monotonic()
        self._aws: Clients | None = None
        self._aborts: list[Future[Any]] = []
        self._share_before = self.share_gained = 0.0
        self.save_seconds = 0.0
        self._folders = SavedFolders(options, log)
        self.opened: Future[bool] = Future()
        self._ready: Future[None] = Future()
        self.attempt: Attempt
        self.uploader: Uploader

    def start(
        self,
        scratch: str,
        job: int,
        leftovers: dict[str, tuple[int, int, int, int]] | None = None,
    ) -> None:
        """Begin in a thread of its own; ``scratch`` is a folder, ``job`` the job's process id.

        Outputs are written below its ``outputs``, copies of saved files below its ``spool``.
        ``leftovers`` lay in the folder for outputs before the job began, by ``paths.stamps``.
        """
        self._folders.begin(os.path.join(scratch, "spool"), job, leftovers or {})
        self._in_hand = InHand(os.path.join(scratch, "outputs"), self._drop, self._say_left)
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

    def state(self) -> list[Any]:
        """The state as last saved, in a list; an empty one where it never was."""
        if not self.opened.done() and self._identity.fresh:
            return []
        self.opened.result()
        return self.attempt.ledger.state

    @property
    def trouble(self) -> WorkerError | None:
        """Why a unit could not be marked, until that very unit is.

        What concerns no unit is trouble until any save succeeds.
        """
        with self._lock:
            return next(iter(self._troubles.values()), None)

    def begin(self, unit: str, pid: int) -> None:
        """A process takes a unit in hand."""
        with self._lock:
            try:
                self._in_hand.begin(unit, pid)
            except SetupError as error:
                self._troubles[f"{unit}, again"] = error
                raise

    def break_off(self, unit: str) -> None:
        """A unit will not be done; its outputs do not count."""
        with self._lock:
            self._in_hand.break_off(unit)

    def output(self, name: str, pid: int, unit: str | None = None) -> tuple[int, str]:
        """An output is being written: its number, and the path to write it to.

        ``unit`` is the key of the unit it belongs to, empty for none; where it is not given, that
        is told from the process.
        """
        check_publishable(name)
        with self._lock:
            if unit:
                owner = self._in_hand.unit(unit)
                if owner is None:
                    raise SetupError(f"The unit {unit} is not in hand.", "Begin it first.")
            else:
                owner = self._in_hand.loose if unit == "" else self._in_hand.owner(pid)
            number = self._in_hand.draft(name, pid, owner)
            return number, self._in_hand.path(number)

    def has_in_hand(self, unit: str) -> bool:
        """Whether a unit is in hand."""
        with self._lock:
            return self._in_hand.unit(unit) is not None

    def give_up(self, number: int) -> None:
        """An output that was being written will not be."""
        with self._lock:
            self._in_hand.give_up(number)

    def stage(self, number: int) -> None:
        """Begin to upload an output that is written; its file is removed once it is staged."""
        self._ready.result()
        with self._lock:
            if self._closed:
                raise TooLate("The attempt is ending.", "Nothing to do; the unit is done again.")
            draft = self._in_hand.finish(number)
            older = draft.unit.staged.pop(draft.name, None)
            draft.unit.staged[draft.name] = self.uploader.stage(
                draft.name, draft.path, lambda: remove(draft.folder)
            )
            if older:
                self.uploader.drop(older)

    def mark(self, unit: str, state: list[Any]) -> None:
        """Count a unit in hand as done; returns once that is durable in S3 and under the fence.

        Its outputs become durable with it, and those staged before that belong to no unit.
        """
        try:
            with self._lock:
                mine = self._in_hand.close(unit)
                loose = list(self._in_hand.loose.staged.values())
            outputs = self._settled(mine)
            self.opened.result()
            self._durable(unit, outputs, [u for u in loose if u.future.exception() is None], state)
        except Exception as error:
            self._note(unit, as_trouble(error))
            raise

    def save(self, state: list[Any]) -> None:
        """Make the state durable, and outputs that belong to no unit."""
        with self._lock:
            loose = list(self._in_hand.loose.staged.values())
        try:
            self.opened.result()
            self._durable("", [], [u for u in loose if u.future.exception() is None], state)
        except Exception as error:
            self._note("", as_trouble(error))
            raise

    def _durable(
        self, unit: str, outputs: list[Output], loose: list[Upload], state: list[Any]
    ) -> None:
        ticket: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise TooLate("The attempt is ending.", "Nothing to do; the unit is done again.")
            self._count(unit, outputs, loose, state)
            self._waiting.append((unit, ticket))
            queued, self._save_queued = self._save_queued, True
        if not queued:
            self.submit(self._save_marks)
        ticket.result()

    def _settled(self, unit: Unit) -> list[Output]:
        """The outputs of a unit that is to be marked, uploaded; none is kept where one fails."""
        try:
            return [upload.future.result() for upload in unit.staged.values()]
        except Exception:
            for upload in unit.staged.values():
                self.uploader.drop(upload)
            raise

    def _note(self, unit: str, error: WorkerError) -> None:
        if not isinstance(error, FenceLost | TooLate):
            with self._lock:
                self._troubles[unit] = error

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
            stages = not self._in_hand.any()
        return self.submit(lambda: self._save_folders(running=False, held=held, stages=stages))

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
        """Report why the attempt stops; the seconds of work lost."""
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
            about,
            fence,
            bucket,
            self.uploader.pool,
            now,
            time.monotonic,
            self._began,
            warn=lambda sentence: self._log.error("restore", sentence),
        )
        complete = self.attempt.open()
        if not complete:
            self._restore(bucket)
        self._share_before = self.attempt.ledger.share
        return complete

    def _restore(self, bucket: Bucket) -> None:
        """Bring back the folder of the newest checkpoint that can be read, and what goes with it.

        Without anything that tells the job to go on it begins anew, and so do the outputs in its
        folder: their names may be other ones this time.
        """
        restored = False
        while not restored:
            try:
                self._folders.restore(self.attempt.ledger.files, bucket)
                restored = True
            except Damaged as damaged:
                self._replace(self.attempt.fall_back(damaged))
        self._replace(self.attempt.ledger.begin_anew(bool(self._options.checkpoint_dir)))

    def _count(
        self, unit: str, outputs: list[Output], loose: list[Upload], state: list[Any]
    ) -> None:
        """Take a unit, or a state alone, and outputs that belong to none into the ledger."""
        ledger, waiting = self.attempt.ledger, self._in_hand.loose.staged
        for upload in loose:
            if waiting.get(upload.name) is upload:
                self._take(waiting.pop(upload.name).future.result())
        if unit:
            self._replace(ledger.mark(unit, outputs, state))
        else:
            ledger.state = state
        for output in outputs:
            self.uploader.forget(output)

    def _save_marks(self) -> None:
        """Save what was marked; where folders are kept, as they are now."""
        if not (self._options.checkpoint_dir or self._options.output_dir):
            self._save()
            return
        try:
            self._save_folders(running=True, held=None, stages=True)
        except BaseException as error:
            self._fail(error)
            raise

    def _save_running(self) -> None:
        """A save that fails while the job runs is said; the next one tries again."""
        if self.opened.exception() or self._closed:
            return
        try:
            with self._lock:
                stages = not self._in_hand.any()
            self._save_folders(running=True, held=None, stages=stages)
        except WorkerError as error:
            self._log.warning("save", f"The folders could not be saved this time: {error}")
            raise

    def _save_folders(self, running: bool, held: set[str] | None, stages: bool) -> None:
        """Save the folders at one instant, and with them what is marked.

        ``stages``: files in the folder for outputs count. While units are in hand they do only with
        a mark.
        """
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        begun = time.monotonic()
        ledger = self.attempt.ledger
        files, seen = self._folders.capture(running, self.uploader, self._key_of, held)
        changed = files is not None and files != ledger.files
        if changed:
            with self._lock:
                ledger.files = files
        changed = (stages and self._stage_folder(seen)) or changed
        self._save(last=not running, changed=changed)
        self._folders.keep()
        if changed:
            self.save_seconds = max(self.save_seconds, time.monotonic() - begun)

    def _key_of(self, file: File) -> str:
        return f"{self.attempt.checkpoints}files/{file.sha256}-{self._identity.fence}"

    def _stage_folder(self, seen: dict[str, Seen]) -> bool:
        """Stage files that are new in the folder for outputs; whether anything changed."""
        new, gone = self._folders.changed(seen)
        with self._lock:
            for name in gone:
                self._replace(self.attempt.ledger.take_away(name))
        for output in self._folders.stage(self.uploader, new):
            with self._lock:
                self._take(output, folder=True)
        return bool(new or gone)

    def _say_left(self, unit: str, outputs: int) -> None:
        if outputs:
            self._log.warning(
                "unit",
                f"The unit {unit} was left before its mark: {outputs} outputs of it do not count.",
            )

    def _drop(self, upload: Upload) -> None:
        self.uploader.drop(upload)

    def _take(self, output: Output, folder: bool = False) -> None:
        self._replace(self.attempt.ledger.take([output], folder))
        self.uploader.forget(output)

    def _replace(self, outputs: list[Output]) -> None:
        """Outputs that count no more; they are withdrawn when no checkpoint names them."""
        self._replaced |= {output.upload_id: output.key for output in outputs}

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
            self.attempt.ledger.open_uploads = (
                self.uploader.open_uploads() | self._replaced_before | replaced
            )
            ledger = self.attempt.ledger.copy()
        begun = time.monotonic()
        try:
            self.attempt.save(ledger)
        except BaseException as error:
            with self._lock:
                self._replaced = replaced | self._replaced
                self._waiting = tickets + self._waiting
            self._fail(error)
            if isinstance(error, FenceLost):
                self._lost(error)
            raise
        self.share_gained = max(0.0, ledger.share - self._share_before)
        self.save_seconds = max(self.save_seconds, time.monotonic() - begun)
        with self._lock:
            mine = self.attempt.ledger
            mine.sequence, mine.segments = ledger.sequence, ledger.segments
            mine.sealed_units, mine.sealed_tokens = ledger.sealed_units, ledger.sealed_tokens
            unwanted, self._replaced_before = self._replaced_before, replaced
            for unit in ["", *(unit for unit, _ in tickets)]:
                self._troubles.pop(unit, None)
            self._in_hand.marked |= {unit for unit, _ in tickets}
        for _, ticket in tickets:
            ticket.set_result(None)
        if not last:
            self.uploader.abort(unwanted)  # The checkpoint before this one names them no more.
            self._tidy()

    def _fail(self, error: BaseException) -> None:
        """What was to be saved could not be: whoever waits for it is told."""
        with self._lock:
            tickets, self._waiting = self._waiting, []
            self._save_queued = False
        for _, ticket in tickets:
            ticket.set_exception(as_trouble(error))

    def _tidy(self) -> None:
        try:
            self.attempt.drop_old()
        except WorkerError as error:
            self._log.warning("tidy", f"Old checkpoints could not be deleted: {error}")

    def _commit(self) -> dict[str, Any]:
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        with self._lock:
            loose = list(self._in_hand.loose.staged.values())
            self._in_hand.break_off_all()
        ledger = self.attempt.ledger
        self._stage_folder(self._folders.look(set()))
        self._folders.say_left_out()
        for output in [upload.future.result() for upload in loose]:
            self._take(output)
        for one, other in twins(ledger.outputs):
            self._log.warning(
                "publish", f"Two outputs have names that look the same: {one!a} and {other!a}."
            )
        replaced = self._replaced | self._replaced_before
        try:
            record = self.attempt.commit(ledger, list(ledger.outputs.values()))
        except OutputsLost as lost:
            self.attempt.undo(lost)
            raise WorkLost(
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
