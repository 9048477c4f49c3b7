"""``steadyspot down``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.down import Inventory
    from steadyspot.deploy.target import Target


@click.command(name="down")
@options.job
@click.option(
    "--delete-data", "data", is_flag=True, help="Delete outputs, checkpoints and records, too."
)
@options.at_once
@options.yes
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    data: bool,
    at_once: int,
    yes: bool,
    machine: bool,
) -> None:
    """Remove the platform and all its jobs, or one JOB; outputs and records of runs are kept."""
    from steadyspot.deploy.cli.many_stacks import remove_all
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.down import inventory, remove
    from steadyspot.deploy.trouble import Trouble

    name = job or target.config.platform.name
    jobs = [target.config.job_stack(target.config.job(job))] if job else None
    if job and data:
        raise Trouble("--delete-data is for the whole platform.", "Leave JOB or --delete-data out.")
    there = inventory(target, jobs)
    if not machine:
        _list(screen, there, data)
    _agree(there, name, machine=machine, yes=yes)
    shown = silent() if machine else screen
    remove_jobs = partial(remove_all, at_once=at_once)
    gone: list[str] = []
    whole = False
    try:
        for name in remove(target, there, shown, remove_jobs, data=data):
            gone.append(name)
        whole = True
    finally:
        left = [stack for stack in there.stacks if stack not in gone]
        if (
            machine
        ):  # Also where it broke off: what is gone by then, and what is not, must be known.
            kept = [asdict(kept) for kept in there.kept if kept.name not in gone]
            screen.json({"removed": gone, "left": left, "kept": kept, "whole": whole})
        elif left:
            screen.say(f"Still there: {', '.join(left)}.", "yellow")


def _agree(there: Inventory, name: str, *, machine: bool, yes: bool) -> None:
    """Go on only where somebody agrees: what is nobody's of ours, ``--yes`` does not agree to."""
    from steadyspot.deploy.trouble import Trouble

    if there.foreign and (machine or not sys.stdin.isatty()):
        raise Trouble(
            f"No deployment of Steadyspot brought {', '.join(there.foreign)}, and --yes does not "
            "agree to their removal.",
            "Take them out of their stacks first, or run the command in a terminal, which asks.",
        )
    if not there.nothing and (there.foreign or not yes):
        if not sys.stdin.isatty():
            raise Trouble("Nobody is there to agree.", "Add --yes to remove it all the same.")
        if click.prompt(f"To remove all that, type {name}") != name:
            raise Trouble("That is not its name.", "Nothing was removed.")


def _list(screen: Screen, there: Inventory, data: bool) -> None:
    if there.nothing:
        screen.say("There is nothing to remove.")
        return
    names = ", ".join(there.stacks)
    screen.say(f"This removes {there.resources} resources in these stacks: {names}.")
    for one in there.foreign:
        screen.say(f"No deployment of Steadyspot has brought {one}; it goes, too.", "bold red")
    if there.running:
        screen.say(f"Executions that are under way and will break off: {there.running}.", "yellow")
    if there.parked:
        screen.say(f"Runs in a dead-letter queue that will be forgotten: {there.parked}.", "yellow")
    for kept in there.kept:
        does = "DELETES WITH ALL IT HOLDS" if data else "keeps"
        bill = "" if data else f"; {kept.bill}"
        screen.say(f"It {does} the {kept.what} {kept.name}{bill}.", "bold red" if data else "")
