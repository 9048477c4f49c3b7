"""The folder of any command that is saved as a whole and restored.

A running job may write while its folder is read, so a capture copies what changed, looks again, and
counts only when nothing moved meanwhile; after some tries the job is paused for the copy. A file's
times tell whether it moved, but not while it is mapped into memory to be written: it is read at
each save then, and at the first one after. Of a write that is under way while it is copied, as much
may be there as after a crash. What cannot be read, and what is half-made, is left out and named;
all else is saved. Where the bytes go, and when a capture counts, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from hashlib import sha256

from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.contents import Moved, Span, Spool, Unreadable, read
from steadyspot.worker.keeping.half_made import Proof, without_half_made
from steadyspot.worker.keeping.listing import Block, File, Listing
from steadyspot.worker.keeping.pace import Work
from steadyspot.worker.keeping.packing import SMALL_BYTES, spans, worn
from steadyspot.worker.keeping.restoring import restore
from steadyspot.worker.keeping.scanning import Seen, Tree, names_of, scan
from steadyspot.worker.keeping.sending import Captured, why_not
from steadyspot.worker.keeping.store import Bucket
from steadyspot.worker.keeping.together import together

TRIES = 4
SETTLED_SECONDS = 0.02
"""Younger changes may share their time stamp with the next one: file systems stamp by the tick."""

ATTRIBUTES = ("user.", "system.posix_acl_")
"""Which extended attributes are a user's own to set."""

NO_FILE = "a pipe, socket or device"


