"""Starting the job and ending everything it left behind.

The job is forked before the first thread exists and waits for a byte to go, so that no fork ever
meets a lock held by another thread. Who decides when to go, to signal or to kill is the supervisor.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from steadyspot.contract import Exit
from steadyspot.worker.errors import NotFound, NotRunnable, SetupError, WorkerError

if TYPE_CHECKING:
    from steadyspot.worker.keeping.half_made import Proof
    from steadyspot.worker.supervising.half_made import HalfMade
    from steadyspot.worker.supervising.standstill import Standstill

FILES = 65_536
"""So many open files are enough."""

IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
"""Signals that end no process which has not said what to do."""

SHELLS = {"ash", "bash", "busybox", "dash", "ksh", "ksh93", "mksh", "sh", "yash", "zsh"}
"""What opens files to be written for its redirections alone."""

MAKERS = {"bzip2", "cp", "curl", "gzip", "openssl", "tar", "tee", "wget", "xz", "zstd"}
"""What opens a file to make it as a whole, and keeps nothing in it that it goes on from."""

GOES_ON = re.compile(rb"--continue|-[aBfgGiIjJklLMnNOpqRsSvVZ01346#:]*C")
"""What ``curl`` is given where it goes on from a file that is there, by its first letters.

Before the ``C`` only flags can stand: behind an option with a value, the rest is that.
"""

PATCHES = re.compile(rb"(?s)(?=.*\0of=).*\0conv=([^\0]*,)?notrunc")
"""In what ``dd`` is given, each behind a zero, where it changes a part of a file in its place."""

WRITES_MAPPED = rb"^\S+ .w.s \S+ \S+ \S+ +(%b.*)$"
"""A line of ``/proc/PID/maps`` of a file below a folder that is mapped shared and to be written."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


PAUSE_SECONDS = 5.0
"""How long a copy of a folder waits for a job to stand still."""

LAST_LOOK_SECONDS = 0.5
"""How long a stop waits for that, to see what is in hand."""


class JobProcess:
    """The job's first process, in a process group of its own.

    ``pid`` is also the group's id; ``status`` is its wait status once it has ended, ``trouble``
    what the worker ended it for, if not for a stop. When standard input is a terminal that the
    worker holds, the job's group becomes its foreground group, as a shell would do.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        tied: bool,
        standstill: Standstill,
        half_made: HalfMade,
    ) -> None:
        """Fork. ``tied``: the job dies with a worker that is killed, as it does under PID 1.

        ``half_made`` is told what the job has in hand when it is killed.
        """
        self.command = list(command)
        self.status: int | None = None
        self.trouble: WorkerError | None = None
        self.began = self.ended = 0.0
        self.killed = False
        self._standstill = standstill
        self._half_made = half_made
        self._go_read, self._go_write = os.pipe()
        self._error_read, self._error_write = os.pipe()
        self.terminal = _holds_terminal()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(environment, tied, parent)
            finally:
                os._exit(Exit.NOT_FOUND)
        os.close(self._go_read)
        os.close(self._error_write)
        try:
            os.setpgid(self.pid, self.pid)
        except OSError:
            pass  # It has done so itself and gone on.

    def go(self) -> None:
        """Let the job execute its command. Raises ``NotFound`` or ``NotRunnable``.

        Where it was killed meanwhile it has a ``status``, or will have, and never began.
        """
        try:
            os.write(self._go_write, b"1")
        except BrokenPipeError:
            return
        error = os.read(self._error_read, 16)
        os.close(self._go_write)
        os.close(self._error_read)
        if not error:
            self.began = time.time()
            return
        _, self.status = os.waitpid(self.pid, 0)
        name, why = self.command[0], os.strerror(int(error))
        if int(error) == errno.ENOENT:
            raise NotFound(
                f"The command '{name}' is not in the image.",
                "Check its spelling, PATH and the image.",
            )
        raise NotRunnable(
            f"The command '{name}' cannot be executed: {why}.",
            "Check that it is an executable file with a valid first line, for this architecture.",
        )

    @property
    def running(self) -> bool:
        """Whether its first process was let go and has not ended."""
        return self.began > 0 and self.status is None

    def end(self, status: int) -> None:
        """The first process was reaped."""
        if self.status is None:
            self.status, self.ended = status, time.time()

    def kill(self) -> None:
        """End its group by SIGKILL. What has left the group is ended with all that is left."""
        if self.running and not self.killed:
            self.killed = True
            self.stop_to_kill()
            signal_group(self.pid, signal.SIGKILL)

    def pause(self) -> None:
        """Have it stand still, and all that it started."""
        self._standstill.begin(PAUSE_SECONDS)

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._standstill.end()

    def stop_to_kill(self) -> None:
        """Have all that is about to be killed stand still for good, and note what it is writing.

        What it would begin between that look and its end, nobody would know.
        """
        if not self._half_made.looks:
            return
        self._standstill.begin(LAST_LOOK_SECONDS)
        found = descendants()
        self._half_made.note_cut(found, found)

    @property
    def held(self) -> set[str]:
        """Real paths of outputs that a stop or a kill has cut, as ``HalfMade.held``."""
        return set(self._half_made.held)

    def being_written(self) -> set[str]:
        """Real paths of outputs that what it started still has open, but for logs."""
        return set(self._half_made.being_written(descendants()))

    def held_open(self, folder: str) -> set[str]:
        """Real paths below a folder that it, or what it started, can still write into.

        Or could, where it was cut.
        """
        return held_open(folder, descendants()) | self.held

    def mapped(self, folder: str) -> set[str]:
        """Those of them that are mapped into memory to be written, as ``mapped``."""
        return mapped(folder, descendants())

    def half_made(self) -> dict[str, Proof]:
        """Files of the checkpoint folder that nobody has finished, as ``HalfMade.files``."""
        return self._half_made.files()

    def end_proofs(self) -> None:
        """What changes from now on is not its doing, as ``HalfMade.end_proofs``."""
        self._half_made.end_proofs()

    def _become(self, environment: Mapping[str, str], tied: bool, parent: int) -> None:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self.terminal:
            os.tcsetpgrp(0, os.getpgrp())
        if tied:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(self._go_write)
        if os.getppid() != parent or not os.read(self._go_read, 1):
            os._exit(0)
        # Caught signals become default at exec; those that Python ignores would stay ignored.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTOU):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.write(self._error_write, str(self._execute(environment)).encode())

    def _execute(self, environment: Mapping[str, str]) -> int:
        """As ``os.execvpe``, which loads ``warnings`` first; the error's number if it fails."""
        name, number = self.command[0], errno.ENOENT
        folders = [""] if "/" in name else environment.get("PATH", os.defpath).split(":")
        for folder in folders:
            try:
                os.execve(os.path.join(folder, name), self.command, environment)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    number = error.errno or number
        return number


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
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


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
        return [int(pid) for pid in _entries("/proc") if pid.isdigit() and _parent(pid) == me]
    return found


