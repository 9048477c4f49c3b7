"""``steadyspot permissions``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from steadyspot.deploy.cli import options


@click.command(name="permissions")
@click.argument("purpose", type=options.OneOf(("deploy", "compare", "stacks", "operate", "read")))
@options.config
@options.environment
def command(purpose: str, path: Path, environment: str | None) -> None:
    """Print the policy for who deploys, compares, operates or reads, or of the stacks' role."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import load
    from steadyspot.deploy.stacks.permissions import Purpose, policy_for

    policy = policy_for(Purpose(purpose), load(path, environment).platform)
    Screen().raw(json.dumps(policy, indent=2) + "\n")
