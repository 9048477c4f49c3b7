"""Outputs: staged in open multipart uploads while the job runs, completed only at the commit.

An open upload is invisible in S3, so nothing of a run shows before ``completion.json``, and a
half-made output is simply aborted. Large files are read in parts and never held whole. An upload
takes three calls; of many small outputs, all but the first share objects beside the checkpoints, so
that each takes one. When to stage, mark and commit is decided elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import IO, Any, TypeVar

from steadyspot.names import BadName, check_name
from steadyspot.worker.errors import (
    Misuse,
    SetupError,
    WorkerError,
    WorkLost,
    as_trouble,
    shortage,
)
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.store import SMALL_BYTES, Bucket, NoSuchUpload, Part

PART_BYTES = 8 << 20
MAX_PARTS = 10_000
BLOCK = 1 << 20

ALONE = 8
"""So many outputs of a unit are uploaded at once, each by itself."""

SHARED_BYTES = 64 << 10
"""Of those after them, outputs up to this size share packs."""

PACK_OUTPUTS = 64
"""So many fill a pack."""

T = TypeVar("T")


def check_publishable(name: str) -> None:
    """Raise ``SetupError`` for a name that no output can have."""
    try:
        check_name(name)
    except BadName as bad:
        raise SetupError(bad.sentence, bad.todo) from None


class Slice:
    """A part of a file that botocore can send, send again, and measure."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        data = os.pread(self._file.fileno(), wanted, self._start + self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def __len__(self) -> int:
        return self._size


def crc32_of(body: bytes | Slice) -> str:
    """CRC32 as S3 wants it, base64 of four bytes; a slice is rewound."""
    crc = 0
    if isinstance(body, bytes):
        crc = zlib.crc32(body)
    else:
        while block := body.read(BLOCK):
            crc = zlib.crc32(block, crc)
        body.seek(0)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def expected_etag(parts: list[Part]) -> str:
    """The ETag of the completed object where parts' ETags are MD5 (not with KMS encryption)."""
    try:
        digests = b"".join(bytes.fromhex(p.etag.strip('"')) for p in parts)
    except ValueError:
        return ""
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def part_ranges(size: int, part_bytes: int = PART_BYTES) -> list[tuple[int, int]]:
    """Start and length of each part; at least one, at most the 10,000 that S3 allows."""
    while size > part_bytes * MAX_PARTS:
        part_bytes *= 2
    return [(at, min(part_bytes, size - at)) for at in range(0, size, part_bytes)] or [(0, 0)]


class Upload:
    """One output on its way. ``begin`` begins what waits until it is wanted."""

    def __init__(self, name: str, key: str, token: str, begin: Callable[[], None]) -> None:
        self.name = name
        self.key = key
        self.token = token
        self.upload_id = ""
        self.withdrawn = threading.Event()
        self.future: Future[Output] = Future()
        self._begin = begin

    def wanted(self) -> Future[Output]:
        """What gives the staged ``Output``, and is settled without anything more being asked."""
        self._begin()
        return self.future


@dataclass(frozen=True)
class Staging:
    """An upload, its file, and what is called when it is staged, withdrawn or failed."""

    upload: Upload
    path: str
    done: Callable[[], None]

    def settle(self, outcome: Output | BaseException) -> None:
        """Tell whoever waits for it that it is staged, or why it is not."""
        if isinstance(outcome, Output):
            self.upload.future.set_result(outcome)
        else:
            self.upload.future.set_exception(outcome)
        try:
            self.done()
        except OSError:
            pass  # What could not be removed goes with the scratch folder.


