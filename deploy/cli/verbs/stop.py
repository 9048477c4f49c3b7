"""``steadyspot stop``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target

_MARKED_SECONDS = 60.0


@click.command(name="stop")
@options.job
@options.run_named
@click.option(
    "--reason", default="steadyspot stop", show_default=True, help="For whoever asks why."
)
@options.yes
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    job: str | None,
    run: str | None,
    reason: str,
    yes: bool,
    machine: bool,
) -> None:
    """End the last run of JOB, or the one named RUN, that is under way; what is done is saved."""
    from steadyspot.deploy.runs.executions import run_key_in
    from steadyspot.deploy.runs.lookup import Finder
    from steadyspot.deploy.runs.stopping import marked, stop
    from steadyspot.deploy.trouble import Trouble

    wanted = target.config.job(job)
    sfn = target.client("stepfunctions")
    machine_arn = target.job(wanted)["StateMachine"]
    finder = Finder(table=target.runs, sfn=sfn, job=wanted.name, machine=machine_arn)
    found = finder.find(run)
    over = Trouble(
        f"{run or 'The last run'} of {wanted.name} is not under way.",
        f"Look which are: steadyspot runs {wanted.name}.",
    )
    if found.execution is None or found.execution["status"] != "RUNNING":
        raise over
    execution = found.execution["executionArn"]
    name = execution.rsplit(":", 1)[-1]
    key = run_key_in(found.execution.get("input", "{}")) or name
    if not machine:
        screen.say(
            f"This ends run {key} of {wanted.name}. What is done is saved; people are told, and "
            "the run waits for a redrive."
        )
    if not yes:
        if machine or not sys.stdin.isatty():
            raise Trouble("Nobody is there to agree.", "Add --yes to stop it all the same.")
        click.confirm("Go on?", abort=True)
    who = target.client("sts").get_caller_identity()["Arn"]
    if not stop(sfn, execution, f"{who}: {reason}"):
        raise over
    ended = marked(lambda: target.runs.get(wanted.name, key), _MARKED_SECONDS)
    if machine:
        status = ended.status if ended else None
        screen.json({"job": wanted.name, "run_key": key, "execution": execution, "status": status})
    elif ended is None:
        screen.say("It is stopped, but its record does not say so yet.")
        screen.say(f"Look again: steadyspot explain {wanted.name} {key}")
    elif ended.complete:
        screen.say("It had finished by then; nothing is left to do.")
    else:
        screen.say(
            f"It is stopped. It is taken up again by: steadyspot redrive {wanted.name} {key}"
        )
