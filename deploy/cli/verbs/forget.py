"""``steadyspot forget``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="forget")
@click.argument("job")
@click.argument("run", type=options.Checked("runs.lookup", "run_meant"))
@options.yes
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str, run: str, yes: bool, machine: bool) -> None:
    """Take RUN out of JOB's dead-letter queue: nobody will redrive it; its record stays."""
    from steadyspot.deploy.runs.redrive import redrive_of
    from steadyspot.deploy.trouble import Trouble

    wanted = target.config.job(job)
    parked = redrive_of(target, wanted, target.job(wanted))
    entries = [one for one in parked.waiting() if one.run_key == run]
    if not entries:
        raise Trouble(
            f"Run {run} does not wait in the queue of {job}.",
            f"Look what does: steadyspot redrive {job} --dry-run.",
        )
    if not machine:
        for entry in entries:
            screen.say(f"{run}  {entry.why or entry.note}")
    if not yes:
        if machine or not sys.stdin.isatty():
            raise Trouble("Nobody is there to agree.", "Add --yes to forget it all the same.")
        click.confirm("Forget it?", abort=True)
    parked.drop(run)
    target.runs.close(job, run)
    if machine:
        screen.json({"job": job, "run_key": run, "forgotten": len(entries)})
    else:
        screen.say(f"{run} is forgotten; what it did is still told: steadyspot explain {job} {run}")
