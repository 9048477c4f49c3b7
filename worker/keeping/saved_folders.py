"""The folders of any command as one attempt keeps them: restored, captured, their files staged.

Joins what ``folders`` sees on the disk with what ``uploads`` sends to the bucket. When that
happens, and when it counts, is the keeper's.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.checkpoint import File, Output
from steadyspot.worker.keeping.folders import Captured, CheckpointFolder, OutputFolder, Seen
from steadyspot.worker.keeping.store import Bucket
from steadyspot.worker.keeping.uploads import Uploader, check_publishable
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options

DATA_BYTES = 16 << 10
"""So many bytes of small files travel in the manifest, for a call of their own would cost more."""


class Job(Protocol):
    """What the folders' job must be able to do while it runs."""

    def pause(self) -> None: ...
    def go_on(self) -> None: ...
    def held_open(self, folder: str) -> set[str]:
        """Real paths below a folder that it has open for writing."""


class SavedFolders:
    """The checkpoint's and the outputs' folder; either may be missing.

    ``spool`` is a folder for copies. ``leftovers`` lay in the folder for outputs before the attempt
    began.

    ``restored`` says when a restore began and ended, in seconds since the epoch.
    """

    def __init__(
        self,
        options: Options,
        log: Log,
        spool: str,
        job: Job,
        leftovers: dict[str, tuple[int, int, int, int]],
    ) -> None:
        self._log = log
        self._job = job
        self._captured: list[Captured] = []
        self._hurry = threading.Event()
        self._said_unsaved = False
        self._outputs: OutputFolder | None = None
        if options.output_dir:
            self._outputs = OutputFolder(options.output_dir, options.output_ignore, leftovers)
        self._checkpoint: CheckpointFolder | None = None
        if options.checkpoint_dir:
            self._checkpoint = CheckpointFolder(options.checkpoint_dir, spool, job.pause, job.go_on)
        self.restored: tuple[float, float] | None = None

    def hurry(self) -> None:
        """A restore that is under way is pointless now."""
        self._hurry.set()

    def restore(self, files: list[File] | None, bucket: Bucket) -> None:
        """Make the checkpoint's folder what it was, if there is one and it was ever saved."""
        folder = self._checkpoint
        if folder is None or files is None:
            return
        begun = time.time()
        if not folder.restore(files, bucket, self._hurry.is_set):
            self._checkpoint = None  # What was saved stays as it is.
            return
        self.restored = (begun, time.time())
        self._log.info(
            "restore",
            f"The folder {folder.root} was restored: {len(files)} entries.",
            seconds=round(time.time() - begun, 3),
        )

    def capture(
        self,
        running: bool,
        uploader: Uploader,
        key: Callable[[File], str],
        held: set[str] | None,
    ) -> tuple[list[File] | None, dict[str, Seen]]:
        """The checkpoint's folder with the bytes of what changed; none when there is none.

        Bytes are in the entry where they are few, else in an object, which ``key`` names. Second,
        what lay in the folder for outputs at that same instant, for ``stage``.
        """
        folder = self._checkpoint
        if folder is None:
            return None, self.look(held)

        def stored(captured: Captured) -> File:
            if not captured.source:
                return captured.file
            file = replace(captured.file, key=key(captured.file))
            uploader.store(file.key, captured.source)
            return file

        try:
            captured, outputs = folder.capture(running, lambda: self.look(held))
            self._say_unsaved(folder.left_out)
            captured = _with_data(captured)
            files = list(uploader.pool.map(stored, captured))
        except OSError as error:
            raise SetupError(
                f"The folder {folder.root} cannot be read and copied: {error.strerror}.",
                "Give the task more disk, or let the job keep less there.",
            ) from None
        finally:
            folder.clear_spool()
        self._captured = [replace(c, file=f) for c, f in zip(captured, files, strict=True)]
        return files, outputs

    def _say_unsaved(self, names: list[str]) -> None:
        """Name, once, what no checkpoint can hold."""
        if names and not self._said_unsaved:
            self._said_unsaved = True
            self._log.warning(
                "save",
                f"Left out of the checkpoint: {len(names)} pipes, sockets or devices,"
                f" the first is '{names[0]}'.",
            )

    def keep(self) -> None:
        """The last capture has become durable: later ones are compared with it."""
        if self._checkpoint:
            self._checkpoint.keep(self._captured)

    def look(self, held: set[str] | None) -> dict[str, Seen]:
        """The finished files in the folder for outputs.

        ``held`` are files still open for writing; none: the job is asked.
        """
        if self._outputs is None:
            return {}
        if held is None:
            held = self._job.held_open(self._outputs.root)
        return self._outputs.look(held)

    def changed(self, seen: dict[str, Seen]) -> tuple[dict[str, Seen], set[str]]:
        """What is new of that, for ``stage``, and the names that went away."""
        if self._outputs is None:
            return {}, set()
        new, gone = self._outputs.changed(seen)
        self._outputs.forget(gone)
        return new, gone

    def say_left_out(self) -> None:
        """Name what lies in the folder for outputs and is not published."""
        for why, names in (self._outputs.left_out() if self._outputs else {}).items():
            self._log.warning(
                "publish",
                f"Left out of the outputs: {len(names)} {why}, the first is '{names[0]}'.",
            )

    def stage(self, uploader: Uploader, new: dict[str, Seen]) -> Iterator[Output]:
        """Stage files side by side; each that did not change meanwhile, as soon as it is staged.

        Where one fails, those after it are dropped: the next look finds them anew.
        """
        folder = self._outputs
        if folder is None:
            return
        for name in new:
            check_publishable(name)
        uploads = [uploader.stage(name, folder.path(name)) for name in new]
        unwanted = set(uploads)
        try:
            for upload in uploads:
                output = upload.future.result()
                if folder.keep(upload.name, new[upload.name]):
                    unwanted.remove(upload)
                    yield output
        finally:
            for upload in unwanted:
                uploader.drop(upload)


def _with_data(captured: list[Captured]) -> list[Captured]:
    """Take the bytes of small files that changed into their entries, while there is room."""
    room = DATA_BYTES - sum(one.file.size for one in captured if one.file.data)
    taken: list[Captured] = []
    for one in captured:
        if one.source and one.file.size <= room:
            room -= one.file.size
            file = replace(one.file, data=_base64_of(one.source))
            taken.append(replace(one, file=file, source=""))
        else:
            taken.append(one)
    return taken


def _base64_of(path: str) -> str:
    with open(path, "rb") as file:
        return b64encode(file.read()).decode()
