"""S3 and DynamoDB in memory, with a gate before each call for crashes and for turns."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from steadyspot.worker.keeping.half_made import Proof
from steadyspot.worker.keeping.store import (
    Condition,
    ConditionFailed,
    Head,
    Item,
    NoSuchUpload,
    Part,
    Sink,
)
from steadyspot.worker.keeping.uploads import expected_etag


class Crash(BaseException):
    """The process is gone."""


class World:
    """What outlives every attempt: the row, the objects, the open uploads."""

    def __init__(self) -> None:
        self.item: Item = {}
        self.objects: dict[str, tuple[bytes, Head]] = {}
        self.uploads: dict[str, tuple[str, str, dict[int, bytes]]] = {}
        self.completed = 0
        self.ids = 0


Gate = Callable[[str, Callable[[], Any]], Any]
"""Stands before every call: gets its name and what does it."""


def straight(name: str, call: Callable[[], Any]) -> Any:
    """No crash and no turns."""
    return call()


class CrashAt:
    """Crashes at the n-th call, before it has happened or after."""

    def __init__(self, number: int, after: bool) -> None:
        self.left = number
        self.after = after

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left == 0:
            if self.after:
                call()
            raise Crash
        if self.left < 0:
            raise Crash
        return call()


class FakeTable:
    """One row; conditions mean what ``Condition.holds`` says."""

    def __init__(self, world: World, gate: Gate = straight) -> None:
        self._world = world
        self._gate = gate

    def update(self, values: Mapping[str, Any], remove: list[str], condition: Condition) -> Item:
        def call() -> Item:
            item = self._world.item
            if not condition.holds(item):
                raise ConditionFailed(dict(item))
            item.update(values)
            for name in remove:
                item.pop(name, None)
            if values.get("status") == "complete":
                self._world.completed += 1
            return dict(item)

        result: Item = self._gate("update", call)
        return result

    def read(self) -> Item:
        result: Item = self._gate("read", lambda: dict(self._world.item))
        return result


class FakeBucket:
    """Objects and multipart uploads."""

    def __init__(self, world: World, gate: Gate = straight) -> None:
        self._world = world
        self._gate = gate

    def get(self, key: str) -> bytes | None:
        found = self._gate("get", lambda: self._world.objects.get(key))
        return found[0] if found else None

    def read(self, key: str, start: int, size: int) -> bytes | None:
        found = self._gate("read", lambda: self._world.objects.get(key))
        return found[0][start : start + size] if found else None

    def fetch(self, key: str, file: Sink) -> None:
        file.write(self.get(key) or b"")

    def put(self, key: str, body: Any) -> None:
        data = body if isinstance(body, bytes) else body.read()
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self._gate("put", lambda: self._set(key, data, Head(len(data), etag, "")))

    def put_new(self, key: str, body: Any, token: str = "") -> bool:
        data = body if isinstance(body, bytes) else body.read()

        def call() -> bool:
            if key in self._world.objects:
                return False
            self._set(key, data, Head(len(data), "", token))
            return True

        return bool(self._gate("put_new", call))

    def delete(self, keys: list[str]) -> None:
        self._gate("delete", lambda: [self._world.objects.pop(key, None) for key in keys])

    def head(self, key: str) -> Head | None:
        found = self._gate("head", lambda: self._world.objects.get(key))
        return found[1] if found else None

    def create(self, key: str, token: str) -> str:
        def call() -> str:
            self._world.ids += 1
            upload_id = f"upload-{self._world.ids}"
            self._world.uploads[upload_id] = (key, token, {})
            return upload_id

        return str(self._gate("create", call))

    def part(self, key: str, upload_id: str, number: int, body: Any, crc32: str) -> Part:
        data = body if isinstance(body, bytes) else body.read()

        def call() -> Part:
            if upload_id not in self._world.uploads:
                raise NoSuchUpload
            self._world.uploads[upload_id][2][number] = data
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            return Part(number, f'"{etag}"', crc32)

        result: Part = self._gate("part", call)
        return result

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        def call() -> None:
            if upload_id not in self._world.uploads:
                raise NoSuchUpload
            _, token, pieces = self._world.uploads.pop(upload_id)
            data = b"".join(pieces[part.number] for part in parts)
            self._set(key, data, Head(len(data), expected_etag(parts), token))

        self._gate("complete", call)

    def abort(self, key: str, upload_id: str) -> None:
        self._gate("abort", lambda: self._world.uploads.pop(upload_id, None))

    def _set(self, key: str, data: bytes, head: Head) -> None:
        self._world.objects[key] = (data, head)


class FakeAws:
    """What ``aws.Aws`` hands out, in memory."""

    def __init__(self, world: World, gate: Gate = straight) -> None:
        self._world = world
        self._gate = gate

    def bucket(self, bucket: str, lock_days: int = 0) -> FakeBucket:
        return FakeBucket(self._world, self._gate)

    def table(self, table: str, job: str, run_key: str) -> FakeTable:
        return FakeTable(self._world, self._gate)

    def client(self, service: str, timeout_seconds: float) -> Any:
        raise AssertionError(f"nothing here speaks to {service}")


class IdleJob:
    """A job that does nothing and has nothing open."""

    def pause(self) -> None:
        pass

    def go_on(self) -> None:
        pass

    def held_open(self, folder: str) -> set[str]:
        return set()

    def mapped(self, folder: str) -> set[str]:
        return set()

    def half_made(self) -> dict[str, Proof]:
        return {}


class Inline(Executor):
    """Does everything at once in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: Any = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=False)])


class Turns:
    """Lets several actors, each in a thread, make their calls in a given order, one at a time."""

    def __init__(self) -> None:
        self._actors: dict[str, tuple[threading.Semaphore, threading.Semaphore]] = {}
        self._ended: set[str] = set()
        self._threads: list[threading.Thread] = []

    def actor(self, name: str, run: Callable[[Gate], None]) -> None:
        """Start an actor; it stops before its first call."""
        go, stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._actors[name] = (go, stopped)

        def gate(call_name: str, call: Callable[[], Any]) -> Any:
            stopped.release()
            go.acquire()
            if name in self._ended:
                raise Crash
            return call()

        def body() -> None:
            try:
                run(gate)
            except Crash:
                pass
            finally:
                self._ended.add(name)
                stopped.release()

        thread = threading.Thread(target=body, daemon=True)
        self._threads.append(thread)
        thread.start()
        stopped.acquire()

    def step(self, name: str) -> bool:
        """Let an actor make one call; false when it had ended."""
        if name in self._ended:
            return False
        go, stopped = self._actors[name]
        go.release()
        stopped.acquire()
        return True

    def kill(self, name: str) -> None:
        """End an actor before its next call."""
        if name not in self._ended:
            self._ended.add(name)
            go, stopped = self._actors[name]
            go.release()
            stopped.acquire()
