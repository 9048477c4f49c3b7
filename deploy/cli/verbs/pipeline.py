"""``steadyspot pipeline``."""

from __future__ import annotations

from pathlib import Path

import click

from steadyspot.deploy.cli import options


@click.command(name="pipeline")
@click.argument("host", type=options.OneOf(("github", "gitlab")))
@click.argument("repository", type=options.Checked("stacks.pipelines", "repository_of"))
@click.option(
    "--branch",
    type=options.Checked("stacks.pipelines", "branch_of"),
    default="main",
    show_default=True,
    help="The branch that deploys; requests only compare.",
)
@options.config
@options.environment
def command(host: str, repository: str, branch: str, path: Path, environment: str | None) -> None:
    """Print a template with the roles with which REPOSITORY compares and deploys."""
    import yaml  # type: ignore[import-untyped]

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config_file import load
    from steadyspot.deploy.stacks.pipelines import HOSTS, template

    made = template(load(path, environment), HOSTS[host], repository, branch)
    Screen().raw(yaml.safe_dump(made, sort_keys=False, width=100))
