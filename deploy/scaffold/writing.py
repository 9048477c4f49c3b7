"""Puts the first files down, and never over anything that lies there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steadyspot.deploy.scaffold.files import CONFIG
from steadyspot.deploy.trouble import Trouble

_ADDED_TO = frozenset({".gitignore", ".dockerignore"})
"""Files that get the lines they lack, where they are there already."""


@dataclass(frozen=True)
class Written:
    """What was written, what got lines, and what was there and is left as it was."""

    made: tuple[str, ...]
    added_to: tuple[str, ...]
    kept: tuple[str, ...]


def write(folder: Path, files: Mapping[str, str]) -> Written:
    """Write the files that are not there yet.

    Raises
    ------
    Trouble
        When the folder has a configuration, or can't be written to. Nothing is written before that
        is known of the configuration, which is the last one written.
    """
    if (folder / CONFIG).exists():
        raise Trouble(
            f"{folder / CONFIG} is there already.",
            "Add a job to it (steadyspot config shows the keys), or begin in another folder.",
        )
    path = folder
    made: list[str] = []
    added_to: list[str] = []
    kept: list[str] = []
    try:
        for name, text in sorted(files.items(), key=lambda file: file[0] == CONFIG):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in _ADDED_TO and path.exists():
                (added_to if _add(path, text) else kept).append(name)
                continue
            try:
                _whole(path, text)
            except FileExistsError:
                kept.append(name)
            else:
                made.append(name)
    except OSError as error:
        raise Trouble(
            f"{path} can't be written: {error.strerror}.",
            "Mend that or choose another folder; what is written stays, and the same command goes "
            "on from there.",
        ) from None
    return Written(tuple(made), tuple(added_to), tuple(kept))


def _whole(path: Path, text: str) -> None:
    """Write a file that is not there yet; on a full disk leave nothing, not the half of it."""
    with path.open("x", encoding="utf-8") as new:
        try:
            new.write(text)
            new.flush()
        except BaseException:
            path.unlink()
            raise


def _add(path: Path, text: str) -> bool:
    """Append the lines that a file lacks; return whether there were any."""
    there = path.read_bytes()
    missing = [line for line in text.encode().splitlines() if line not in there.splitlines()]
    if missing:
        before = b"" if there.endswith(b"\n") or not there else b"\n"
        with path.open("ab") as file:
            file.write(before + b"\n".join(missing) + b"\n")
    return bool(missing)