class Uploader:
    """Stages files with a bounded number of threads, and withdraws what is not wanted.

    ``pool`` may be used for other calls, but never by a task that waits for one of its own.
    ``pack_key`` gives the key of a pack by its SHA-256. ``patience`` makes calls until the machine
    has what they are short of.
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        uploads: int,
        token: Callable[[], str],
        pack_key: Callable[[str], str],
        patience: Patience,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._token = token
        self._pack_key = pack_key
        self._patience = patience
        self.pool = _pool(uploads, "file")
        self._parts = _pool(uploads, "part")
        self._lock = threading.Lock()
        self.under_way: dict[str, Upload] = {}
        self._waiting: list[Staging] = []

    def stage(
        self, name: str, path: str, done: Callable[[], None] = lambda: None, before: int = 0
    ) -> Upload:
        """Begin to upload a file; ``done`` is called when it is staged, withdrawn or failed.

        After so many ``before``, of the same unit, a small one waits until a pack is full, or until
        it is wanted.
        """
        upload = Upload(name, self._prefix + name, self._token(), self._pack)
        one = Staging(upload, path, done)
        with self._lock:
            self.under_way[upload.token] = upload
        if before < ALONE or _size(path) > SHARED_BYTES:
            self.pool.submit(self._stage, one)
            return upload
        with self._lock:
            self._waiting.append(one)
            is_full = len(self._waiting) >= PACK_OUTPUTS
        if is_full:
            self._pack()
        return upload

    def open_uploads(self) -> dict[str, str]:
        """Upload id to key of everything begun here and not yet forgotten."""
        with self._lock:
            return {u.upload_id: u.key for u in self.under_way.values() if u.upload_id}

    def forget(self, output: Output) -> None:
        """An output has become part of the ledger and is no longer this class's business."""
        with self._lock:
            self.under_way.pop(output.token, None)

    def withdraw(self) -> list[Future[Any]]:
        """Begin to abort everything under way. Errors are left to the lifecycle rule.

        An upload whose id is still on its way aborts itself as soon as it has it.
        """
        with self._lock:
            uploads = list(self.under_way.values())
            self.under_way.clear()
        for upload in uploads:
            upload.withdrawn.set()
        self._pack()
        return [
            self.pool.submit(self._abort, upload.key, upload.upload_id)
            if upload.upload_id
            else upload.future
            for upload in uploads
        ]

    def abort(self, uploads: dict[str, str]) -> None:
        """Abort uploads by id; a failure is left to the bucket's lifecycle rule."""
        for done in [self.pool.submit(self._abort, key, i) for i, key in uploads.items()]:
            done.exception()

    def drop(self, upload: Upload) -> None:
        """Abort one upload when it has settled, without waiting."""
        with self._lock:
            self.under_way.pop(upload.token, None)
        upload.withdrawn.set()
        upload.future.add_done_callback(
            lambda _: self.pool.submit(self._abort, upload.key, upload.upload_id)
        )

    def _pack(self) -> None:
        """Begin to put what waits into one object."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if waiting:
            self.pool.submit(self._put_pack, waiting)

    def _put_pack(self, waiting: list[Staging]) -> None:
        """What cannot be read, or is withdrawn, is left out."""
        pack = bytearray()
        staged: list[tuple[Staging, Output]] = []
        for one in waiting:
            try:
                data = self._read(one, _small)
            except Exception as error:
                one.settle(error)
            else:
                staged.append((one, _output_in_pack(one.upload, len(pack), data)))
                pack += data
        key = self._pack_key(hashlib.sha256(pack).hexdigest())
        try:
            if staged:
                self._bucket.put(key, bytes(pack))
        except Exception as error:
            for one, _ in staged:
                one.settle(error)
        else:
            for one, output in staged:
                one.settle(replace(output, pack=key))

    def _stage(self, one: Staging) -> None:
        """Upload a file by itself."""
        try:
            output = self._read(one, self._send)
        except BaseException as error:
            one.settle(error)
        else:
            one.settle(output)

    def _read(self, one: Staging, use: Callable[[Upload, IO[bytes]], T]) -> T:
        """What ``use`` makes of the file. Raises ``Misuse`` where it cannot be read."""
        try:
            with self._patience.call(lambda: _opened(one.path)) as file:
                return use(one.upload, file)
        except OSError as error:
            if shortage(error) is not None:
                raise
            raise Misuse(
                f"The output '{one.upload.name}' cannot be read: {error.strerror}.",
                "Let the job write it as a plain file and leave it in place.",
            ) from None

    def _send(self, upload: Upload, file: IO[bytes]) -> Output:
        size = os.fstat(file.fileno()).st_size
        if upload.withdrawn.is_set():
            raise _withdrawn(upload)
        upload.upload_id = self._bucket.create(upload.key, upload.token)
        try:
            return self._send_parts(upload, file, size)
        finally:
            if upload.withdrawn.is_set():
                self._abort(upload.key, upload.upload_id)

    def _send_parts(self, upload: Upload, file: IO[bytes], size: int) -> Output:
        ranges = part_ranges(size)
        if size <= SMALL_BYTES:
            data = os.pread(file.fileno(), size, 0)
            parts, sha256 = [self._send_part(upload, 1, data)], hashlib.sha256(data).hexdigest()
        else:
            sending = [
                self._parts.submit(self._send_part, upload, number, Slice(file, *place))
                for number, place in enumerate(ranges, start=1)
            ]
            sha256 = _sha256(file, upload.withdrawn)
            parts = _parts_of(sending)
        if upload.withdrawn.is_set():
            raise _withdrawn(upload)
        if os.fstat(file.fileno()).st_size != size:
            raise _changed(upload)
        return Output(
            upload.name,
            upload.key,
            upload.upload_id,
            upload.token,
            size,
            sha256,
            expected_etag(parts),
            tuple(parts),
        )

    def _send_part(self, upload: Upload, number: int, body: bytes | Slice) -> Part:
        if upload.withdrawn.is_set():
            raise _withdrawn(upload)
        try:
            return self._bucket.part(upload.key, upload.upload_id, number, body, crc32_of(body))
        except NoSuchUpload:
            if upload.withdrawn.is_set():
                raise _withdrawn(upload) from None
            raise WorkLost(
                f"The upload of the output '{upload.name}' was removed from the bucket.",
                "Nothing to do; its unit is done again.",
            ) from None

    def _abort(self, key: str, upload_id: str) -> None:
        if not upload_id:
            return
        try:
            self._bucket.abort(key, upload_id)
        except WorkerError:
            pass


def _pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads are begun at once, for later there may be none to be had.

    Raises ``Short`` where there are too few already.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    all_begun = threading.Barrier(threads)
    try:
        for begun in [pool.submit(all_begun.wait) for _ in range(threads)]:
            begun.result()
    except RuntimeError as error:
        all_begun.abort()
        pool.shutdown(wait=False)
        raise as_trouble(error) from None
    return pool


def _opened(path: str) -> IO[bytes]:
    """The file, opened. Raises ``Short`` where too many are."""
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        if shortage(error) is None:
            raise
        raise as_trouble(error) from None


def _parts_of(sending: list[Future[Part]]) -> list[Part]:
    """What was sent; where one fails, those that have not begun are not sent any more."""
    wait(sending, return_when=FIRST_EXCEPTION)
    for part in sending:
        part.cancel()
    wait(sending)
    return [part.result() for part in sending]


def _size(path: str) -> int:
    """A file's size; that of one which cannot be looked at is found out by who reads it."""
    try:
        return os.stat(path).st_size
    except OSError:
        return SHARED_BYTES + 1


def _small(upload: Upload, file: IO[bytes]) -> bytes:
    """What a file holds that is to share a pack."""
    if upload.withdrawn.is_set():
        raise _withdrawn(upload)
    data = file.read(SHARED_BYTES + 1)
    if len(data) > SHARED_BYTES:
        raise _changed(upload)
    return data


def _output_in_pack(upload: Upload, start: int, data: bytes) -> Output:
    sha256 = hashlib.sha256(data).hexdigest()
    return Output(upload.name, upload.key, "", upload.token, len(data), sha256, "", (), start=start)


def _changed(upload: Upload) -> Misuse:
    return Misuse(
        f"The output '{upload.name}' was changed while it was uploaded.",
        "Write under another name first and rename at the end.",
    )


def _withdrawn(upload: Upload) -> SetupError:
    return SetupError(f"The output '{upload.name}' was withdrawn.", "It is made again.")


def _sha256(file: IO[bytes], stop: threading.Event) -> str:
    digest, at = hashlib.sha256(), 0
    while not stop.is_set() and (block := os.pread(file.fileno(), BLOCK, at)):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()
