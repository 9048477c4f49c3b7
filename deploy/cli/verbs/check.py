"""``steadyspot check``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="check")
@options.job
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, machine: bool) -> None:
    """Look whether `up` and the runs will work; change nothing."""
    from dataclasses import asdict

    from steadyspot.deploy.checks.checks import run
    from steadyspot.deploy.checks.findings import Level, Looks

    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    styles = {
        Level.GOOD: "green",
        Level.NOTE: "yellow",
        Level.WARN: "bold yellow",
        Level.BAD: "bold red",
    }
    findings = []
    for finding in run(Looks(target, wanted)):
        findings.append(finding)
        if not machine:
            screen.pair(
                f"{finding.level:5}", f"{finding.about}: {finding.text}", styles[finding.level]
            )
            if finding.what_to_do:
                screen.pair("", finding.what_to_do)
    if machine:
        screen.json([asdict(finding) for finding in findings])
    sys.exit(1 if any(finding.level is Level.BAD for finding in findings) else 0)
