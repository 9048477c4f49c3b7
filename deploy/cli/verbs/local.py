"""``steadyspot local``."""

from __future__ import annotations

from pathlib import Path

import click

from steadyspot.deploy.cli import options


@click.command(name="local")
@options.config
@options.environment
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
def command(path: Path, environment: str | None, port: int) -> None:
    """Keep an embedded AWS up on this machine, until Ctrl-C."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.local.command import stay
    from steadyspot.deploy.stacks.config import load
    from steadyspot.deploy.target import need_embedded_aws

    need_embedded_aws()
    stay(load(path, environment), port, Screen())
