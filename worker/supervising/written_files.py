"""Which files processes write, by what they have open or mapped, and which of them they make whole.

All is read from ``/proc`` of Linux.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from steadyspot.worker.supervising.processes import Process, entries

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
    for descriptor in entries(f"/proc/{process.pid}/fd"):
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


def _flags(pid: int, descriptor: str) -> int:
    """With which flags a descriptor is open."""
    with open(f"/proc/{pid}/fdinfo/{descriptor}") as file:
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return os.O_RDONLY
