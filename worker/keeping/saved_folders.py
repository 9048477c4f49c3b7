"""The folders of any command as one attempt keeps them: restored, captured, their files staged.

Joins what ``folders`` and ``output_folder`` see on the disk with what ``sending`` and ``uploads``
send to the bucket. When that happens, and when it counts, is the keeper's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Set
from concurrent.futures import Executor
from typing import Protocol

from steadyspot.worker.errors import SHORTAGES, Misuse, SetupError, Short, shortage
from steadyspot.worker.keeping.collector import no_collection
from steadyspot.worker.keeping.folders import NO_FILE, CheckpointFolder
from steadyspot.worker.keeping.half_made import HALF_MADE, Proof
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.listing import INLINE_BYTES, Listing
from steadyspot.worker.keeping.output_folder import OutputFolder
from steadyspot.worker.keeping.pace import Work
from steadyspot.worker.keeping.scanning import Seen, Tree
from steadyspot.worker.keeping.sending import Captured, Sender
from steadyspot.worker.keeping.store import Bucket
from steadyspot.worker.keeping.uploads import Upload, Uploader
from steadyspot.worker.keeping.warnings import Warnings, shown
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options


class Job(Protocol):
    """What the folders' job must be able to do while it runs."""

    def pause(self) -> None: ...
    def go_on(self) -> None: ...
    def held_open(self, folder: str) -> set[str]:
        """Real paths below a folder that it can still write into: open, or mapped into memory."""

    def mapped(self, folder: str) -> set[str]:
        """Those of them that are mapped into memory, whose times need not tell of a write."""

    def half_made(self) -> dict[str, Proof]:
        """Files of the checkpoint folder that nobody has finished, for ``without_half_made``."""


