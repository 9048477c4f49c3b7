"""``steadyspot notify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="notify")
@options.job
@click.option("--test", is_flag=True, help="Send each way a message that says it is a test.")
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, test: bool, machine: bool) -> None:
    """List who is told of which runs, of all jobs or of JOB, and by what way."""
    from dataclasses import asdict

    from steadyspot.deploy.runs.telling import all_told, try_all

    told = all_told(target.config, target.config.job(job).name if job else None)
    tests = [asdict(trial) for trial in try_all(target, told)] if test else []
    if machine:
        entries = [
            {
                "way": entry.way,
                "whom": entry.whom,
                "jobs": list(entry.jobs),
                "outcomes": list(entry.outcomes),
                "severities": list(entry.severities),
            }
            for entry in told
        ]
        screen.json({"told": entries, "tests": tests})
        return
    if not told:
        screen.say("Nobody is told: set mail in [platform], or write [[notify]].")
        return
    screen.table(
        ("way", "whom", "jobs", "outcomes", "severities"),
        [
            (
                entry.way,
                entry.whom,
                *(
                    ", ".join(names) or "all"
                    for names in (entry.jobs, entry.outcomes, entry.severities)
                ),
            )
            for entry in told
        ],
    )
    for one in tests:
        screen.say(f"Sent: a test about {one['job']}, {one['outcome']} ({one['severity']}).")
    if test and any(entry.heartbeat for entry in told):
        screen.say("Heartbeats come from runs alone: steadyspot run JOB.")
