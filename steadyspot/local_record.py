"""What is done of a run in a local folder: a file that is replaced as a whole, under one lock.

A mark first names in it what is to be moved to the published outputs and what to be removed there,
and whoever takes the lock next does what is left of that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steadyspot.errors import RunError
from steadyspot.paths import remove


class LocalRecord:
    """The record in a folder ``root``, and its published ``outputs``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.outputs = root / "outputs"

    @contextlib.contextmanager
    def locked(self) -> Iterator[dict[str, Any]]:
        """Hold the lock of the folder; what is done, a mark that broke off finished."""
        with open(self._root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self._read()
            if done["moving"] or done["removing"]:
                self.publish(done)
                done = self._read()
            yield done

    def replace(self, done: dict[str, Any]) -> None:
        """Have another stand there, durable; with the lock held."""
        half = self._root / "done.json.new"
        with open(half, "w") as file:
            file.write(json.dumps(done))
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, self._root / "done.json")

    def publish(self, done: dict[str, Any]) -> None:
        """Do what a mark has named; of what is done already nothing is left to do."""
        for name in done["removing"]:
            remove(self.outputs / name)
        for folder in map(Path, done["moving"]):
            for name in files_below(folder / "staged"):
                move(str(folder / "staged" / name), self.outputs / name)
        self.replace(done | {"moving": [], "removing": []})
        for folder in done["moving"]:
            remove(folder)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            done: dict[str, Any] = json.loads((self._root / "done.json").read_bytes())
            return done
        return {
            "units": {},
            "state": [],
            "moving": [],
            "removing": [],
            "attempt": [0, ""],
            "attempts": 0,
            "to_empty": "",
        }


def move(written: str, place: Path) -> None:
    """Put an output in its place. Raises ``RunError``."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(written, place)
    except OSError as error:
        raise RunError(
            f"The output cannot be put at {place}: {error.strerror}."
            " Give it a name that a folder can hold, and that is no folder of another output."
        ) from None


def files_below(folder: Path) -> list[str]:
    """Relative paths of all files in a folder, in order."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refuse_twice(unit: str, names: Sequence[str], done: Mapping[str, Any]) -> None:
    """Raise ``RunError`` where an output would replace that of another unit done."""
    for other, made in done.items():
        if other != unit and (twice := set(made["outputs"]) & set(names)):
            raise RunError(
                f"The units {other} and {unit} have made an output of one name, '{min(twice)}'."
                " Name outputs by their unit; a count of the loop begins anew after a stop."
            )