class SavedFolders:
    """The checkpoint's and the outputs' folder; either may be missing.

    ``spool`` is a folder for copies. ``leftovers`` lay in the folder for outputs before the attempt
    began. ``restored`` says when a restore began and ended, in seconds since the epoch.
    ``unpublished`` are the names in the folder for outputs that could not be published when they
    were last looked at or staged, and why; ``unfinished`` those that changed meanwhile. ``work`` is
    what the last save had to do.
    """

    def __init__(
        self,
        options: Options,
        log: Log,
        warnings: Warnings,
        spool: str,
        job: Job,
        leftovers: dict[str, tuple[int, int, int, int]],
    ) -> None:
        self._log = log
        self._warnings = warnings
        self._job = job
        self._captured: list[Captured] = []
        self._listing = self._kept = Listing(())
        self._hurry = threading.Event()
        self._named: set[tuple[str, str]] = set()
        self._said_half_made = False
        self._outputs: OutputFolder | None = None
        if options.output_dir:
            self._outputs = OutputFolder(options.output_dir, options.output_ignore, leftovers)
        self._checkpoint: CheckpointFolder | None = None
        if options.checkpoint_dir:
            self._checkpoint = CheckpointFolder(
                options.checkpoint_dir,
                spool,
                job.pause,
                job.go_on,
                job.half_made,
                lambda: job.mapped(options.checkpoint_dir),
            )
        self.work = Work()
        self.restored: tuple[float, float] | None = None
        self.unpublished: dict[str, str] = {}
        self.unfinished: dict[str, str] = {}

    def hurry(self) -> None:
        """A restore that is under way is pointless now."""
        self._hurry.set()

    def restore(self, listing: Listing | None, bucket: Bucket, pool: Executor) -> None:
        """Make the checkpoint's folder what it was, if there is one and it was ever saved."""
        folder = self._checkpoint
        if folder is None or listing is None:
            return
        begun = time.time()
        with no_collection():
            restored = folder.restore(listing, bucket, pool, self._hurry.is_set)
        if not restored:
            self._checkpoint = None  # What was saved stays as it is.
            return
        self._kept = listing
        self.restored = (begun, time.time())
        self._log.info(
            "restore",
            f"The folder {folder.root} was restored: {len(listing.files)} entries.",
            seconds=round(time.time() - begun, 3),
        )

    def capture(
        self,
        running: bool,
        bucket: Bucket,
        pool: Executor,
        key: Callable[[str, str], str],
        held: set[str] | None,
    ) -> tuple[Listing | None, Tree]:
        """The checkpoint's folder, with the bytes of what changed in the bucket; none without one.

        ``key`` gives the key of an object for bytes of a kind, by their SHA-256. What did not
        change at all is the listing that was kept. Second, what lay in the folder for outputs at
        that same instant, for ``stage``.
        """
        folder = self._checkpoint
        self.work = Work()
        if folder is None:
            return None, self.look(held)
        sender = Sender(bucket, pool, lambda sha256: key("blocks", sha256))
        try:
            with no_collection():
                captured, outputs = folder.capture(running, lambda: self.look(held), pool)
                changed = [one.file.size for one in captured if one.is_to_be_sent]
                self.work = Work(len(captured), len(changed), sum(changed))
                self._captured = sender.send(captured, folder.known, folder.left_out)
                self._listing = self._written(bucket, key)
        except OSError as error:
            raise _unreadable(
                f"The folder {folder.root} cannot be read and copied: {error.strerror}.",
                "Let the worker read all that the job writes there.",
                error,
            ) from None
        finally:
            folder.clear_spool()
        self._name_left_out(folder.left_out, running)
        return self._listing, outputs

    def _written(self, bucket: Bucket, key: Callable[[str, str], str]) -> Listing:
        """The listing of what was captured; a long one is put into the bucket."""
        files = tuple(one.file for one in self._captured)
        if files == self._kept.files:
            return self._kept
        listing = Listing(files)
        if len(listing.body) > INLINE_BYTES:
            listing.key = key("listings", listing.sha256)
            bucket.put(listing.key, listing.body)
        return listing

    def _name_left_out(self, left_out: dict[str, str], running: bool) -> None:
        """Name, once, what a checkpoint does not hold.

        Half-made files are named for the first time while the job runs, and in the last one.
        """
        said = HALF_MADE if running and self._said_half_made else ""
        self._said_half_made |= HALF_MADE in left_out.values()
        new = {
            path: why
            for path, why in left_out.items()
            if why != said and (why == HALF_MADE or ("save", path) not in self._named)
        }
        self._named |= {("save", path) for path in new}
        for why in sorted(set(new.values())):
            names = sorted(path for path in new if new[path] == why)
            sentence = f"Left out of the checkpoint: {shown(names[0])}"
            sentence += f" and {len(names) - 1} more" if len(names) > 1 else ""
            if why in (NO_FILE, HALF_MADE):
                self._log.warning("save", f"{sentence} ({why}).")
            else:
                self._warnings.say("save", f"{sentence}: {why}.")

    def pending(self) -> Work:
        """What a save would have to do now; nothing where that cannot be told."""
        work = Work()
        try:
            if self._checkpoint:
                work = work.plus(self._checkpoint.pending())
            if self._outputs:
                new, _ = self._outputs.changed(self._outputs.look(set).entries)
                work = work.plus(_work_of(new))
        except OSError:
            pass  # A save will say it.
        return work

    def keep(self) -> None:
        """The last capture has become durable: later ones are compared with it."""
        if self._checkpoint:
            self._checkpoint.keep(self._captured, self._listing)
            self._kept = self._listing

    def look(self, held: set[str] | None, unfinished: Set[str] = frozenset()) -> Tree:
        """The finished files in the folder for outputs, and what cannot be published.

        ``held`` are files that were still being written; none: the job is asked. ``unfinished`` are
        those that nobody will write to the end.
        """
        folder = self._outputs
        if folder is None:
            return Tree({}, {})
        try:
            return folder.look(
                lambda: self._job.held_open(folder.root) if held is None else held, unfinished
            )
        except OSError as error:
            raise _unreadable(
                f"The folder {folder.root} cannot be read: {error.strerror}.",
                "Let the worker read the folder for outputs.",
                error,
            ) from None

    def changed(self, seen: Tree) -> tuple[dict[str, Seen], set[str]]:
        """What is new of that, for ``stage``, and the names that went away."""
        if self._outputs is None:
            return {}, set()
        self.unpublished, self.unfinished = {}, {}
        for name, why in seen.unreadable.items():
            self._cannot_publish(name, why)
        new, gone = self._outputs.changed(seen.entries)
        self.work = self.work.plus(_work_of(new))
        self._outputs.forget(gone)
        return new, gone

    def goes_on(self, older: Output) -> bool:
        """Whether a file for outputs begins as an older output of its name does."""
        folder = self._outputs
        return folder is None or folder.begins_with(older.name, older.size, older.sha256)

    def say_left_out(self) -> None:
        """Name what lies in the folder for outputs and is not published."""
        for why, names in (self._outputs.left_out() if self._outputs else {}).items():
            self._log.warning(
                "publish",
                f"Left out of the outputs: {len(names)} {why}, the first is {shown(names[0])}.",
            )

    def stage(self, uploader: Uploader, new: dict[str, Seen]) -> Iterator[Output]:
        """Stage files side by side; each that did not change meanwhile, as soon as it is staged.

        One that cannot be read is named and left out, and one that went away is no output. Where
        AWS is in trouble those after it are dropped: the next look finds them anew.
        """
        folder = self._outputs
        if folder is None:
            return
        uploads = [
            uploader.stage(name, folder.path(name), before=before)
            for before, name in enumerate(new)
        ]
        unwanted = set(uploads)
        try:
            for upload in uploads:
                output = self._staged(folder, upload, new[upload.name])
                if output:
                    unwanted.remove(upload)
                    yield output
        finally:
            for upload in unwanted:
                uploader.drop(upload)

    def _staged(self, folder: OutputFolder, upload: Upload, seen: Seen) -> Output | None:
        try:
            output = upload.wanted().result()
        except Misuse as misuse:
            if not folder.is_gone(upload.name):
                self._cannot_publish(upload.name, misuse.sentence)
            return None
        if folder.keep(upload.name, seen):
            return output
        if not folder.is_gone(upload.name):
            self.unfinished[upload.name] = "It changed while it was uploaded."
        return None

    def _cannot_publish(self, name: str, why: str) -> None:
        self.unpublished[name] = why
        if ("publish", name) not in self._named:
            self._named.add(("publish", name))
            self._warnings.say(
                "publish",
                f"The output {shown(name)} cannot be published: {why} Where that is still so at the"
                " end of the job, the run fails.",
            )


def _work_of(new: dict[str, Seen]) -> Work:
    return Work(len(new), len(new), sum(seen.size for seen in new.values()))


def _unreadable(sentence: str, todo: str, error: OSError) -> SetupError:
    """What to do about it, or ``Short`` where the machine is short of something."""
    number = shortage(error)
    return SetupError(sentence, todo) if number is None else Short(sentence, SHORTAGES[number])
