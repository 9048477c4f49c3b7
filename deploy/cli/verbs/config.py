"""``steadyspot config``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.settings import Setting


@click.command(name="config")
@options.job
@click.option("--schema", is_flag=True, help="Print the JSON Schema of steadyspot.toml instead.")
@options.config
@options.environment
@options.as_json
def command(
    path: Path, environment: str | None, job: str | None, schema: bool, machine: bool
) -> None:
    """Show every key that is in force, for all jobs or JOB: its value, and where it comes from."""
    from dataclasses import asdict

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks import config_file
    from steadyspot.deploy.stacks.settings import settings_of

    screen = Screen()
    if schema:
        screen.raw(json.dumps(config_file.schema(), indent=2, ensure_ascii=False) + "\n")
        return
    settings = settings_of(path, environment, job)
    if machine:
        screen.json([asdict(setting) for setting in settings])
        return
    _show(screen, settings)


def _show(screen: Screen, settings: Sequence[Setting]) -> None:
    for table, keys in groupby(settings, key=lambda setting: setting.table):
        screen.heading(f"[{table}]")
        screen.table(
            ("key", "value", "from"),
            [
                (
                    setting.key,
                    "-" if setting.value is None else json.dumps(setting.value, ensure_ascii=False),
                    f"line {setting.line}" if setting.line else "default",
                )
                for setting in keys
            ],
        )
