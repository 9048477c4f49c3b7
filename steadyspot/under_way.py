"""What a process has begun and not ended: threads, children, and tasks of asyncio and of pools.

A unit of a loop may have handed its work on, in whole or in part. Whether it has, nobody says, so
what is under way when the unit ends is compared with what was when it began. It is a look from
outside. A thread is under way while it stands at another place of its program than before; one
that is back where it waited, at a queue of whatever kind or for the time to pass, is not. What it
has taken from a queue it may hold all the same, until it says ``task_done``. A pool's own threads
and children are not, only the tasks that it has. Whether a child that is fed through a pipe or by
``multiprocessing`` is through with what it was given, nobody can see.

Pools say by no public name what they have yet to do, and to note what is submitted their modules
would have to be replaced under the job. So this file reads names and frames that belong to
the standard library; a test for each kind of pool fails where a release changes them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from steadyspot.own_code import is_the_jobs
from steadyspot.units import Process, ancestry

Token = tuple[object, ...]
"""Tells one thing that is under way from another; the first is its kind."""

THREAD, HELPER, CHILD = "thread", "daemon thread", "child"
TASK, QUEUE, COROUTINE = "task of a pool", "queue of a pool", "task of asyncio"
HELD = "taken from a queue"
"""Kinds. For a thread the interpreter waits at its end, for a daemon thread it does not."""

STOP_THREAD = "steadyspot-stop"
"""The name of the thread that waits for a stop, and calls what the job wants called then."""

_POOLS = (
    *("concurrent.futures.thread", "concurrent.futures.process"),
    *("multiprocessing.pool", "multiprocessing.queues"),
)
"""Modules whose threads are a pool's own."""

_COROUTINE = 0x80 | 0x200
"""Of the flags of code (``CO_COROUTINE``, ``CO_ASYNC_GENERATOR`` of ``inspect``)."""

_MANAGER = "SyncManager"
"""What a process of ``multiprocessing.Manager`` is called, which keeps values and does no work."""

NOTHING_SECONDS = 0.001
"""What takes less has done nothing that need be kept from being done again."""


class Effort(NamedTuple):
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
    own = threading.get_ident()
    frames = sys._current_frames()
    frames.pop(own, None)
    stacks = {thread: list(stack_of(frame)) for thread, frame in frames.items()}
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
                token
                for each in threading.enumerate()
                if each.ident not in (of_pools | {own}) and each.name != STOP_THREAD
                for token in _thread(each, stacks.get(each.ident or 0, []))
            ),
            *((CHILD, pid) for pid in _children() if pid not in children),
            *((TASK, manager.ident, n) for manager in managers for n in _pending(manager)),
            *_tasks(),
            *_in_pools(stacks),
            *_queued(),
        )
    )


def has_children_at_work(fed: bool) -> bool:
    """Whether children are there of whom nobody can see whether they are through with their work.

    They are children of ``multiprocessing`` that are no pool's and, if asked, those ``fed``.
    """
    if fed and fed_children():
        return True
    of_pools = _of_pools()
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing else []
    return any(each.pid not in of_pools and not each.name.startswith(_MANAGER) for each in children)


def in_unknown_loop() -> bool:
    """Whether a coroutine called, and no loop of ``asyncio`` runs it but another, such as Trio's.

    What else that one runs nobody tells.
    """
    if "asyncio" in sys.modules:
        with contextlib.suppress(RuntimeError):  # None of its loops runs here.
            sys.modules["asyncio"].get_running_loop()
            return False
    return any(frame.f_code.co_flags & _COROUTINE for frame in stack_of(sys._getframe()))


def fed_children() -> list[int]:
    """Children of this thread that are no pool's, and whose standard input is a pipe."""
    fed = [pid for pid in _children() if _is_fed(pid)]
    of_pools = _of_pools() if fed else set()
    return [pid for pid in fed if pid not in of_pools]


