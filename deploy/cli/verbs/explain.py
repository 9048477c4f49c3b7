"""``steadyspot explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="explain")
@options.job
@options.run_named
@options.shard_named
@options.as_json
@options.as_page
@options.on_target
def command(
    target: Target,
    screen: Screen,
    job: str | None,
    run: str | None,
    machine: bool,
    page: Path | None = None,
    shard: int | None = None,
) -> None:
    """Tell JOB's last run as a plain story, or that of RUN: a run key, a time or an execution."""
    if page:
        _write(target, screen, job, run, shard, page)
        return
    from steadyspot.deploy.money.true_bill import with_bill
    from steadyspot.deploy.runs.evidence import as_data, explanation_of, show

    wanted = target.config.job(job)
    story = explanation_of(target, wanted, run, shard=shard)
    story = with_bill(story, wanted, target.config)
    prices = target.config.prices_of(wanted)
    if machine:
        told = as_data(story, wanted, prices)
        screen.json({**told, "next_step": screen.advice(story.next_step)})
    else:
        show(screen, story, wanted, prices)


def _write(
    target: Target,
    screen: Screen,
    job: str | None,
    run: str | None,
    shard: int | None,
    page: Path,
) -> None:
    from steadyspot.deploy.target import need_page

    need_page()
    from steadyspot.deploy.ui.files import write
    from steadyspot.deploy.ui.reading import read_run, where

    view = read_run(target, target.config.job(job), run, shard)
    write("run.html", view, where(target), page)
    screen.say(f"{view.job} {view.name} is told in {page}")
