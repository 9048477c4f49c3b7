"""Containers of the local target as the task sees them: start, stop, kill, and what they print.

A container is a process tree under an init of its own (`container_init.py`), with an environment
that holds nothing of this machine, and a folder of its own that goes when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

_INIT = Path(__file__).with_name("container_init.py")
_LAST_WORDS_SECONDS = 5.0
"""How long output may still come after the end; a pipe held by no one of ours ends at once."""


@dataclass(frozen=True)
class Command:
    """What a container runs. `workdir` None: its own folder, which is HOME and holds TMPDIR.

    `forwards_signals`: an init in the container passes signals on (`initProcessEnabled`).
    `stop_signal`: the image's STOPSIGNAL, which Fargate sends at a stop. `own`: paths at which the
    container has an empty folder of its own, whatever this machine has there. `memory_bytes`: what
    all its processes may hold together.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    workdir: str | None = None
    forwards_signals: bool = False
    stop_signal: int = signal.SIGTERM
    own: Sequence[str] = ()
    memory_bytes: int = 1 << 60


class Init(Protocol):
    """The process of an init."""

    def wait(self) -> int: ...


class Container:
    """One running container.

    `on_line` gets each line that it prints, in order; `on_end` is called once with the exit code
    and whether it ran out of memory, after the last line and when no process of it is left.
    """

    def __init__(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None],
        on_end: Callable[[int, bool], None],
    ) -> None:
        self._command = command
        self._on_line = on_line
        self._on_end = on_end
        self._process: Init | None = None
        self._control: socket.socket | None = None

    def start(self) -> str:
        """Start it. Comes back with why the first process could not be run, or empty."""
        try:
            order = self._order()
        except OSError as error:
            return str(error)
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        try:
            self._process = self._init(theirs, printed)
        except OSError as error:
            ours.close()
            os.close(output)
            shutil.rmtree(str(order["folder"]), ignore_errors=True)
            return str(error)
        finally:
            theirs.close()
            os.close(printed)
        self._control = ours
        self._tell(json.dumps(order).encode() + b"\n")
        messages = ours.makefile("r", encoding="utf-8")
        reader = threading.Thread(
            target=self._read, args=(output,), name="container-output", daemon=True
        )
        reader.start()
        first = json.loads(_word(messages) or '{"event": "failed", "reason": "init is gone"}')
        if first["event"] == "failed":
            self._leave(reader)
            return str(first["reason"])
        threading.Thread(
            target=self._wait, args=(messages, reader), name="container-end", daemon=True
        ).start()
        return ""

    def stop(self) -> None:
        """The image's STOPSIGNAL to the first process, as `docker stop` does."""
        self._tell(b"stop\n")

    def kill(self) -> None:
        """SIGKILL to every process."""
        self._tell(b"kill\n")

    def _init(self, theirs: socket.socket, printed: int) -> Init:
        """Start the init, which gets its order over the socket and prints into the pipe."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_INIT), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env={},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def _order(self) -> dict[str, object]:
        folder = tempfile.mkdtemp(prefix="steadyspot-container-")
        scratch = Path(folder) / "tmp"
        scratch.mkdir()
        own = {"HOME": folder, "TMPDIR": str(scratch)}
        return {
            "argv": list(self._command.argv),
            "env": {**own, **self._command.environment},
            "cwd": self._command.workdir or folder,
            "folder": folder,
            "own": list(self._command.own),
            "forwards": self._command.forwards_signals,
            "stop_signal": int(self._command.stop_signal),
            "memory_bytes": self._command.memory_bytes,
        }

    def _tell(self, line: bytes) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(line)

    def _read(self, output: int) -> None:
        with os.fdopen(output, "r", encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                self._on_line(line.rstrip("\r\n"))

    def _wait(self, messages: TextIO, reader: threading.Thread) -> None:
        said = json.loads(_word(messages) or "{}")
        code = said.get("code")
        self._leave(reader)
        self._on_end(137 if code is None else int(code), bool(said.get("out_of_memory")))

    def _leave(self, reader: threading.Thread) -> None:
        if self._process is not None:
            self._process.wait()
        reader.join(_LAST_WORDS_SECONDS)
        if self._control is not None:
            self._control.close()


def _word(messages: TextIO) -> str:
    """What a container's init says next; nothing where it was killed, read or unread."""
    try:
        return messages.readline()
    except OSError:
        return ""


class Containers(Protocol):
    """Makes a container for a command."""

    def __call__(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str], None],
        on_end: Callable[[int, bool], None],
    ) -> Container: ...