def at_large(threads: Iterable[int]) -> bool:
    """Whether any of these threads lives that is no pool's and no event loop's.

    What such a one still has nobody can see, be it that it gathers or looks for work at times,
    unless it waits at a queue and has said that it is through with all it was given.
    """
    frames = sys._current_frames()
    for thread in threads:
        if any(
            _is_taking(frame, "queue") and not frame.f_locals["self"].unfinished_tasks
            for frame in stack_of(frames.get(thread))
        ):
            continue
        names = {
            (frame.f_globals.get("__name__"), frame.f_code.co_name)
            for frame in stack_of(frames.get(thread))
        }
        of_pool = {module for module, _ in names} & set(_POOLS)
        if names and not of_pool and ("asyncio.base_events", "run_forever") not in names:
            return True
    return False


def below(pids: Iterable[int]) -> list[int]:
    """Those of these processes that are below this one and live."""
    return [pid for pid in pids if os.getpid() in _above(pid) and Process.of(pid).lives()]


def no_pools(pids: Iterable[int]) -> list[int]:
    """Those of these processes that are no pool's."""
    of_pools = _of_pools()
    return [pid for pid in pids if not of_pools & {pid, *_above(pid)}]


def _above(pid: int) -> list[int]:
    return list(ancestry(pid))[1:]


def has_children() -> bool:
    """Whether any thread of this process has children, as far as the system tells."""
    with contextlib.suppress(OSError):
        return any(map(_children, map(int, os.listdir("/proc/self/task"))))
    return False


def _of_pools() -> set[int]:
    stacks = [list(stack_of(frame)) for frame in sys._current_frames().values()]
    return _children_of_pools(_managers(), stacks)


def _is_fed(pid: int) -> bool:
    """Whether a child reads from a pipe or a socket that is not this process's own input."""
    with contextlib.suppress(OSError):
        given = os.readlink(f"/proc/{pid}/fd/0")
        own = os.readlink("/proc/self/fd/0") if os.path.lexists("/proc/self/fd/0") else ""
        return given.startswith(("pipe:", "socket:")) and given != own
    return False


def _managers() -> list[threading.Thread]:
    """Threads that lead a pool of processes."""
    return [each for each in threading.enumerate() if hasattr(each, "pending_work_items")]


def _thread(thread: threading.Thread, stack: list[FrameType]) -> Iterator[Token]:
    """A thread and the place it stands at; one that the system lets run is at another each time.

    It may have been woken, and has not come to leave its place yet.
    """
    kind = HELPER if thread.daemon else THREAD
    if _runs(thread.native_id or 0):
        yield kind, thread.ident, os.urandom(8)
    if not _awaits_work(stack) and not (thread.daemon and _is_timed(stack)):
        yield kind, thread.ident, tuple(map(_place, stack))
    for frame in stack:
        if _is_taking(frame, "queue") and is_the_jobs(frame.f_back and frame.f_back.f_code):
            yield HELD, thread.ident, frame.f_locals["self"].unfinished_tasks


def _is_taking(frame: FrameType, module: str) -> bool:
    """Whether a frame is the call that takes something from a queue of this module."""
    return frame.f_code.co_name == "get" and frame.f_globals.get("__name__") == module


def _place(frame: FrameType) -> Token:
    """Where in its source a frame is; the number of an instruction changes as code warms up."""
    instruction = max(frame.f_lasti, 0) // 2
    return id(frame.f_code), next(islice(frame.f_code.co_positions(), instruction, None), None)


def any_begins() -> bool:
    """Whether a thread was started and has not come to its own program yet."""
    frames = sys._current_frames()
    return any(
        all(frame.f_globals.get("__name__") == "threading" for frame in stack_of(frames[thread]))
        for thread in (each.ident or 0 for each in threading.enumerate())
        if thread in frames
    )


