"""The two ways a job's API reaches a run: the supervisor's socket, or a local folder in its place.

Both keep the same order: outputs first, then the mark. The API itself stands in ``run``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import threading
from pathlib import Path
from typing import Any

from steadyspot.paths import remove
from steadyspot.run import RunError


class SocketChannel:
    """Speaks the protocol; a connection for each thread of each process, so that forks are safe."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self.about = self._ask({"do": "hello"})
        self.folder = Path(self.about["folder"])

    def units(self) -> list[str]:
        units: list[str] = self._ask({"do": "units"})["units"]
        return units

    def state(self) -> Any:
        return self.about["state"]

    def stage(self, name: str, path: Path) -> None:
        self._ask({"do": "stage", "name": name, "path": str(path)})

    def mark(self, unit: str | None, outputs: list[str], state: Any) -> None:
        try:
            self._ask({"do": "mark", "unit": unit, "outputs": outputs, "state": state})
        except (TypeError, ValueError) as error:
            raise RunError(f"run.state is not JSON: {error}. Keep plain values in it.") from None

    def progress(self, fraction: float | None, total: int | None) -> None:
        self._ask({"do": "progress", "fraction": fraction, "total": total})

    def all_done(self, done: bool, at_end: bool = False) -> None:
        self._ask({"do": "all-done", "done": done, "at_end": at_end})

    def is_stopping(self) -> bool:
        stopping: bool = self._ask({"do": "is-stopping"})["stopping"]
        return stopping

    def wait_stop(self) -> None:
        self._ask({"do": "wait-stop"})

    def told_to_stop(self) -> None:
        """The supervisor says so itself."""

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        line = json.dumps(request).encode() + b"\n"
        try:
            connection, lines = self._connection()
            connection.sendall(line)
            answer = lines.readline()
        except OSError as error:
            raise RunError(f"The worker does not answer on {self._path}: {error}.") from None
        if not answer:
            raise RunError("The worker is gone. The unit in hand will be done again.")
        reply: dict[str, Any] = json.loads(answer)
        if not reply["ok"]:
            raise RunError(f"{reply['error']} {reply['todo']}".strip())
        return reply

    def _connection(self) -> tuple[socket.socket, Any]:
        if getattr(self._local, "pid", None) != os.getpid():
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self._path)
            self._local.connection = connection
            self._local.lines = connection.makefile("rb")
            self._local.pid = os.getpid()
        return self._local.connection, self._local.lines


class FolderChannel:
    """A run in a local folder: ``outputs/`` and ``done.json``, replaced as a whole at each mark."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stop = os.pipe()
        self.about = {"job": "local", "run_key": "local", "attempt": 1, "capacity": ""}
        self.folder = root / "half-made"
        for folder in (self.folder, root / "outputs"):
            folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.iterdir():
            if not _lives(int(left.name.partition("-")[0])):
                remove(left)

    @classmethod
    def from_environment(cls) -> FolderChannel:
        return cls(Path(os.environ.get("STEADYSPOT_LOCAL_DIR") or ".steadyspot").absolute())

    def units(self) -> list[str]:
        units: list[str] = self._read()["units"]
        return units

    def state(self) -> Any:
        return self._read()["state"]

    def stage(self, name: str, path: Path) -> None:
        place = self._root / "outputs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)

    def mark(self, unit: str | None, outputs: list[str], state: Any) -> None:
        with open(self._root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self._read()
            if unit is not None and unit not in done["units"]:
                done["units"].append(unit)
            self._write(done | {"state": state})

    def progress(self, fraction: float | None, total: int | None) -> None:
        pass

    def all_done(self, done: bool, at_end: bool = False) -> None:
        pass

    def is_stopping(self) -> bool:
        return self._told_within(0)

    def wait_stop(self) -> None:
        self._told_within(None)

    def told_to_stop(self) -> None:
        """Called in a signal handler, which may not take a lock."""
        os.write(self._stop[1], b"1")

    def _told_within(self, milliseconds: int | None) -> bool:
        """Whether the byte is there, which stays for forks to see."""
        poll = select.poll()
        poll.register(self._stop[0], select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            done: dict[str, Any] = json.loads((self._root / "done.json").read_bytes())
            return done
        return {"units": [], "state": None}

    def _write(self, done: dict[str, Any]) -> None:
        half = self._root / "done.json.new"
        try:
            text = json.dumps(done)
        except (TypeError, ValueError) as error:
            raise RunError(f"run.state is not JSON: {error}. Keep plain values in it.") from None
        with open(half, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, self._root / "done.json")


def _lives(pid: int) -> bool:
    """Whether the process that began a half-made file, whose name it starts, is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
