"""Writes a page as one file that can be mailed, or put into a ticket."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.fleet_view import FleetView
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import RunView


def write(template: str, view: RunView | FleetView, where: str, path: Path) -> None:
    """Write a page as of now, whole or not at all; only its owner may read it.

    Raises
    ------
    Trouble
        When it cannot be written.
    """
    page = rendered(template, now=datetime.now(UTC), where=where, view=view)
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            half = Path(file.name)
            try:
                file.write(page)
                file.close()
                half.replace(path)
            except BaseException:
                half.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Trouble(
            f"The page cannot be written to {path}: {error.strerror}.",
            "Name a file in a folder that is there, and that you may write to.",
        ) from None
