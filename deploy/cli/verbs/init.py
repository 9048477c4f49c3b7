"""``steadyspot init``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.scaffold.wishes import Kind, Pipeline, Wish
    from steadyspot.deploy.scaffold.writing import Written

KINDS = ("python", "shell", "node", "own")
PIPELINES = ("none", "github", "gitlab")


@click.command(name="init")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), required=False
)
@click.option("--name", help="Of the job; else made from the folder's.")
@click.option(
    "--kind",
    type=options.OneOf(KINDS),
    help="A job to begin with, in Python, shell or Node, or an own one. Else python.",
)
@click.option("--command", "typed", help="Of an own job, as typed in a shell: 'node report.mjs'.")
@click.option(
    "--schedule", help="Such as 'cron(0 2 * * ? *)' or 'rate(1 hour)'; else by hand only."
)
@click.option("--mail", help="Who is told; else nobody.")
@click.option(
    "--ci", type=options.OneOf(PIPELINES), default="none", help="Write a workflow for CI."
)
@click.option(
    "--from-copilot",
    "copilot",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="Take over a scheduled job of Copilot: the folder with its manifest.yml.",
)
@click.option(
    "--from-task-definition",
    "task_definition",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Take over what `aws ecs describe-task-definition` printed.",
)
def command(folder: Path, name: str | None, mail: str | None, ci: Pipeline, **begin: Any) -> None:
    """Write what a job needs into FOLDER, or the one you are in; nothing there is overwritten."""
    from dataclasses import replace

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.scaffold.files import CONFIG, files_of
    from steadyspot.deploy.scaffold.writing import write
    from steadyspot.deploy.stacks.config import ConfigError
    from steadyspot.deploy.stacks.config_file import parse
    from steadyspot.deploy.trouble import Trouble

    wish = _wish(_name_of(folder) if name is None else name, **begin)
    wish = replace(wish, name=wish.name if name is None else name, mail=mail, pipeline=ci)
    files = files_of(wish)
    fault = None
    try:
        parse(files[CONFIG], folder / CONFIG)
    except ConfigError as error:
        fault = str(error)
    if fault and not wish.left_out:
        raise Trouble(fault, "Give another value; nothing has been written.")
    screen = Screen()
    _tell(screen, folder, wish, write(folder, files))
    if fault:
        raise Trouble(fault, f"What was taken over does not fit: correct it in {folder / CONFIG}.")


def _name_of(folder: Path) -> str:
    from steadyspot.deploy.scaffold.wishes import name_from

    return name_from(folder.resolve().name)


def _wish(
    name: str,
    *,
    kind: Kind | None,
    typed: str | None,
    schedule: str | None,
    copilot: Path | None,
    task_definition: Path | None,
) -> Wish:
    """Return what is wished for, from the options or, in a terminal, from answers."""
    from steadyspot.deploy.scaffold import copilot as copilots
    from steadyspot.deploy.scaffold import task_definition as task_definitions
    from steadyspot.deploy.scaffold.wishes import wish_of

    if sum(map(bool, (typed or kind or schedule, copilot, task_definition))) > 1:
        raise click.UsageError(
            "--from-copilot and --from-task-definition bring kind, command and schedule along: "
            "give one of them alone."
        )
    if typed is not None and kind not in (None, "own"):
        raise click.UsageError(f"--command is for a job of your own, not for one in {kind}.")
    if copilot:
        return copilots.wish_from(_read(copilot / "manifest.yml" if copilot.is_dir() else copilot))
    if task_definition:
        return task_definitions.wish_from(_json(task_definition))
    if schedule is not None and not schedule.strip():
        raise click.UsageError("--schedule is empty: leave it out for a job started by hand only.")
    name = _asked("Name of the job", name)
    chosen: Any = kind or ("own" if typed is not None else _asked("Kind of job", "python", KINDS))
    schedule = schedule or _asked("Schedule, or nothing", "")
    return wish_of(name, chosen, command=_split(typed), schedule=schedule)


def _asked(question: str, default: str, choices: Sequence[str] = ()) -> str:
    """Ask a person; where none is there, the default is the answer."""
    if not sys.stdin.isatty():
        return default
    kind = click.Choice(choices) if choices else None
    return str(click.prompt(question, default=default, type=kind, show_default=bool(default)))


def _split(typed: str | None) -> list[str] | None:
    if typed is None:
        return None
    try:
        words = shlex.split(typed)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--command") from None
    if not words:
        raise click.BadParameter("It names no program.", param_hint="--command")
    return words


def _read(path: Path) -> str:
    from steadyspot.deploy.trouble import Trouble

    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Trouble(f"{path} can't be read: {why}.", "Name the file that is meant.") from None


def _json(path: Path) -> Mapping[str, Any]:
    from steadyspot.deploy.trouble import Trouble

    try:
        value = json.loads(_read(path))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Trouble(
            f"{path} is no JSON object.",
            "Take what aws ecs describe-task-definition --task-definition NAME prints.",
        )
    return value


def _tell(screen: Screen, folder: Path, wish: Wish, written: Written) -> None:
    from steadyspot.deploy.scaffold.files import CONFIG, DOCKERFILE, lines_for_the_worker

    for about, names in (
        ("written", written.made),
        ("added to", written.added_to),
        ("left alone", written.kept),
    ):
        for name in names:
            screen.pair(about, str(folder / name))
    if DOCKERFILE in written.kept:
        screen.say()
        screen.say(
            f"For the worker, {folder / DOCKERFILE} needs these lines, the last one at its end:"
        )
        screen.raw("".join(f"  {line}\n" for line in lines_for_the_worker().splitlines()))
    if wish.left_out:
        screen.say()
        screen.say(f"Not taken over; {folder / CONFIG} says so, too:")
        for what in wish.left_out:
            screen.pair("", what)
    screen.say()
    screen.say("Next:")
    go = [] if folder == Path() else [(f"cd {shlex.quote(str(folder))}", "")]
    for typed, what in (
        *go,
        ("steadyspot drill interrupt --local", "sees it interrupted and finish, on this machine"),
        ("steadyspot check", "looks whether your AWS account is ready"),
        ("steadyspot up", "deploys it"),
    ):
        screen.say(f"  {typed:36}{what}".rstrip())
