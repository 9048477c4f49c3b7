"""The options that verbs share, and the target and screen that a verb gets from them.

Nothing slow is imported here: ``--help`` reads this file, and every verb's, each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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
    @click.option("--region", help="AWS region; else that of the configuration or the profile.")
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

        loaded = load(path, environment)
        target = on_this_machine(loaded) if local else on_aws(loaded, profile, region)
        return verb(target, Screen(), **options)

    return with_target  # type: ignore[return-value]
