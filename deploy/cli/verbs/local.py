"""``steadyspot local``, and what is asked of the one that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from steadyspot.deploy.cli import options


@click.group(name="local", invoke_without_command=True)
@options.config
@options.environment
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port on 127.0.0.1; 0: a free one."
)
@click.option(
    "--runtime",
    type=click.Choice(["process", "podman", "docker", "any"]),
    default="process",
    show_default=True,
    help="Run the images that jobs name under this engine; any: one that answers. "
    "process: run their commands on this machine.",
)
@click.pass_context
def command(
    context: click.Context, path: Path, environment: str | None, port: int, runtime: str
) -> None:
    """Keep an embedded AWS up on this machine, until Ctrl-C."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.local.command import stay
    from steadyspot.deploy.stacks.config_file import load
    from steadyspot.deploy.target import need_embedded_aws

    if context.invoked_subcommand is not None:
        return
    need_embedded_aws()
    stay(load(path, environment), port, runtime, Screen())


@command.command()
@options.config
def env(path: Path) -> None:
    """Print what makes a shell's AWS CLI and SDKs use it: eval "$(steadyspot local env)"."""
    from steadyspot.deploy.aws.local_address import running_beside

    for name, value in running_beside(path).environment().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@command.command()
@options.config
@options.as_json
def mails(path: Path, machine: bool) -> None:
    """Print the mails that it has sent, oldest first."""
    from steadyspot.deploy.aws.local_address import running_beside
    from steadyspot.deploy.aws.local_session import LocalSession
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.runs.local_mails import text_of

    screen = Screen()
    sent = LocalSession(running_beside(path)).switches.mails()
    if machine:
        screen.json(sent)
        return
    for mail in sent:
        screen.say(text_of(mail))
        screen.say()
    if not sent:
        screen.say("No mail has been sent yet.")
