"""``steadyspot local``."""

from __future__ import annotations

from pathlib import Path

import click

from deploy import options


@click.command(name="local")
@options.config
@click.option("--port", default=0, help="Port on 127.0.0.1; 0 takes a free one.")
def command(path: Path, port: int) -> None:
    """Keep an embedded AWS up on this machine, until Ctrl-C."""
    from deploy.config import load
    from deploy.local_command import stay
    from deploy.screen import Screen

    stay(load(path), port, Screen())
