"""What a process has begun and not ended: threads, children, and tasks of asyncio and of pools.

A unit of a loop that made nothing by itself may have handed its work on. Whether it has, nobody
says, so what is under way when the unit ends is compared with what was when it began. It is a look
from outside, at what the standard library keeps; where it sees nothing, nothing is under way. A
pool's own threads and children are not, only the tasks that it has, nor is a thread or task that
waits for work at an empty queue. Of a child of ``multiprocessing`` nobody can see whether it waits.

Pools say by no public name what they have yet to do, and to note what is submitted their modules
would have to be replaced under the job. So this file reads names and frames that belong to
the standard library; a test for each kind of pool fails where a release changes them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

Token = tuple[object, ...]
"""Tells one thing that is under way from another."""

_POOLS = (
    *("concurrent.futures.thread", "concurrent.futures.process"),
    *("multiprocessing.pool", "multiprocessing.queues"),
)
"""Modules whose threads are a pool's own."""

_MANAGER = "SyncManager"
"""What a process of ``multiprocessing.Manager`` is called, which keeps values and does no work."""

NOTHING_SECONDS = 0.001
"""What takes less has done nothing that need be kept from being done again."""


@dataclass(frozen=True)
class Effort:
    """What a thread has spent so far: seconds by the clock and of CPU, and how often it waited."""

    seconds: float
    cpu_seconds: float
    waits: int

    def is_nothing(self, before: Effort) -> bool:
        """Whether next to nothing was spent since then; others may have had the CPU meanwhile."""
        worked = self.cpu_seconds - before.cpu_seconds >= NOTHING_SECONDS
        waited = self.waits > before.waits
        passed = self.seconds - before.seconds >= NOTHING_SECONDS
        return not passed or not (worked or waited)


def effort() -> Effort:
    """What this thread has spent so far; where its waits are not told, it may have waited."""
    whose = getattr(resource, "RUSAGE_THREAD", None)
    now = time.monotonic()
    waits = int(now * 1e9) if whose is None else resource.getrusage(whose).ru_nvcsw
    return Effort(now, time.thread_time(), waits)


def under_way() -> frozenset[Token]:
    """All that is under way; what waits in the queue of a pool of threads is new each time."""
    frames = sys._current_frames()
    frames.pop(threading.get_ident(), None)
    stacks = {thread: list(_stack(frame)) for thread, frame in frames.items()}
    of_pools = {
        thread
        for thread, stack in stacks.items()
        if any(frame.f_globals.get("__name__") in _POOLS for frame in stack)
    }
    managers = _managers()
    children = _children_of_pools(managers, stacks.values())
    return frozenset(
        (
            *(
                _thread(each.ident, stacks.get(each.ident or 0, []))
                for each in threading.enumerate()
                if each.ident not in of_pools and not _awaits_work(stacks.get(each.ident or 0, []))
            ),
            *(("child", pid) for pid in _children() if pid not in children),
            *(("task", manager.ident, n) for manager in managers for n in _pending(manager)),
            *_tasks(),
            *_in_pools(stacks),
            *_queued(),
        )
    )


def has_children_at_work() -> bool:
    """Whether children of ``multiprocessing`` that are no pool's may be at work."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or not (children := multiprocessing.active_children()):
        return False
    stacks = [list(_stack(frame)) for frame in sys._current_frames().values()]
    of_pools = _children_of_pools(_managers(), stacks)
    return any(each.pid not in of_pools and not each.name.startswith(_MANAGER) for each in children)


def _managers() -> list[threading.Thread]:
    """Threads that lead a pool of processes."""
    return [each for each in threading.enumerate() if hasattr(each, "pending_work_items")]


def _thread(ident: int | None, stack: list[FrameType]) -> Token:
    """One that has yet to begin is another than the same at work."""
    begun = any(frame.f_globals.get("__name__") != "threading" for frame in stack)
    return ("thread" if begun else "thread to begin", ident)


def _awaits_work(stack: list[FrameType]) -> bool:
    """Whether a thread waits at an empty queue, or has an event loop without tasks."""
    for frame in stack:
        place = (frame.f_globals.get("__name__"), frame.f_code.co_name)
        if place == ("queue", "get"):
            return not frame.f_locals["self"].qsize()
        if place == ("asyncio.base_events", "run_forever"):
            return not sys.modules["asyncio"].all_tasks(frame.f_locals["self"])
    return False


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """The innermost frame, and those that called it."""
    while frame:
        yield frame
        frame = frame.f_back


def _children() -> Iterator[int]:
    """Children that this thread has begun, as far as the system tells."""
    with contextlib.suppress(OSError):
        path = f"/proc/self/task/{threading.get_native_id()}/children"
        with open(path, encoding="ascii") as file:
            yield from map(int, file.read().split())


def _children_of_pools(
    managers: Iterable[threading.Thread], stacks: Iterable[list[FrameType]]
) -> set[int]:
    """Children that wait for tasks, and helpers of ``multiprocessing``."""
    found = {
        pid for manager in managers for pid in tuple(getattr(manager, "processes", None) or ())
    }
    for stack in stacks:
        for frame in stack:
            if frame.f_code.co_name == "_handle_workers":
                found |= {getattr(each, "pid", 0) for each in frame.f_locals.get("pool", ())}
    for module, name, pid in (
        ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ):
        helper = getattr(sys.modules.get(module), name, None)
        found.add(getattr(helper, pid, None) or 0)
    return found


def _pending(manager: threading.Thread) -> tuple[object, ...]:
    """Tasks of a pool of processes that have not ended."""
    return tuple(getattr(manager, "pending_work_items", None) or ())


def _tasks() -> Iterator[Token]:
    asyncio = sys.modules.get("asyncio")
    if asyncio:
        with contextlib.suppress(RuntimeError):  # No loop is running here.
            for task in asyncio.all_tasks():
                coroutine = task.get_coro()
                if getattr(coroutine, "cr_running", True) or not _awaits(coroutine):
                    begun = getattr(coroutine, "cr_await", None) is not None
                    yield ("task" if begun else "task to begin"), id(task)


def _awaits(coroutine: Any) -> bool:
    """Whether what a task of ``asyncio`` awaits is work at an empty queue."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        if frame.f_globals.get("__name__") == "asyncio.queues" and frame.f_code.co_name == "get":
            return bool(frame.f_locals["self"].empty())
        coroutine = coroutine.cr_await
    return False


def _in_pools(stacks: dict[int, list[FrameType]]) -> Iterator[Token]:
    """What threads of a pool are doing, and what a ``multiprocessing`` pool has not answered."""
    for thread, stack in stacks.items():
        above: FrameType | None = None
        for frame in stack:
            place = (frame.f_globals.get("__name__"), frame.f_code.co_name)
            if place == ("concurrent.futures.thread", "_worker"):
                task = frame.f_locals.get("work_item", above)  # It has one before it runs it.
                if task is not None:
                    yield "task", thread, id(task)
            elif place == ("multiprocessing.pool", "_handle_results"):
                for number in tuple(frame.f_locals.get("cache", ())):
                    yield "task", thread, number
            above = frame


def _queued() -> Iterator[Token]:
    module = sys.modules.get("concurrent.futures.thread")
    queues = dict(getattr(module, "_threads_queues", {})).values()
    if any(queue.qsize() for queue in queues):
        yield "in a queue", os.urandom(8)
