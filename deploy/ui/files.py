"""Writes a page as one file that can be mailed, or put into a ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from steadyspot.deploy.files import write_whole
from steadyspot.deploy.ui.cost_view import CostView
from steadyspot.deploy.ui.fleet_view import FleetView
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import RunView


def write(template: str, view: RunView | FleetView | CostView, where: str, path: Path) -> None:
    """Write a page as of now.

    Raises
    ------
    Trouble
        When it cannot be written.
    """
    write_whole(path, rendered(template, now=datetime.now(UTC), where=where, view=view), "The page")
