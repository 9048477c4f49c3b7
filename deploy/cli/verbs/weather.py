"""``steadyspot weather``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="weather")
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, *, machine: bool) -> None:
    """Show when Spot refused runs of the platform and took tasks back, by hour and zone."""
    from datetime import UTC, datetime

    from steadyspot.deploy.runs.weather import cells, read

    found = read(target, datetime.now(UTC))
    if machine:
        screen.json(
            [
                {
                    "architecture": one.architecture,
                    "last_refused": one.last_refused or "",
                    "hours": [
                        {
                            "hour": each.hour,
                            "refused": each.refused,
                            "reclaimed": [
                                {"zone": zone, "tasks": tasks}
                                for zone, tasks in each.reclaimed.items()
                            ],
                        }
                        for each in one.hours
                    ],
                }
                for one in found
            ]
        )
        return
    for one in found:
        if not one.hours:
            screen.say(f"{one.architecture}: no trouble with Spot this month and the last.")
            continue
        last = f", refused last {one.last_refused:%m-%d %H:%M}" if one.last_refused else ""
        screen.say(f"{one.architecture}, this month and the last, by hour in UTC{last}", "bold")
        screen.table(("hour", "refused", *(f"taken in {zone}" for zone in one.zones)), cells(one))