def descendants() -> list[Process]:
    """Everything below this process that has not ended yet (Linux, ``/proc``)."""
    if not children():
        return []  # As nearly always at a job's end; a machine may have many processes to look at.
    below: dict[int, list[Process]] = {}
    for entry in _entries("/proc"):
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


def files_made_by(process: Process, root: str) -> set[str]:
    """Real paths below a folder of what a process makes by ``> file``: its standard output.

    A shell has it open under other numbers, too: before it starts the program, and while what it
    calls within ``{ … } > file`` writes elsewhere. So have those that copy, pack or fetch a file by
    its name. What is added to (``>>``) or written over in its place (``1<> file``, a ``dd`` that
    leaves the rest as it is) is not being made.
    """
    how = os.O_ACCMODE | os.O_APPEND
    return {
        path
        for descriptor, path, flags in _open_below(root, process)
        if flags & how == os.O_WRONLY
        and (
            (descriptor == "1" and not _patches(process))
            or _is_shell(process)
            or _is_maker(process)
        )
    }


def held_open(root: str, by: Iterable[Process]) -> set[str]:
    """Real paths below a folder that these processes have open, or mapped, for writing."""
    found = list(by)
    opened = {
        path
        for process in found
        for _, path, flags in _open_below(root, process)
        if flags & os.O_ACCMODE != os.O_RDONLY
    }
    return opened | mapped(root, found)


def mapped(root: str, by: Iterable[Process]) -> set[str]:
    """Real paths below a folder that these processes have mapped to write into the file.

    A file may be written so once its descriptor is closed, and its times do not move while the page
    that is written has not gone to the disk. The first write to a page by a new mapping moves them.
    """
    below = os.fsencode(os.path.realpath(root) + "/").replace(b"\n", rb"\012")
    found: set[bytes] = set()
    for process in by:
        maps = b""
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{process.pid}/maps").read_bytes()
        if below in maps:  # Of few processes, and a server has thousands of lines.
            found.update(re.findall(WRITES_MAPPED % re.escape(below), maps, re.MULTILINE))
    return {os.fsdecode(path.replace(rb"\012", b"\n")) for path in found}


def _open_below(root: str, process: Process) -> Iterator[tuple[str, str, int]]:
    """What a process has open below a folder: descriptor, real path and flags of each."""
    below = os.path.realpath(root) + "/"
    for descriptor in _entries(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
            if path.startswith(below):
                yield descriptor, path, _flags(process.pid, descriptor)


def _is_maker(process: Process) -> bool:
    """Whether a program makes files as a whole, by its name and what it was given."""
    name, given = _program(process)
    goes_on = name == "curl" and any(map(GOES_ON.match, given.split(b"\0")))
    return name in MAKERS and not goes_on


def _patches(process: Process) -> bool:
    """Whether a program changes its standard output in its place, which it has opened itself."""
    name, given = _program(process)
    return name == "dd" and PATCHES.match(given) is not None


def _program(process: Process) -> tuple[str, bytes]:
    """The name of what a process runs, and what it was given, each argument behind a zero."""
    with contextlib.suppress(OSError):
        name = Path(f"/proc/{process.pid}/comm").read_text(errors="replace").strip()
        given = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        return name, given[given.find(b"\0") :]
    return "", b""


def _is_shell(process: Process) -> bool:
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{process.pid}/exe")) in SHELLS
    return False


def lives(process: Process) -> bool:
    """Whether a process has not ended."""
    found = _look(str(process.pid))
    return found is not None and found.identity == process.identity


def stands(process: Process) -> bool:
    """Whether a process is stopped, or gone."""
    stat = _stat(str(process.pid))
    return not stat or stat[0] in "TtZX"


def _flags(pid: int, descriptor: str) -> int:
    """With which flags a descriptor is open."""
    with open(f"/proc/{pid}/fdinfo/{descriptor}") as file:
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return os.O_RDONLY


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


def _entries(folder: str) -> list[str]:
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


def _holds_terminal() -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _prctl(option: int, value: int) -> None:
    import ctypes  # Not needed as PID 1, where it would only be waited for.

    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError) as error:
        raise SetupError(
            f"This system has no prctl: {error}.", "Run the worker on Linux, or as PID 1."
        ) from None
