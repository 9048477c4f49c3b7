"""What a run asks of the other side, and how one in a container asks it, over a socket.

On any other machine a folder stands in for the supervisor, see ``local_folder``. Both keep the same
order: outputs first, then the mark.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from steadyspot.contract import Lacking
from steadyspot.errors import RunError
from steadyspot.state import plain


class Channel(Protocol):
    """What a run needs from the supervisor, or from the local folder that stands in for it."""

    about: dict[str, Any]
    folder: Path
    """Where its own files lie."""

    def units(self) -> list[str]: ...
    def begin(self, unit: str) -> None: ...
    def claim(self, program: str, units: Sequence[str], done: Sequence[str]) -> None: ...
    def output(self, name: str, unit: str | None, within: str | None) -> tuple[Any, Path]: ...
    def stage(self, output: Any) -> None: ...
    def give_up(self, output: Any) -> None: ...
    def set_aside(self, unit: str) -> None: ...
    def mark(self, unit: str, state: list[Any], also: list[str]) -> None: ...
    def break_off(self, unit: str, refused: str) -> None: ...
    def uncommitted(self, unit: str) -> None: ...
    def leave_rest(self) -> None: ...

    def await_others(self) -> None: ...
    def lacks(self, names: list[str], units: int, lacking: Lacking) -> None: ...
    def save(self, state: list[Any]) -> None: ...
    def progress(self, fraction: float | None, total: int | None) -> None: ...
    def all_done(self, done: bool, at_end: bool = False, state: Sequence[Any] = ()) -> None: ...
    def speaking(self) -> list[int]: ...
    def say_done(self, done: int, left: int) -> None: ...
    def is_stopping(self) -> bool: ...
    def wait_stop(self) -> None: ...
    def told_to_stop(self) -> None: ...


class SocketChannel:
    """Speaks the protocol; a connection for each thread of each process, so that forks are safe."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.folder = Path(path).parent
        self._local = threading.local()
        self.about = self._ask({"do": "hello"})

    def units(self) -> list[str]:
        units: list[str] = self._ask({"do": "units"})["units"]
        return units

    def begin(self, unit: str) -> None:
        self._ask({"do": "begin", "unit": unit})

    def claim(self, program: str, units: Sequence[str], done: Sequence[str]) -> None:
        self._ask({"do": "claim", "program": program, "units": units, "done": done})

    def output(self, name: str, unit: str | None, within: str | None) -> tuple[int, Path]:
        answer = self._ask({"do": "output", "name": name, "unit": unit, "within": within})
        return answer["output"], Path(answer["path"])

    def stage(self, output: int) -> None:
        self._ask({"do": "stage", "output": output})

    def give_up(self, output: int) -> None:
        self._ask({"do": "give-up", "output": output})

    def set_aside(self, unit: str) -> None:
        self._ask({"do": "set-aside", "unit": unit})

    def mark(self, unit: str, state: list[Any], also: list[str]) -> None:
        self._ask({"do": "mark", "unit": unit, "also": also} | _given(state))

    def break_off(self, unit: str, refused: str) -> None:
        self._ask({"do": "break-off", "unit": unit, "refused": refused})

    def uncommitted(self, unit: str) -> None:
        self._ask({"do": "uncommitted", "unit": unit})

    def leave_rest(self) -> None:
        self._ask({"do": "leave-rest"})

    def await_others(self) -> None:
        self._ask({"do": "await-others"})

    def lacks(self, names: list[str], units: int, lacking: Lacking) -> None:
        self._ask({"do": "lacks", "names": names, "units": units, "lacking": lacking})

    def save(self, state: list[Any]) -> None:
        self._ask({"do": "save"} | _given(state))

    def progress(self, fraction: float | None, total: int | None) -> None:
        self._ask({"do": "progress", "fraction": fraction, "total": total})

    def all_done(self, done: bool, at_end: bool = False, state: Sequence[Any] = ()) -> None:
        """The state of a run that is complete is asked for no more."""
        self._ask({"do": "all-done", "done": done, "at_end": at_end})

    def speaking(self) -> list[int]:
        pids: list[int] = self._ask({"do": "speaking"})["pids"]
        return pids

    def is_stopping(self) -> bool:
        stopping: bool = self._ask({"do": "is-stopping"})["stopping"]
        return stopping

    def say_done(self, done: int, left: int) -> None:
        """The run's record says so."""

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
        if getattr(self._local, "pid", None) != os.getpid() or self._is_closed():
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self._path)
            self._local.connection = connection
            self._local.lines = connection.makefile("rb")
            self._local.pid = os.getpid()
            self._local.file = os.fstat(connection.fileno()).st_ino
        return self._local.connection, self._local.lines

    def _is_closed(self) -> bool:
        """Whether the job has closed all its files, as some do that go into the background.

        The number is another file's then, which is not to be closed with the connection.
        """
        with contextlib.suppress(OSError):
            if os.fstat(self._local.connection.fileno()).st_ino == self._local.file:
                return False
        self._local.connection.detach()
        return True


def _given(state: list[Any]) -> dict[str, Any]:
    return {"state": plain(state[0])} if state else {}
