"""The command line: which verbs there are, and how a verb that fails ends.

A verb is a file of ``verbs``; it wires options to the code that does the work and does not ask
which target it has. Files and slow libraries are loaded by the verb that needs them, so that
``--help`` is quick.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from steadyspot import __version__
from steadyspot.deploy.trouble import CTRL_C, Trouble

VERBS = (
    "init",
    "config",
    "check",
    "diff",
    "up",
    "run",
    "watch",
    "logs",
    "runs",
    "explain",
    "drill",
    "stop",
    "redrive",
    "pause",
    "resume",
    "cost",
    "down",
    "local",
    "demo",
    "worker-image",
)


class Steadyspot(click.Group):
    """Finds the verbs, and turns what went wrong into two sentences and an exit code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the verbs in the order in which one needs them."""
        return list(VERBS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Load a verb."""
        if name not in VERBS:
            return None
        command: click.Command = import_module(
            f"steadyspot.deploy.cli.verbs.{name.replace('-', '_')}"
        ).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            _fail(_STOPPED)
        except Exception as error:
            trouble = _trouble(error)
            if trouble is None:
                raise
            _fail(trouble)


_STOPPED = Trouble(
    "Stopped by Ctrl-C.",
    "What AWS was told goes on there; the same command goes on from here.",
    CTRL_C,
)


def _fail(trouble: Trouble) -> None:
    from steadyspot.deploy.cli.screen import Screen

    with suppress(OSError):  # The terminal may be gone.
        Screen().trouble(trouble)
    sys.exit(trouble.code)


def _trouble(error: Exception) -> Trouble | None:
    from steadyspot.deploy.aws.refusals import trouble_of
    from steadyspot.deploy.stacks.config import ConfigError

    if isinstance(error, ConfigError):
        return Trouble(
            str(error), "Correct it, then try again; steadyspot check says whether it fits."
        )
    return trouble_of(error)


@click.group(cls=Steadyspot, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="steadyspot")
def main() -> None:
    """Run scheduled containers on Fargate Spot so that every run finishes."""
