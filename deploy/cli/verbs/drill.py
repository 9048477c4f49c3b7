"""``steadyspot drill``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.drills import Observation
    from steadyspot.deploy.target import Target

CAUSES = {
    "interrupt": "a stop in the midst of an attempt, as a reclaim is",
    "same-outputs": "the same; compares outputs with an undisturbed run's",
    "no-capacity": "Spot that is refused",
    "slow-launch": "a launch that is accepted and never starts",
    "overlap": "two runs that meet",
    "shards": "a reclaim of two shards of a run",
    "after": "nothing: one job has to begin by itself after another",
    "weather": "nothing: asks what Spot refused to other runs would change",
    "deregister": "a task definition that is gone",
    "bad-image": "an image that cannot be pulled",
    "hang": "a job that makes no progress",
    "sidecar": "a second container that ends with an error",
    "undeliverable": "a start that the Scheduler may not make",
    "short-grace": "a stop_timeout that is too short to save",
    "verify": "nothing: puts every row of the causes to the workflow",
}
"""What each drill causes, by its name."""

OF_ONE_TASK = ("interrupt", "same-outputs", "no-capacity")
"""Drills of the job itself that follow the attempts of its run."""


class _Drilling(click.Command):
    """Tells in its help what each drill causes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Drills, and what each causes"):
            formatter.write_dl(list(CAUSES.items()))
        super().format_epilog(ctx, formatter)


@click.command(name="drill", cls=_Drilling)
@click.argument("name", type=options.OneOf(tuple(CAUSES)), metavar="NAME")
@options.job
@options.yes
@options.as_json
@options.on_begun_target
def command(
    target: Target, screen: Screen, name: str, job: str | None, yes: bool, machine: bool
) -> None:
    """Cause a fault, follow the run, check how it ended, and put everything back."""
    from contextlib import closing
    from dataclasses import asdict

    from steadyspot.deploy.drills import DRILLS, Stage
    from steadyspot.deploy.drills.announcing import announcement
    from steadyspot.deploy.trouble import Trouble, how_stopped

    wanted = target.config.job(job)
    drill = DRILLS[name]
    if wanted.shards > 1 and name in OF_ONE_TASK:
        raise Trouble(
            f"{wanted.name} spreads a run over shards, and this drill follows one task.",
            f"Drill shards on a copy of it: steadyspot drill shards {wanted.name}.",
        )
    stage = Stage(target, wanted, lambda moment: None if machine else screen.moment(moment))
    if not machine:
        for line in announcement(
            drill, wanted, target.config.prices_of(wanted), here=stage.switches is not None
        ):
            screen.say(line)
    if not yes:
        if not sys.stdin.isatty():
            raise Trouble("Nobody is there to agree.", "Add --yes to drill all the same.")
        click.confirm("Go on?", abort=True)
    findings: list[Observation] = []
    whole = False
    try:
        with closing(drill.run(stage)) as found:
            for finding in found:
                findings.append(finding)
                if not machine:
                    mark, style = ("ok", "green") if finding.good else ("NOT OK", "red")
                    screen.pair(mark, finding.text, style)
        whole = True
    except KeyboardInterrupt as stop:
        how, code = how_stopped(stop)
        raise Trouble(
            f"Stopped by {how}; everything is put back.",
            "The same command drills again from the beginning.",
            code,
        ) from None
    finally:
        if machine:  # Also where it broke off: what was found until then must be known.
            told = [asdict(finding) for finding in findings]
            screen.json({"drill": name, "job": wanted.name, "findings": told, "whole": whole})
    sys.exit(0 if findings and all(finding.good for finding in findings) else 1)
