"""``steadyspot runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="runs")
@options.job
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 1000))
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, most: int, machine: bool) -> None:
    """List the last runs of JOB, newest first."""
    from dataclasses import asdict

    from steadyspot.deploy.runs.listing import COLUMNS, cells, latest, lines_of

    wanted = target.config.job(job)
    runs, executions = latest(
        target.runs,
        target.client("stepfunctions"),
        job=wanted.name,
        machine=target.job(wanted)["StateMachine"],
        most=most,
    )
    prices = target.config.platform.prices
    lines = lines_of(runs, executions, prices, vcpu=wanted.vcpu, memory_gb=wanted.memory_gb)[:most]
    if machine:
        screen.json([asdict(line) for line in lines])
    elif lines:
        screen.table(COLUMNS, map(tuple, map(cells, lines)))
    else:
        screen.say(f"{wanted.name} has had no run yet. Start one: steadyspot run {wanted.name}")
