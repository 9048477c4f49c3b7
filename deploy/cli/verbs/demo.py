"""``steadyspot demo``."""

from __future__ import annotations

import sys

import click


@click.command(name="demo")
@click.option("--shards", is_flag=True, help="Show a run over four tasks instead.")
def command(shards: bool) -> None:
    """Show the main job on an embedded AWS: interrupted, refused, and finished all the same."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import need_embedded_aws

    need_embedded_aws()
    from steadyspot.deploy.local import demo, demo_shards

    sys.exit((demo_shards if shards else demo).show(Screen()))
