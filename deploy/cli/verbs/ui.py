"""``steadyspot ui``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="ui")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port on 127.0.0.1; 0: a free one."
)
@click.option("--read-only", is_flag=True, help="Nothing can be done from it.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@options.on_target
def command(target: Target, screen: Screen, port: int, *, read_only: bool, no_open: bool) -> None:
    """Show all jobs and their runs in a browser, until Ctrl-C; only on this machine."""
    import webbrowser
    from contextlib import suppress

    from steadyspot.deploy.target import need_page

    need_page()
    from steadyspot.deploy.ui.reading import Reading
    from steadyspot.deploy.ui.serving import served

    reading = Reading(target)
    with served(reading, port=port, read_only=read_only) as address:
        screen.say(f"The page of {target.platform_stack} is at {address}")
        screen.say("Who has this address may use it. Ctrl-C ends it.")
        if not no_open:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            reading.drilling.carry_out()
    screen.say("Ended.")
