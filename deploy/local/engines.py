"""Containers of the local target in a real image, under podman or docker of this machine.

The engine's client is called as a person would call it; what it needs to be told of a machine
stands in the engine's own configuration. Containers use the machine's network, since the embedded
AWS is at 127.0.0.1. Without an engine the command is a process instead, see ``containers.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from steadyspot.deploy.trouble import Trouble

ENGINES = ("podman", "docker")
ANY = "any"
_ANSWER_SECONDS = 20.0
_NO_SIGNAL = "SIGTERM"


@dataclass(frozen=True)
class Engine:
    """A client that reaches what runs containers; ``program`` is how it is called."""

    name: str
    program: str

    def ask(self, *words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run the client; its exit code and the last line that it printed."""
        done = subprocess.run(
            [self.program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **(environment or {})},
        )
        lines = done.stdout.strip().splitlines()
        return done.returncode, lines[-1] if lines else ""

    def answers(self) -> bool:
        """Whether it reaches its engine: a docker client may be there without a daemon."""
        try:
            done = subprocess.run(
                [self.program, "info"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def pull(self, image: str) -> str:
        """Make sure that an image is there. Comes back with why it is not, or empty."""
        if self.ask("image", "inspect", image)[0] == 0:
            return ""
        code, said = self.ask("pull", image)
        return said if code else ""

    def stop_signal(self, image: str) -> str:
        """The image's STOPSIGNAL."""
        code, said = self.ask("image", "inspect", "--format", "{{.Config.StopSignal}}", image)
        return said if code == 0 and said not in ("", "<no value>") else _NO_SIGNAL


def engine_for(wanted: str) -> Engine:
    """The engine of that name, or with ``any`` the first that answers.

    Raises
    ------
    Trouble
        It is not there, or does not answer.
    """
    names = ENGINES if wanted == ANY else (wanted,)
    for name in names:
        program = shutil.which(name)
        if program is not None and (found := Engine(name, program)).answers():
            return found
    raise Trouble(
        f"No engine answers here: tried {' and '.join(names)} (info).",
        "Install or start one; or leave --runtime out: commands then run as processes here.",
    )


@dataclass(frozen=True)
class ImageCommand:
    """What a container of a real image runs, and what its definition says of it."""

    engine: Engine
    image: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    memory_bytes: int
    entrypoint: Sequence[str] = ()
    workdir: str = ""
    user: str = ""
    read_only: bool = False
    drop: Sequence[str] = ()
    folders: Sequence[str] = ()
    init: bool = False

    def words(self, name: str) -> list[str]:
        """The words after ``create`` for a container of this name; no value of a variable."""
        words = ["--name", name, "--label", "steadyspot", "--network", "host"]
        words += ["--memory", str(self.memory_bytes)]
        for variable in self.environment:
            words += ["--env", variable]
        for option, value in (("--workdir", self.workdir), ("--user", self.user)):
            words += [option, value] if value else []
        words += ["--read-only"] if self.read_only else []
        words += ["--init"] if self.init else []
        for capability in self.drop:
            words += ["--cap-drop", capability]
        for folder in self.folders:
            words += ["--volume", folder]
        first, rest = self.entrypoint[:1], self.entrypoint[1:]
        words += ["--entrypoint", *first] if first else []
        return [*words, self.image, *rest, *self.argv]


class ImageContainer:
    """One running container of an image; the same to its task as ``containers.Container``."""

    def __init__(
        self,
        command: ImageCommand,
        *,
        on_line: Callable[[str], None],
        on_end: Callable[[int, bool], None],
    ) -> None:
        self._command = command
        self._engine = command.engine
        self._on_line = on_line
        self._on_end = on_end
        self._name = f"steadyspot-{uuid.uuid4().hex[:12]}"
        self._signal = _NO_SIGNAL

    def start(self) -> str:
        """Start it. Comes back with why it could not be made, or empty."""
        self._signal = self._engine.stop_signal(self._command.image)
        code, said = self._engine.ask(
            "create", *self._command.words(self._name), environment=self._command.environment
        )
        if code:
            return said
        attached = subprocess.Popen(
            [self._engine.program, "start", "--attach", self._name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(
            target=self._follow, args=(attached,), name="image-container", daemon=True
        ).start()
        return ""

    def stop(self) -> None:
        """The image's STOPSIGNAL to the first process."""
        self._engine.ask("kill", "--signal", self._signal, self._name)

    def kill(self) -> None:
        """SIGKILL to every process."""
        self._engine.ask("kill", self._name)

    def _follow(self, attached: subprocess.Popen[str]) -> None:
        with attached:
            for line in attached.stdout or ():
                self._on_line(line.rstrip("\r\n"))
        code, said = self._engine.ask("inspect", "--format", "{{json .State}}", self._name)
        state = json.loads(said) if code == 0 else {}
        self._engine.ask("rm", "--force", "--volumes", self._name)
        self._on_end(int(state.get("ExitCode", 137)), bool(state.get("OOMKilled")))
