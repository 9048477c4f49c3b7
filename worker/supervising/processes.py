"""The processes below the worker: which there are, how they stand, and how they are told and ended.

All is read from ``/proc`` of Linux. Who decides when to signal or to kill is the supervisor.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import NamedTuple

from steadyspot.worker.errors import SetupError

FILES = 65_536
"""So many open files are enough."""

IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
"""Signals that end no process which has not said what to do."""

PR_SET_CHILD_SUBREAPER = 36


def raise_file_limit() -> None:
    """Let this process open as many files as it may: each that speaks with it takes one.

    Programs that close all they might have inherited take long below a limit without end.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, as PID 1 is anyway."""
    if os.getpid() != 1:
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def signal_process(pid: int, number: int) -> None:
    """Send a signal to one process; gone is fine."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def signal_group(group: int, number: int) -> None:
    """Send a signal to each process of a group; gone is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


class Process(NamedTuple):
    """A process that runs. ``started``, in ticks since boot, tells a number used again."""

    pid: int
    started: int
    parent: int
    group: int

    @property
    def identity(self) -> tuple[int, int]:
        """What stays the same when its parent ends."""
        return self.pid, self.started


def children() -> list[int]:
    """Process ids of this process's children, ended ones included (Linux, ``/proc``)."""
    me = os.getpid()
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{me}/task"):
            with open(f"/proc/{me}/task/{task}/children") as file:
                found += [int(pid) for pid in file.read().split()]
    except OSError:  # A kernel without that list, or a thread that ended meanwhile.
        return [int(pid) for pid in entries("/proc") if pid.isdigit() and _parent(pid) == me]
    return found


def descendants() -> list[Process]:
    """Everything below this process that has not ended yet (Linux, ``/proc``)."""
    if not children():
        return []  # As nearly always at a job's end; a machine may have many processes to look at.
    below: dict[int, list[Process]] = {}
    for entry in entries("/proc"):
        if entry.isdigit() and (process := _look(entry)):
            below.setdefault(process.parent, []).append(process)
    found = list(below.get(os.getpid(), []))
    for process in found:
        found += below.get(process.pid, [])
    return found


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    return _is_in(pid, number, "SigCgt:")


def is_ended_by(pid: int, number: int) -> bool:
    """Whether a signal ends a process at once: it has not said what else to do."""
    return number not in IGNORED and not _is_in(pid, number, "SigCgt:", "SigIgn:", "SigBlk:")


def is_about_to_end(pid: int, number: int) -> bool:
    """Whether a process that stands still ends of a signal before it does anything else."""
    return _is_in(pid, number, "SigPnd:", "ShdPnd:") and is_ended_by(pid, number)


def _is_in(pid: int, number: int, *sets: str) -> bool:
    """Whether a signal is in one of these sets of a process (``/proc/PID/status``)."""
    try:
        with open(f"/proc/{pid}/status") as file:
            masks = [int(line.split()[1], 16) for line in file if line.startswith(sets)]
    except OSError:
        return False
    return any(mask >> (number - 1) & 1 for mask in masks)


def reap() -> dict[int, int]:
    """Collect every ended child; process id to wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def kill_children() -> bool:
    """Kill all children once, ended ones still to be reaped; true when there was none.

    Grandchildren become children as their parents go, so that calling and reaping until it is true
    ends also what has left the job's group or session.
    """
    found = children()
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return not found


def exit_code(status: int) -> int:
    """A wait status as exit code, 128 + signal for a process ended by one."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def lives(process: Process) -> bool:
    """Whether a process has not ended."""
    found = _look(str(process.pid))
    return found is not None and found.identity == process.identity


def stands(process: Process) -> bool:
    """Whether a process is stopped, or gone."""
    stat = _stat(str(process.pid))
    return not stat or stat[0] in "TtZX"


def oom_kills() -> int:
    """How many processes of this container the kernel killed for memory; 0 when it does not say."""
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return 0
    places = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"]
    for _, controllers, path in lines:
        if controllers == "":
            places.insert(0, f"/sys/fs/cgroup{path}/memory.events")
        elif "memory" in controllers.split(","):
            places.insert(0, f"/sys/fs/cgroup/memory{path}/memory.oom_control")
    for place in places:
        try:
            with open(place) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            pass
    return 0


def entries(folder: str) -> list[str]:
    """The names in a folder, none where it cannot be looked into."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stat(pid: str) -> list[str]:
    """The fields of ``/proc/PID/stat`` behind the name: state, parent, group and so on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def _parent(pid: str) -> int:
    stat = _stat(pid)
    return int(stat[1]) if stat else 0


def _look(pid: str) -> Process | None:
    stat = _stat(pid)
    if not stat or stat[0] in "ZX":
        return None
    return Process(int(pid), int(stat[19]), int(stat[1]), int(stat[2]))


def prctl(option: int, value: int) -> None:
    """Ask the kernel for something of this process alone, see ``prctl(2)``."""
    import ctypes  # Not needed as PID 1, where it would only be waited for.

    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError) as error:
        raise SetupError(
            f"This system has no prctl: {error}.", "Run the worker on Linux, or as PID 1."
        ) from None
