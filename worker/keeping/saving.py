"""What an attempt does with S3 and DynamoDB, each step as one call: open, save, commit, leave.

Decides what a save takes with it, what counts no more and what is withdrawn. The steps run one at a
time in the keeper's thread, which also decides when.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Set
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Reason, checkpoint_prefix, output_prefix
from steadyspot.names import twins
from steadyspot.worker.errors import (
    FenceLost,
    KeptInMemory,
    Misuse,
    WorkerError,
    WorkLost,
    as_trouble,
)
from steadyspot.worker.keeping.attempt import About, Attempt
from steadyspot.worker.keeping.checkpoint import Damaged
from steadyspot.worker.keeping.commit import OutputsLost
from steadyspot.worker.keeping.fence import Fence
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.lacking import Lacks
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.own import OwnBucket
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.saved_folders import SavedFolders
from steadyspot.worker.keeping.scanning import Tree
from steadyspot.worker.keeping.sentences import Sentences
from steadyspot.worker.keeping.side_by_side import SharedFiles, unrepeatable
from steadyspot.worker.keeping.store import Bucket, Clients
from steadyspot.worker.keeping.unsaved import Mark, Unsaved
from steadyspot.worker.keeping.uploads import Uploader
from steadyspot.worker.keeping.warnings import Warnings, shown
from steadyspot.worker.log import Log, now
from steadyspot.worker.options import Identity, Options
from steadyspot.worker.traces import SAVE, Trace

if TYPE_CHECKING:
    from steadyspot.contract.records import CompletionColumn


def request_sha256(options: Options, identity: Identity) -> str:
    """The hash of what was asked for: job, run key, program, and names in the environment.

    No value of the environment and no argument of the command: one of them may be a secret, and a
    short one could be found by trying all.
    """
    request = {
        "job": identity.job,
        "run_key": identity.run_key,
        "program": options.command[:1],
        "environment": sorted(options.environment),
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class Saving:
    """One attempt's steps. ``lost`` is called when another attempt has taken the fence.

    ``ready`` is settled when AWS can be spoken to, ``opened`` when the run is open: true where that
    finished a commit which was found, so that there is nothing to run. ``trace`` is told of saves
    while the job runs, ``sentences`` what people are to hear of units. ``folders`` are those for
    the checkpoint and for outputs, each empty where the run has none.
    """

    def __init__(
        self,
        options: Options,
        identity: Identity,
        log: Log,
        unsaved: Unsaved,
        folders: SavedFolders,
        warnings: Warnings,
        lost: Callable[[FenceLost], None],
        *,
        patience: Patience,
    ) -> None:
        self._warnings = warnings
        self._patience = patience
        self._options = options
        self._identity = identity
        self._log = log
        self._unsaved = unsaved
        self._folders = folders
        self._lost = lost
        self._began = time.monotonic()
        self._aborts: list[Future[Any]] = []
        self._owed: dict[str, str] = {}
        self._older: dict[str, Output] = {}
        self._share_before = self.share_gained = 0.0
        self._shared = SharedFiles()
        given = options.checkpoint_dir, options.output_dir
        self.folders = [os.path.realpath(folder) if folder else "" for folder in given]
        self.lacks = Lacks(lambda: folders.look(set()))
        self.sentences = Sentences(log, warnings)
        self.save_seconds = 0.0
        self.ready: Future[None] = Future()
        self.opened: Future[bool] = Future()
        self.trace = Trace("", {})
        self.attempt: Attempt
        self.uploader: Uploader

    def open(self, aws: Clients) -> bool:
        """Take the fence and restore what earlier attempts did; the value of ``opened``."""
        identity = self._identity
        outputs = output_prefix(identity.job, identity.run_key)
        checkpoints = checkpoint_prefix(identity.job, identity.run_key)
        bucket = OwnBucket(aws.bucket(identity.bucket, identity.lock_days), checkpoints, outputs)
        table = aws.table(identity.table, identity.job, identity.run_key)
        self._token = f"{identity.fence}-{secrets.token_hex(8)}"
        self.uploader = self._patience.call(
            lambda: Uploader(
                bucket,
                outputs,
                self._options.uploads,
                lambda: f"{self._token}-{secrets.token_hex(8)}",
                lambda sha256: self._key_of("packs", sha256),
                self._patience,
            )
        )
        self.ready.set_result(None)
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
            warnings=self._warnings,
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
                self._folders.restore(self.attempt.ledger.files, bucket, self.uploader.pool)
                restored = True
            except Damaged as damaged:
                self._unsaved.replace(self.attempt.fall_back(damaged))
        self._unsaved.replace(self.attempt.ledger.begin_anew(bool(self._options.checkpoint_dir)))
        self._owed = self.attempt.ledger.unpublished

    def _count(self, mark: Mark) -> None:
        """Take a mark into the ledger, under the lock of what is unsaved."""
        ledger, waiting = self.attempt.ledger, self._unsaved.in_hand.loose.staged
        for upload in mark.loose:
            if waiting.get(upload.name) is upload:
                self._take(waiting.pop(upload.name).wanted().result())
        if mark.unit:
            self._unsaved.replace(ledger.mark(mark.unit, mark.outputs, mark.state))
        elif mark.state:
            ledger.state = mark.state
        for output in mark.outputs:
            self.uploader.forget(output)

    def save_waiting(self) -> None:
        """Save marks and progress that wait; with marks the folders, as they are now."""
        self.opened.result()
        self._unsaved.begin_save(self._count)
        if not (any(self.folders) and self._unsaved.counted):
            self._save(last=False)
            return
        try:
            self._save_folders(running=True, held=None, asked=True)
        except BaseException as error:
            self._unsaved.fail(error)
            raise

    def save_running(self, asked: bool) -> bool:
        """Save the folders; whether it was done, as ``save_folders``.

        A save that fails while the job runs is said; the next one tries again.
        """
        if self.opened.exception() or self._unsaved.closed:
            return False
        try:
            return self.save_folders(running=True, held=None, asked=asked)
        except Exception as error:
            trouble = as_trouble(error)
            self._log.warning("save", f"The folders could not be saved this time: {trouble}")
            raise

    def save_folders(self, running: bool, held: set[str] | None, asked: bool) -> bool:
        """Save the folders at one instant, and with them what was marked before it.

        Whether that was done: without a mark, and not ``asked`` by the job, it is not in the midst
        of a unit, which would find its own changes when it is done again.
        """
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        self._unsaved.begin_save(self._count)
        return self._save_folders(running, held, asked or bool(self._unsaved.counted))

    def _save_folders(self, running: bool, held: set[str] | None, asked: bool) -> bool:
        """Files in the folder for outputs count with a mark, or where no unit is in hand.

        A unit that is done again may make them under other names.
        """
        begun = time.monotonic()
        in_hand = self._unsaved.in_hand
        with self._unsaved.lock:
            marks = any(unit for unit, _ in self._unsaved.counted)
            units_before = None if in_hand.undone else in_hand.begun
            oldest = in_hand.oldest_beside() if marks else 0
        if units_before is None and not asked:
            if self._options.checkpoint_dir:
                self.sentences.midway(running=running)
            return False
        ledger = self.attempt.ledger
        attempt = self.attempt

        def capture() -> tuple[Listing | None, Tree]:
            return self._folders.capture(running, attempt.bucket, attempt.pool, self._key_of, held)

        # The next save of a running job is soon enough; after the last one there is none.
        files, seen = capture() if running else self._patience.call(capture)
        between_units = units_before == in_hand.begun
        if not (asked or between_units):
            return False
        changed = files is not None and files is not ledger.files
        if files is not None and changed:
            if name := self._shared.look(ledger.files, files, in_hand.begun, oldest):
                self.sentences.shared(name)
            with self._unsaved.lock:
                ledger.files = files
        stages = marks or between_units
        changed = (stages and self._stage_folder(seen, beside=oldest > 0)) or changed
        self._save(last=not running, changed=changed)
        self._folders.keep()
        self.save_seconds = max(self.save_seconds, time.monotonic() - begun)
        return True

    def _key_of(self, kind: str, sha256: str) -> str:
        """An attempt that was thought dead must not delete what another has put: its own fence."""
        identity = self._identity
        prefix = checkpoint_prefix(identity.job, identity.run_key)
        return f"{prefix}{kind}/{sha256}-{identity.fence}"

    def _stage_folder(self, seen: Tree, beside: bool = False) -> bool:
        """Stage files that are new in the folder for outputs; whether anything changed.

        ``beside``: a unit was in hand beside those that are marked.
        """
        new, gone = self._folders.changed(seen)
        if beside and (name := unrepeatable(new)):
            self.sentences.unrepeatable(name)
        with self._unsaved.lock:
            for name in gone:
                self._unsaved.replace(self.attempt.ledger.take_away(name))
        for output in self._folders.stage(self.uploader, new):
            with self._unsaved.lock:
                self._take(output, folder=True)
        unpublished = self._folders.unpublished
        with self._unsaved.lock:
            ledger = self.attempt.ledger
            before = {n: why for n, why in self._owed.items() if ledger.history.output(n) is None}
            owed = before | unpublished
            changed = owed != ledger.unpublished
            ledger.unpublished = owed
        return bool(new or gone or changed)

    def _take(self, output: Output, folder: bool = False) -> None:
        older = self.attempt.ledger.history.output(output.name) if folder else None
        if older and older.folder and not older.token.startswith(self._token):
            self._older.setdefault(output.name, older)
        self._unsaved.replace(self.attempt.ledger.take([output], folder=folder))
        self.uploader.forget(output)

    def _save(self, last: bool, changed: bool = True) -> None:
        """Make durable what was counted since the last save, if anything ``changed``."""
        ledger = self.attempt.ledger
        batch = self._unsaved.take(ledger, self.uploader.open_uploads, changed)
        if batch is None:
            return
        begun = time.monotonic()
        try:
            self.attempt.save(batch.ledger)
        except BaseException as error:
            self._unsaved.give_back(batch)
            self._unsaved.fail(error)
            if isinstance(error, FenceLost):
                self._lost(error)
            raise
        self.share_gained = max(0.0, batch.ledger.share - self._share_before)
        self.save_seconds = max(self.save_seconds, time.monotonic() - begun)
        unwanted = self._unsaved.settle(batch, ledger)
        if not last:
            now_seconds = time.time()
            self.trace.add(SAVE, now_seconds - (time.monotonic() - begun), now_seconds)
            self.uploader.abort(unwanted)  # The checkpoint before this one names them no more.
            self._tidy()

    def _tidy(self) -> None:
        try:
            self.attempt.drop_old()
        except WorkerError as error:
            self._log.warning("tidy", f"Old checkpoints could not be deleted: {error}")

    def commit(self, left_behind: int, unfinished: Set[str]) -> CompletionColumn:
        """Publish all outputs and complete the run; what the run table then says of it.

        ``unfinished`` are paths in the folder for outputs that nobody has written to the end.
        """
        self.opened.result()  # Nothing is asked of AWS for a run that could not be opened.
        with self._unsaved.lock:
            loose = list(self._unsaved.in_hand.loose.staged.values())
            aside = list(self._unsaved.in_hand.aside.values())
            self._unsaved.in_hand.break_off_all()
            left = self._unsaved.in_hand.left
        ledger = self.attempt.ledger
        for unit in aside:
            made = [upload.wanted().result() for upload in unit.staged.values()]
            with self._unsaved.lock:
                self._count(Mark(unit.key, made, [], [], Future()))
        self.sentences.left([unit for unit in left if ledger.history.unit(unit) is None])
        folder = self._patience.call(lambda: self._folders.look(set(), unfinished))
        self._stage_folder(folder)
        self._folders.say_left_out()
        self._say_begun_anew()
        outputs = [upload.wanted().result() for upload in loose]
        lacking = self.lacks.trouble(folder)
        if outputs and not (lacking or ledger.state or ledger.keeps_files):
            self._say_forgotten(outputs[0].name)
        for output in outputs:
            self._take(output)
        self._check_published()
        if lacking:
            self._begin_anew()
            raise lacking
        for one, other in twins(output.name for output in ledger.history.outputs()):
            self._log.warning(
                "publish", f"Two outputs have names that look the same: {one!a} and {other!a}."
            )
        replaced = self._unsaved.replaced()
        try:
            return self.attempt.commit(left_behind, lambda: self.uploader.abort(replaced))
        except OutputsLost as lost:
            self.attempt.undo(lost)
            raise WorkLost(
                f"{len(lost.names)} outputs were removed from the bucket before the commit.",
                "Nothing to do; their units are done again.",
            ) from None

    def _say_begun_anew(self) -> None:
        """A file that is added to all through the run lacks what a stopped attempt had added."""
        counts = self.attempt.ledger.history.output
        names = [
            name
            for name, older in sorted(self._older.items())
            if counts(name) and not self._folders.goes_on(older)
        ]
        self.sentences.begun_anew(names)

    def _say_forgotten(self, output: str) -> None:
        """Units of earlier attempts left nothing that can be in an output made after the loop.

        Where only some left none, outputs are what the job keeps its work in.
        """
        history = self.attempt.ledger.history
        marked = self._unsaved.in_hand.marked | set(self._unsaved.in_hand.aside)
        units = [unit for unit in history.units() if unit not in marked]
        if set(units) - set(history.units_without_outputs()):
            return
        self.sentences.forgotten(units, output)

    def _check_published(self) -> None:
        """A run is not complete without a file that lay in the folder for outputs.

        What was done counts no more: a job that is mended would go on behind it, and never make
        that file. Raises ``Misuse``.
        """
        owed = self._folders.unfinished | self.attempt.ledger.unpublished
        if not owed:
            return
        name, why = next(iter(sorted(owed.items())))
        self._begin_anew()
        raise Misuse(
            f"The output {shown(name)} cannot be published: {why} Outputs like that: {len(owed)}.",
            "Mend the job, or name in output_ignore what is none; the run begins anew then.",
        )

    def begin_anew_where_lacking(self) -> KeptInMemory | None:
        """The job has failed: why all units are done again, if they are."""
        lacking = self.lacks.why_failed()
        if lacking:
            self._begin_anew()
        return lacking

    def _begin_anew(self) -> None:
        """Nothing that was done counts any more."""
        with self._unsaved.lock:
            self._unsaved.replace(self.attempt.begin_anew())
        self._save(last=True)

    def abandon(self) -> int:
        """The fence is lost: abort what surely is nobody's; how many."""
        if self.opened.exception():
            aborts = self.uploader.withdraw()  # Never written down anywhere.
            wait(aborts)
            return len(aborts)
        ours = self.attempt.uploads_beyond_the_winner(self._token, self.uploader.open_uploads())
        self.uploader.abort(ours)
        return len(ours)

    def withdraw(self) -> None:
        """Begin to abort what is uploaded but counts for nothing; ``leave`` waits for it."""
        self._aborts = self.uploader.withdraw()

    def leave(
        self, reason: Reason, exit_code: int, sentence: str, grace: dict[str, float]
    ) -> float:
        """Report why the attempt stops; the seconds of work lost."""
        if self.opened.exception():
            return 0.0
        self.sentences.done_again([*self._unsaved.in_hand.aside])
        lost = self.attempt.leave(reason, exit_code, sentence, grace)
        wait(self._aborts)
        return lost
