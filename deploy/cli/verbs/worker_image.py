"""``steadyspot worker-image``."""

from __future__ import annotations

import click

from steadyspot.deploy.cli import options


@click.command(name="worker-image")
@click.option(
    "--tag",
    type=options.Checked("stacks.image_names", "name_of_image"),
    help="Its name; else steadyspot-worker, as Dockerfiles call it.",
)
@click.option(
    "--architecture", type=click.Choice(("x86_64", "arm64")), default="x86_64", show_default=True
)
def command(tag: str | None, architecture: str) -> None:
    """Build the worker's image with this machine's container engine, from what is installed."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.image_config import WORKER
    from steadyspot.deploy.stacks.images import build_worker, engine_here

    build_worker(engine_here(), architecture, tag or WORKER)
    Screen().say(f"{tag or WORKER} is built.")
