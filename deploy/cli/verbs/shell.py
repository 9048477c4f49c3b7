"""``steadyspot shell``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="shell")
@options.job
@click.option("--command", "words", default="/bin/sh", show_default=True, help="What runs there.")
@options.on_target
def command(target: Target, screen: Screen, job: str | None, words: str) -> None:
    """Open a shell in JOB's container while it runs; the job must have debug = true."""
    import os
    import shutil

    from steadyspot.deploy.runs.shell import shell_command

    wanted = target.config.job(job)
    program = shell_command(target, wanted, words, shutil.which)
    screen.say(f"{wanted.name}: what is done in there is lost at the end of the task")
    os.execvp(program[0], program)
