"""``steadyspot status``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.runs.fleet import JobStatus
    from steadyspot.deploy.target import Target

LOOK_SECONDS = 10.0


@click.command(name="status")
@click.option("--watch", is_flag=True, help=f"Look again every {LOOK_SECONDS:.0f} seconds.")
@options.as_json
@options.as_page
@options.on_target
def command(
    target: Target, screen: Screen, watch: bool, machine: bool, page: Path | None = None
) -> None:
    """Show how all jobs of the platform stand, worst first."""
    if page:
        _write(target, screen, page)
        return
    import time

    if not watch:
        _look(target, screen, machine=machine, again=False)
        return
    from steadyspot.deploy.trouble import how_stopped

    try:
        while True:
            _look(target, screen, machine=machine, again=True)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt as stop:  # The usual way to end it, so that nothing needs to be said.
        sys.exit(how_stopped(stop)[1])


def _look(target: Target, screen: Screen, *, machine: bool, again: bool) -> None:
    from datetime import UTC, datetime

    from steadyspot.deploy.runs.fleet_reading import read
    from steadyspot.deploy.runs.fleet_shown import as_data

    now = datetime.now(UTC)
    jobs = read(target, now)
    if machine and again:
        screen.json_line([as_data(one) for one in jobs])
    elif machine:
        screen.json([as_data(one) for one in jobs])
    else:
        _show(screen, jobs, again=again, at=now)


def _show(screen: Screen, jobs: list[JobStatus], *, again: bool, at: datetime) -> None:
    from steadyspot.deploy.runs.fleet_shown import COLUMNS, LEGEND, cells, next_steps, summary

    if again:
        screen.afresh()
        screen.say(f"{at:%Y-%m-%d %H:%M:%S} UTC", "dim")
    screen.say(summary(jobs), "bold")
    screen.table(COLUMNS, map(cells, jobs))
    screen.say(LEGEND, "dim")
    for step in next_steps(jobs):
        screen.say(step, "yellow")


def _write(target: Target, screen: Screen, page: Path) -> None:
    from steadyspot.deploy.target import need_page

    need_page()
    from steadyspot.deploy.ui.files import write
    from steadyspot.deploy.ui.reading import Reading

    reading = Reading(target, whole=True)
    write("fleet.html", reading.fleet(), reading.where, page)
    screen.say(f"How all jobs stand is told in {page}")