def _runs(native: int) -> bool:
    """Whether the system lets a thread run, be it that it waits for a processor."""
    try:
        stat = Path(f"/proc/self/task/{native}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] == b"R"


def handed_on(left: Iterable[Token], threads: Collection[object]) -> bool:
    """Whether any of what is left is work by its nature, and may not only lie in the background.

    As do children that live on, and daemon threads that were begun meanwhile, such as the one that
    draws a progress bar; ``threads`` were there before.
    """
    kinds = (THREAD, TASK, QUEUE, COROUTINE)
    return any(one[0] in kinds or (one[0] == HELPER and one[1] in threads) for one in left)


def _awaits_work(stack: list[FrameType]) -> bool:
    """Whether a thread waits at an empty queue or a full one, or its event loop has no tasks."""
    for frame in stack:
        place = (frame.f_globals.get("__name__"), frame.f_code.co_name)
        if place == ("queue", "get"):
            return not frame.f_locals["self"].qsize()
        if place == ("queue", "put"):
            return bool(frame.f_locals["self"].full())
        if place == ("asyncio.events", "_run"):  # A callback is being run.
            return False
        if place == ("asyncio.base_events", "run_forever"):
            loop = frame.f_locals["self"]
            return not (getattr(loop, "_ready", ()) or sys.modules["asyncio"].all_tasks(loop))
    return False


def _is_timed(stack: list[FrameType]) -> bool:
    """Whether a thread waits for an event for some time, as what does something at times."""
    places = {(frame.f_globals.get("__name__"), frame.f_code.co_qualname) for frame in stack}
    timed = any(
        frame.f_code.co_qualname == "Event.wait" and frame.f_locals["timeout"] is not None
        for frame in stack
        if frame.f_globals.get("__name__") == "threading"
    )
    return timed and ("threading", "Timer.run") not in places


def stack_of(frame: FrameType | None) -> Iterator[FrameType]:
    """The innermost frame, and those that called it."""
    while frame:
        yield frame
        frame = frame.f_back


def job_stack() -> list[FrameType]:
    """The frames of the job's own code that asks, innermost first."""
    return [one for one in stack_of(sys._getframe()) if is_the_jobs(one.f_code)]


def _children(native: int | None = None) -> list[int]:
    """Children that a thread has begun, this one if not said, as far as the system tells."""
    with contextlib.suppress(OSError):
        path = f"/proc/self/task/{native or threading.get_native_id()}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    return []


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
                    yield COROUTINE, id(task), begun
                elif held := _held(coroutine):
                    yield HELD, id(task), held
            for call in tuple(getattr(asyncio.get_running_loop(), "_scheduled", ())):
                code = _code(call._callback)
                if not call.cancelled() and is_the_jobs(code):
                    yield COROUTINE, id(code)


def _code(callback: Any) -> CodeType | None:
    """The code of what is to be called later."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    return getattr(callback, "__code__", None)


def _awaits(coroutine: Any) -> bool:
    """Whether what a task of ``asyncio`` awaits is work at an empty queue."""
    frame = _taking(coroutine)
    return frame is not None and bool(frame.f_locals["self"].empty())


def _held(coroutine: Any) -> int:
    """How much a task of the job's own that awaits work has taken and not said to be done."""
    frame = _taking(coroutine)
    if frame is None or not (coroutine.cr_frame is frame or is_the_jobs(coroutine.cr_code)):
        return 0
    return getattr(frame.f_locals["self"], "_unfinished_tasks", 0)


def _taking(coroutine: Any) -> FrameType | None:
    """The call in which a task of ``asyncio`` takes something from a queue."""
    return next((one for one in awaited(coroutine) if _is_taking(one, "asyncio.queues")), None)


def awaited(coroutine: Any) -> Iterator[FrameType]:
    """The frame of a coroutine, and those of the coroutines that it awaits."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = coroutine.cr_await


def _in_pools(stacks: dict[int, list[FrameType]]) -> Iterator[Token]:
    """What threads of a pool are doing, and what a ``multiprocessing`` pool has not answered."""
    for thread, stack in stacks.items():
        above: FrameType | None = None
        for frame in stack:
            place = (frame.f_globals.get("__name__"), frame.f_code.co_name)
            if place == ("concurrent.futures.thread", "_worker"):
                task = frame.f_locals.get("work_item", above)  # It has one before it runs it.
                if task is not None:
                    yield TASK, thread, id(task)
            elif place == ("multiprocessing.pool", "_handle_results"):
                for number in tuple(frame.f_locals.get("cache", ())):
                    yield TASK, thread, number
            above = frame


def _queued() -> Iterator[Token]:
    module = sys.modules.get("concurrent.futures.thread")
    queues = dict(getattr(module, "_threads_queues", {}))
    if any(thread.is_alive() and queue.qsize() for thread, queue in queues.items()):
        yield QUEUE, os.urandom(8)
