"""Writes a file whole or not at all; only its owner may read it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from steadyspot.deploy.trouble import Trouble


def write_whole(path: Path, text: str, what: str) -> None:
    """Write a text; ``what`` begins the sentence that tells why it cannot be.

    Raises
    ------
    Trouble
        When it cannot be written; what stood there before still does.
    """
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            half = Path(file.name)
            try:
                file.write(text)
                file.close()
                half.replace(path)
            except BaseException:
                half.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Trouble(
            f"{what} cannot be written to {path}: {error.strerror}.",
            "Name a file in a folder that is there, and that you may write to.",
        ) from None
