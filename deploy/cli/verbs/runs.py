"""``steadyspot runs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.runs.listing import Line
    from steadyspot.deploy.target import Target


@click.command(name="runs")
@options.job
@click.option(
    "--most",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="List no more than this many.",
)
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, most: int, machine: bool) -> None:
    """List the last runs of all jobs or of JOB, newest first, and what came to no run."""
    from dataclasses import asdict

    from steadyspot.deploy.cli.of_all import of_all
    from steadyspot.deploy.runs.listing import listed

    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    found, trouble = of_all(wanted, lambda one: listed(target, one, most))
    lines = sorted(found, key=lambda line: line.begun, reverse=True)[:most]
    if machine:
        screen.json([asdict(line) for line in lines])
    elif lines:
        _show(screen, lines, several=len(wanted) > 1)
    elif trouble is None:
        names = ", ".join(one.name for one in wanted)
        screen.say(
            f"There has been no run of {names} yet. Start one: steadyspot run {wanted[0].name}"
        )
    if trouble:
        raise trouble


def _show(screen: Screen, lines: Sequence[Line], *, several: bool) -> None:
    """Print a table, or where a key has no room in it, each key whole on a line of its own."""
    from steadyspot.deploy.runs.listing import COLUMNS, LEAST_BESIDE_KEY, cells, sentence

    names = [f"{line.job} " * several + line.run_key for line in lines]
    if screen.has_room(max(map(len, names)) + LEAST_BESIDE_KEY):
        columns = (*("job",) * several, *COLUMNS)
        screen.table(columns, [(*(line.job,) * several, *cells(line)) for line in lines])
        return
    for name, line in zip(names, lines, strict=True):
        screen.say(name, "bold")
        screen.indented(sentence(line))
