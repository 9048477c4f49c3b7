"""The command line: which verbs there are, and how a verb that fails ends.

A verb is a file of ``verbs``; it wires options to the code that does the work and does not ask
which target it has. Files and slow libraries are loaded by the verb that needs them, so that
``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO

import click

from steadyspot import __version__
from steadyspot.deploy.cli.stopping import ended_by_signals
from steadyspot.deploy.collecting import collect_seldom
from steadyspot.deploy.trouble import USAGE, Trouble, how_stopped, is_text

VERBS = (
    "init",
    "config",
    "permissions",
    "pipeline",
    "check",
    "diff",
    "up",
    "status",
    "run",
    "watch",
    "logs",
    "runs",
    "explain",
    "outputs",
    "notify",
    "drill",
    "shell",
    "stop",
    "redrive",
    "forget",
    "pause",
    "resume",
    "cost",
    "weather",
    "down",
    "ui",
    "local",
    "demo",
    "worker-image",
)

_LONGEST_SENTENCE = 200
"""Characters of a verb's sentence in the list of all."""


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each verb with its whole sentence; click would cut it at the line's end."""
        verbs = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(verb)) for name, verb in verbs if verb])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is meant; of one that there is not, say which may be."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(args[0], possibilities=VERBS, ctx=ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; click would take Ctrl-C for a question that nobody answered."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise _stopped(stop) from None

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the command line and leave with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        collect_seldom()
        _write_what_the_terminal_cannot()
        try:
            _refuse_what_is_no_text(words)
            with ended_by_signals():
                code = super().main(words, prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as error:
            if isinstance(error, click.exceptions.NoArgsIsHelpError):
                click.echo(error.format_message(), err=True)
                sys.exit(USAGE)
            trouble = _trouble(error)
            if trouble is None:
                raise
            _drop_what_cannot_be_written(sys.stdout)
            _fail(trouble, machine="--json" in words)
        sys.exit(code)


def _first_sentence(verb: click.Command) -> str:
    return verb.get_short_help_str(limit=_LONGEST_SENTENCE)


def _stopped(stop: KeyboardInterrupt) -> Trouble:
    how, code = how_stopped(stop)
    return Trouble(
        f"Stopped by {how}.", "What AWS was told goes on there; the same command looks again.", code
    )


def _write_what_the_terminal_cannot() -> None:
    """Let a terminal that is not UTF-8 show what it can, and the rest as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    for word in words:
        if not is_text(word):
            raise Trouble(
                f"The argument {word!a} is no text in UTF-8.",
                "Type it again, in a terminal that writes UTF-8.",
                USAGE,
            )


def _drop_what_cannot_be_written(stream: TextIO) -> None:
    """Forget what a full disk or a closed terminal did not take.

    It would be tried once more at the very end, and the exit code be lost by that.
    """
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _fail(trouble: Trouble, *, machine: bool) -> NoReturn:
    from steadyspot.deploy.cli.screen import Screen

    with suppress(OSError):  # The terminal may be gone.
        Screen().trouble(trouble, machine=machine)
    _drop_what_cannot_be_written(sys.stderr)
    sys.exit(trouble.code)


def _of_usage(error: click.UsageError) -> Trouble:
    """Return what click does not understand; its context is that of the verb."""
    name = error.ctx.command_path if error.ctx else "steadyspot"
    what = error.format_message()
    return Trouble(
        what if what.endswith((".", "?")) else f"{what}.",
        f"{name} --help shows what it takes.",
        USAGE,
    )


def _trouble(error: Exception) -> Trouble | None:
    from steadyspot.deploy.aws.refusals import trouble_of
    from steadyspot.deploy.stacks.config import ConfigError

    if isinstance(error, click.UsageError):
        return _of_usage(error)
    if isinstance(error, click.Abort):
        return Trouble("Nobody agreed, so that was not done.", "The same command asks again.")
    if isinstance(error, ConfigError):
        return Trouble(str(error), error.what_to_do)
    return trouble_of(error)


@click.group(cls=Steadyspot, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="steadyspot")
def main() -> None:
    """Run scheduled containers on Fargate Spot so that every run finishes."""
