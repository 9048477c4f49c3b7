"""``steadyspot outputs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="outputs")
@options.job
@options.run_named
@click.option("--to", "folder", type=options.NewFolder(), help="Fetch them there.")
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    job: str | None,
    run: str | None,
    folder: Path | None,
    machine: bool,
) -> None:
    """List what JOB's last complete run made, or RUN, and fetch it with --to."""
    from dataclasses import asdict

    from steadyspot.deploy.runs.outputs import fetch, made_by

    made = made_by(target, target.config.job(job), run)
    if folder:
        for output in fetch(target, made, folder):
            if not machine:
                screen.say(f"fetched {folder / output.name}")
    if machine:
        outputs = [asdict(output) for output in made.outputs]
        screen.json({"job": made.job, "run_key": made.run_key, "uri": made.uri, "outputs": outputs})
        return
    screen.say(f"{made.job} {made.run_key}", "bold")
    if not folder:
        screen.table(("output", "bytes"), [(one.name, f"{one.bytes:,}") for one in made.outputs])
    screen.say(f"{len(made.outputs)} outputs under {made.uri}")
