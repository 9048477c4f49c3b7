"""``steadyspot watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="watch")
@options.job
@options.run_named
@click.option("--logs", is_flag=True, help="Show what the attempts print, too.")
@options.shard_named
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    run: str | None,
    logs: bool,
    machine: bool,
    shard: int | None = None,
) -> None:
    """Follow the last run of JOB, or the one named RUN, to its end."""
    from steadyspot.deploy.runs.following import watch
    from steadyspot.deploy.runs.lookup import Finder
    from steadyspot.deploy.runs.shards import tasks_of_shards
    from steadyspot.deploy.trouble import Trouble

    wanted = target.config.job(job)
    finder = Finder(
        table=target.runs,
        sfn=target.client("stepfunctions"),
        job=wanted.name,
        machine=target.job(wanted)["StateMachine"],
    )
    found = finder.find(run) if shard is None else finder.shard(run, shard)
    if found.execution is None:
        raise Trouble(
            "Step Functions no longer knows that run's execution.",
            f"What is left of it: steadyspot explain {wanted.name} {run or ''}".rstrip() + ".",
        )
    execution = found.execution["executionArn"]
    if not machine:
        screen.say(f"{wanted.name}: execution {execution.rsplit(':', 1)[-1]}")
    if logs and not machine and found.run and found.run.shards > 1:
        screen.say(tasks_of_shards(found.run))
    watch(target, screen, wanted, execution, logs=logs, machine=machine, shard=shard)
