"""``steadyspot demo``."""

from __future__ import annotations

import sys

import click


@click.command(name="demo")
def command() -> None:
    """Show the main job on an embedded AWS: interrupted, refused, and finished all the same."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import need_embedded_aws

    need_embedded_aws()
    from steadyspot.deploy.local.demo import show

    sys.exit(show(Screen()))
