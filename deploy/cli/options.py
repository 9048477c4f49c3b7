"""The options that verbs share, and the target and screen that a verb gets from them.

Nothing slow is imported here: ``--help`` reads this file, and every verb's, each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Config

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("steadyspot.toml")
config = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration: what runs, when, and how much trouble it may take.",
)
environment = click.option(
    "--env",
    "environment",
    help="Let [environments.ENV] of the configuration override the rest of it.",
)
job = click.argument("job", required=False)


class OneOf(click.Choice[str]):
    """A choice whose refusal names the one that may be meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Say what is not known, and what is."""
        from steadyspot.deploy.forms import unknown

        return f"there is no {unknown(value, self.choices)}"


class Checked(click.ParamType[Any]):
    """A text that is read by a function of another room, loaded when there is something to read.

    What it refuses is told before AWS is asked for anything.
    """

    name = "text"

    def __init__(self, module: str, function: str, *more: Any) -> None:
        self._module, self._function, self._more = module, function, more

    def convert(self, value: Any, _: click.Parameter | None, __: click.Context | None) -> Any:
        """Return what the function makes of the text."""
        read = getattr(import_module(f"steadyspot.deploy.{self._module}"), self._function)
        return read(value, *self._more) if isinstance(value, str) else value


class NewFolder(click.Path):
    """A folder that is there or can be made where it is named."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse no name at all, and a name below that of a file."""
        folder = Path(os.fsdecode(super().convert(value, param, ctx)))
        if value == "":
            self.fail("It names no folder.", param, ctx)
        there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        if not there.is_dir():
            self.fail(f"{there} is a file.", param, ctx)
        return folder


class NewFile(click.Path):
    """A file that can be written where it is named."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse no name at all, and a file in a folder that there is not."""
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        if value == "":
            self.fail("It names no file.", param, ctx)
        if not file.parent.is_dir():
            self.fail(f"There is no folder {file.parent}.", param, ctx)
        return file


class JobOrPlan(click.ParamType[Any]):
    """A job's name, or the file of a plan: no name of a job has a dot or a slash."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a name as it is, a file as its path; refuse one that there is not."""
        if not (isinstance(value, str) and any(mark in value for mark in "./\\")):
            return value
        if not Path(value).is_file():
            self.fail(f"There is no file {value}.", param, ctx)
        return Path(value)


shard_named = click.option(
    "--shard", type=click.IntRange(0), help="Of a run that is spread over shards, this one."
)
run_named = click.argument("run", required=False, type=Checked("runs.lookup", "run_meant"))


def _print_form(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if not is_asked:
        return
    from steadyspot.deploy.as_json import as_json, form_of

    click.echo(as_json(form_of(str(ctx.command.name)), indent=2))
    ctx.exit()


def as_json(verb: F) -> F:
    """Give a verb ``--json``, and the schema of what it prints then."""
    schema = click.option(
        "--json-schema",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_form,
        help="Print the JSON Schema of that.",
    )
    return click.option("--json", "machine", is_flag=True, help="Print JSON for machines.")(
        schema(verb)
    )


as_page = click.option(
    "--html",
    "page",
    type=NewFile(),
    help="Write it as one page for a browser.",
)
at_once = click.option(
    "--at-once",
    default=8,
    show_default=True,
    type=click.IntRange(1, 32),
    help="Stacks of jobs at a time.",
)
parameters = click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the job, such as day=2026-11-24; more than once for several.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def on_target(verb: F) -> F:
    """Give a verb its target and a screen, made from the options that every verb has."""
    return _with_target(verb, begins=False)


def on_target_unless(refuses: Callable[..., None], *, begins: bool = False) -> Callable[[F], F]:
    """As :func:`on_target`, for a verb that may be asked for what no AWS is needed to refuse.

    ``refuses`` gets the configuration and the verb's options, and raises ``Trouble``. ``begins``:
    as :func:`on_begun_target`.
    """

    def on_it(verb: F) -> F:
        return _with_target(verb, begins=begins, refuses=refuses)

    return on_it


def on_begun_target(verb: F) -> F:
    """As :func:`on_target`, for a verb that can begin with nothing.

    With ``--local``, where no embedded AWS is kept up beside the configuration, one is made for the
    time of the verb, and the job is deployed on it.
    """
    return _with_target(verb, begins=True)


def _with_target(
    verb: F, *, begins: bool, refuses: Callable[..., None] = lambda *_, **__: None
) -> F:
    where = "the embedded AWS that `steadyspot local` keeps up"

    @config
    @environment
    @click.option(
        "--local",
        is_flag=True,
        help=f"Use {where}; else one made for this command." if begins else f"Use {where}.",
    )
    @click.option("--profile", help="AWS profile.")
    @click.option(
        "--region",
        type=Checked("stacks.config_file", "region_of"),
        help="AWS region; else that of the configuration or the profile.",
    )
    @wraps(verb)
    def with_target(
        path: Path,
        environment: str | None,
        local: bool,
        profile: str | None,
        region: str | None,
        **options: Any,
    ) -> Any:
        from steadyspot.deploy.cli.pasting import given_words, pastable
        from steadyspot.deploy.cli.screen import Screen
        from steadyspot.deploy.stacks.config_file import load
        from steadyspot.deploy.target import kept_up, on_aws, on_this_machine
        from steadyspot.deploy.trouble import Trouble

        if local and (profile or region):
            raise click.UsageError("--profile and --region are for AWS; --local is this machine.")
        elsewhere = None if path == DEFAULT_CONFIG else path
        given = given_words(
            config=elsewhere, env=environment, local=local, profile=profile, region=region
        )
        loaded = load(path, environment)
        if isinstance(options.get("job"), str):
            loaded.job(options["job"])  # before AWS is asked for anything
        refuses(loaded, **options)
        target = kept_up(loaded) if local and begins else None
        if local and begins and target is None:
            return _on_an_aws_of_its_own(verb, loaded, options)
        if target is None:
            target = on_this_machine(loaded) if local else on_aws(loaded, profile, region)
        try:
            return verb(target, Screen(given=given), **options)
        except Trouble as trouble:
            advice = pastable(trouble.what_to_do, given)
            raise Trouble(trouble.what, advice, trouble.code) from None

    return with_target  # type: ignore[return-value]


def _on_an_aws_of_its_own(verb: Callable[..., Any], config: Config, options: Any) -> Any:
    from steadyspot.deploy.cli.screen import Screen, silent
    from steadyspot.deploy.target import need_embedded_aws

    if options.get("no_follow"):
        raise click.UsageError(
            "An AWS made for this command ends with it, and so does the run: leave --no-follow "
            "out, or keep one up with steadyspot local."
        )
    need_embedded_aws()
    from steadyspot.deploy.local.for_a_command import aws_for

    if "logs" in options:
        options = {**options, "logs": True}  # Nobody can ask for them afterwards.
    screen = Screen()
    job = config.job(options.get("job"))
    machine = options.get("machine", False)
    if not machine:
        screen.say(
            f"An embedded AWS is made for this command, and {job.name} deployed on it. To keep one "
            "up: steadyspot local"
        )
        screen.say()
    with aws_for(config, job, silent()) as target:
        return verb(target, screen, **options)
