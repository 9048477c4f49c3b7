"""The options that verbs share, and the target and screen that a verb gets from them.

Nothing slow is imported here: ``--help`` reads this file, and every verb's, each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

config = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("steadyspot.toml"),
    show_default=True,
    help="What runs, when, and how much trouble it may take.",
)
environment = click.option(
    "--env", "environment", help="With what [environments.ENV] of the configuration says otherwise."
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


run_named = click.argument("run", required=False, type=Checked("runs.lookup", "run_meant"))
as_json = click.option("--json", "machine", is_flag=True, help="Print JSON for machines.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def on_target(verb: F) -> F:
    """Give a verb its target and a screen, made from the options that every verb has."""

    @config
    @environment
    @click.option(
        "--local", is_flag=True, help="Use the embedded AWS that `steadyspot local` runs."
    )
    @click.option("--profile", help="AWS profile.")
    @click.option(
        "--region",
        type=Checked("stacks.config", "region_of"),
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
        from steadyspot.deploy.cli.screen import Screen
        from steadyspot.deploy.stacks.config import load
        from steadyspot.deploy.target import on_aws, on_this_machine

        if local and (profile or region):
            raise click.UsageError("--profile and --region are for AWS; --local is this machine.")
        loaded = load(path, environment)
        if options.get("job"):
            loaded.job(options["job"])  # before AWS is asked for anything
        target = on_this_machine(loaded) if local else on_aws(loaded, profile, region)
        return verb(target, Screen(), **options)

    return with_target  # type: ignore[return-value]
