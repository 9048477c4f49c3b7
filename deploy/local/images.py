"""Images of the local target: a name stands for a command on this machine, not for an image.

What a container runs is decided here; how it runs is in `containers.py`.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import steadyspot

WORKER_IMAGE = "steadyspot-worker:local"
"""The worker that belongs to this command line, run by the same Python."""

_LIES_IN = Path(steadyspot.__file__).resolve().parents[1]
"""What the package lies in: a checkout, or the site-packages of an installation."""


@dataclass(frozen=True)
class Image:
    """An image's ENTRYPOINT, WORKDIR (None: the container's own folder), ENV and STOPSIGNAL."""

    entrypoint: tuple[str, ...] = ()
    workdir: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM


_WORKER = Image(
    # -P: as in the image, the worker sees nothing of the job's folder.
    entrypoint=(sys.executable, "-P", "-m", "steadyspot.worker"),
    environment={"PYTHONPATH": str(_LIES_IN), "PYTHONUNBUFFERED": "1"},
)


class Images:
    """The registry. Any other image cannot be pulled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images = {WORKER_IMAGE: _WORKER}

    def offer(self, names: Iterable[str], folder: Path) -> None:
        """Let images stand for this machine: their commands run with the worker, in a folder."""
        for name in names:
            self.register(name, workdir=str(folder.resolve()))

    def register(
        self,
        name: str,
        *,
        entrypoint: Sequence[str] | None = None,
        workdir: str | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> Image:
        """Add an image, or replace that of this name. Without entrypoint it is the worker's."""
        image = Image(tuple(entrypoint or ()), workdir, dict(environment or {}), stop_signal)
        if entrypoint is None:
            layers = {**_WORKER.environment, **image.environment}
            image = replace(image, entrypoint=_WORKER.entrypoint, environment=layers)
        with self._lock:
            self._images[name] = image
        return image

    def find(self, name: str) -> Image | None:
        """The image of this name, if there is one."""
        with self._lock:
            return self._images.get(name)