class CheckpointFolder:
    """The folder that is saved and restored as a whole.

    ``spool`` is a folder for copies; ``pause`` and ``go_on`` stop the job and let it go on;
    ``half_made`` says which files nobody has finished, as ``without_half_made`` takes it;
    ``mapped`` gives real paths of those that are mapped into memory to be written.
    ``known`` are blocks by their SHA-256 that the last capture which was kept names; ``left_out``
    is what the last one saw and does not hold, and why.
    """

    def __init__(
        self,
        root: str,
        spool: str,
        pause: Callable[[], None],
        go_on: Callable[[], None],
        half_made: Callable[[], Mapping[str, Proof]],
        mapped: Callable[[], set[str]],
    ) -> None:
        self.root = root
        self._spool = Spool(spool)
        self._pause = pause
        self._go_on = go_on
        self._half_made = half_made
        self._ask_mapped = mapped
        self._mapped: set[str] = set()
        self._mapped_since: set[str] = set()
        self._saved: dict[str, Captured] = {}
        self.known: dict[str, Block] = {}
        self.left_out: dict[str, str] = {}

    def restore(
        self,
        listing: Listing,
        bucket: Bucket,
        pool: Executor,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Make the folder what it was when saved; false when that was cancelled half-way.

        Raises ``SetupError`` where it fails, ``Damaged`` where the bucket has other bytes.
        """
        try:
            if not restore(self.root, listing.files, bucket, pool, cancelled):
                return False
            now = scan(self.root).entries
        except OSError as error:
            raise SetupError(
                f"The checkpoint cannot be restored into {self.root}: {error.strerror}.",
                "Give the worker a writable folder with enough room.",
            ) from None
        self.keep([Captured(f, now[f.path]) for f in listing.files if f.path in now], listing)
        return True

    def capture(
        self, running: bool, look: Callable[[], Tree], pool: Executor
    ) -> tuple[list[Captured], Tree]:
        """The folder at one instant; where the job runs, with copies of what changed.

        And what ``look`` saw elsewhere at that same instant: what a job has made beside what it
        notes of it. Raises ``OSError`` where the folder itself cannot be read, or copied.
        """
        if not running:
            return self._entries(self._whole(scan(self.root, self._before)), self._in_place), look()
        copies: dict[str, tuple[Seen, list[Block | Span]]] = {}

        def copy(path: str, seen: Seen) -> list[Block | Span]:
            if path in self._mapped or path not in copies or copies[path][0] != seen:
                copies[path] = seen, self._copied(path, seen.size, pool)
            return copies[path][1]

        for _ in range(TRIES):
            before, beside = scan(self.root, self._before), look()
            _settle(before, beside)
            try:
                captured = self._entries(self._whole(before), copy)
            except Moved:
                continue
            still = look() == beside and scan(self.root, before.entries.get) == before
            if still and self._mapped_is(copies, pool):
                return captured, beside
        self._pause()
        try:
            now, beside = scan(self.root, self._before), look()
            _settle(now, beside)
            whole = self._whole(now)
            return self._entries(whole, lambda path, seen: _as_it_is(copy, path, seen)), beside
        finally:
            self._go_on()

    def keep(self, captured: list[Captured], listing: Listing) -> None:
        """A capture has become durable: later ones are compared with it."""
        self._saved = {one.file.path: one for one in captured}
        self.known = {block.sha256: block for block in listing.blocks}
        self._mapped_since = self._mapped

    def pending(self) -> Work:
        """What a save would have to do now; may be called while one is under way."""
        now, saved = scan(self.root, self._before).entries, self._saved
        changed = [
            seen
            for path, seen in now.items()
            if seen.kind == "file" and not (path in saved and saved[path].seen == seen)
        ]
        return Work(len(now), len(changed), sum(seen.size for seen in changed))

    def _whole(self, tree: Tree) -> Tree:
        """What was seen but for what is half-made: who makes a file has it open, or is gone."""
        return without_half_made(tree, self.root, self._half_made())

    def clear_spool(self) -> None:
        """Remove the copies of a capture."""
        self._spool.clear()

    def _before(self, path: str) -> Seen | None:
        """What was seen of an entry when it was saved."""
        saved = self._saved.get(path)
        return saved.seen if saved else None

    def _entries(
        self, tree: Tree, contents: Callable[[str, Seen], list[Block | Span]]
    ) -> list[Captured]:
        """The entries of a capture, with what ``contents`` makes of each file that changed.

        Raises ``Moved`` where that does.
        """
        self.left_out = dict(tree.unreadable)
        self._look_at_mapped(tree.entries)
        places = list(self._places(tree.entries))
        anew = worn(one.file for _, _, _, one in places if one)
        captured: list[Captured] = []
        for path, seen, target, one in places:
            if one and not (one.file.pieces and one.file.pieces[0].block in anew):
                captured.append(one)
            elif seen.kind == "other":
                self.left_out[path] = NO_FILE
            elif seen.kind != "file" or target:
                captured.append(Captured(self._file(path, seen, target), seen))
            else:
                file = one.file if one else self._file(path, seen, "")
                try:
                    found = contents(path, seen)
                except Unreadable as trouble:
                    if one is None:
                        self.left_out[path] = trouble.why
                        continue
                    found = []
                captured.append(Captured(file, seen, tuple(found)))
        return captured

    def _places(self, now: dict[str, Seen]) -> Iterator[tuple[str, Seen, str, Captured | None]]:
        """The entries in order, each with what was saved of it where that is what it is now.

        Of names of one file, each but the first comes with the first as its target.
        """
        first: dict[tuple[int, int], str] = {}
        for path in sorted(now):
            seen, target = now[path], ""
            if seen.links > 1:
                one = first.setdefault((seen.device, seen.inode), path)
                target = one if one != path else ""
            saved = self._saved.get(path)
            if (
                saved
                and saved.seen == seen
                and saved.file.target == (target or seen.target)
                and path not in self._mapped_since
            ):
                yield path, seen, target, saved
            else:
                yield path, seen, target, None

    def _look_at_mapped(self, now: dict[str, Seen]) -> None:
        """Note what is mapped, after the look that saw ``now`` and before a file is read.

        What is mapped only later is told by its times, and what was dropped in between is written
        no more.
        """
        self._mapped = names_of(self._ask_mapped(), self.root, now)
        self._mapped_since = self._mapped_since | self._mapped

    def _mapped_is(
        self, copies: Mapping[str, tuple[Seen, list[Block | Span]]], pool: Executor
    ) -> bool:
        """Whether what is mapped still is as it was copied."""
        tasks = [
            partial(_is_same, span, content)
            for path in self._mapped & copies.keys()
            for span, content in zip(
                self._spans(path, copies[path][0].size), copies[path][1], strict=True
            )
        ]
        return all(together(pool, tasks))

    def _file(self, path: str, seen: Seen, target: str) -> File:
        if target:
            return File(path, "hard link", seen.mode, target=target)
        attributes = _attributes(os.path.join(self.root, path)) if seen.kind != "link" else ()
        return File(
            path,
            seen.kind,
            seen.mode,
            seen.size,
            seen.mtime_ns,
            target=seen.target,
            attributes=attributes,
        )

    def _copied(self, path: str, size: int, pool: Executor) -> list[Block | Span]:
        """Copies of a file's bytes, of a large one but for the blocks that are known."""
        of_file = self._spans(path, size)
        if size < SMALL_BYTES:
            return [self._spool.add(read(span)) for span in of_file]

        def copied(span: Span) -> Block | Span:
            data = read(span)
            return self.known.get(sha256(data).hexdigest()) or self._spool.add(data)

        return together(pool, [partial(copied, span) for span in of_file])

    def _in_place(self, path: str, seen: Seen) -> list[Block | Span]:
        return [*self._spans(path, seen.size)]

    def _spans(self, path: str, size: int) -> list[Span]:
        return spans(os.path.join(self.root, path), size)


def _is_same(span: Span, copied: Block | Span) -> bool:
    try:
        data = read(span)
    except (Moved, Unreadable):
        return False
    if isinstance(copied, Block):
        return sha256(data).hexdigest() == copied.sha256
    return data == read(copied)


def _as_it_is(
    copy: Callable[[str, Seen], list[Block | Span]], path: str, seen: Seen
) -> list[Block | Span]:
    """A copy of what does not change, since the job is paused."""
    try:
        return copy(path, seen)
    except Moved as moved:
        raise Unreadable(why_not(moved)) from None


def _settle(*trees: Tree) -> None:
    """Wait until no later change can share its time stamp with one that was seen.

    What changes before that is over, is copied; what changes later is seen by the next look.
    """
    newest = max((s.ctime_ns for tree in trees for s in tree.entries.values()), default=0) / 1e9
    age = time.time() - newest
    if 0 <= age < SETTLED_SECONDS:
        time.sleep(SETTLED_SECONDS - age)


def _attributes(path: str) -> tuple[tuple[str, str], ...]:
    """Extended attributes in base64, where the file system has them."""
    found: list[tuple[str, str]] = []
    with contextlib.suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            if name.startswith(ATTRIBUTES):
                value = os.getxattr(path, name, follow_symlinks=False)
                found.append((name, b64encode(value).decode()))
    return tuple(found)
