"""``steadyspot explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="explain")
@options.job
@options.run_named
@options.as_json
@options.on_target
def command(
    target: Target, screen: Screen, job: str | None, run: str | None, machine: bool
) -> None:
    """Tell JOB's last run as a plain story, or that of RUN: a run key, a time or an execution."""
    from steadyspot.deploy.runs.evidence import as_data, explanation_of, show

    wanted = target.config.job(job)
    story = explanation_of(target, wanted, run)
    prices = target.config.platform.prices
    if machine:
        told = as_data(story, wanted, prices)
        screen.json({**told, "next_step": screen.advice(story.next_step)})
    else:
        show(screen, story, wanted, prices)
