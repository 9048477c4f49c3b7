"""What a process has begun and not ended: threads, children, and tasks of asyncio and of pools.

A unit of a loop that made nothing by itself may have handed its work on. Whether it has, nobody
says, so what is under way when the unit ends is compared with what was when it began. It is a look
from outside, at what the standard library keeps; where it sees nothing, nothing is under way. A
pool's own threads and children are not, only the tasks that it has.
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

Token = tuple[object, ...]
"""Tells one thing that is under way from another."""

_POOLS = (
    *("concurrent.futures.thread", "concurrent.futures.process"),
    *("multiprocessing.pool", "multiprocessing.queues"),
)
"""Modules whose threads are a pool's own."""

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
    managers = [each for each in threading.enumerate() if hasattr(each, "pending_work_items")]
    children = _children_of_pools(managers, stacks.values())
    return frozenset(
        (
            *(
                ("thread", each.ident)
                for each in threading.enumerate()
                if each.ident not in of_pools
            ),
            *(("child", pid) for pid in _children() if pid not in children),
            *(("task", manager.ident, n) for manager in managers for n in _pending(manager)),
            *_tasks(),
            *_in_pools(stacks),
            *_queued(),
        )
    )


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
                yield "task", id(task)


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
