"""``steadyspot permissions``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from steadyspot.deploy.cli import options

PURPOSES = ("deploy", "compare", "stacks", "operate", "read")


@click.command(name="permissions")
@click.argument("purpose", type=options.OneOf((*PURPOSES, "key")))
@options.config
@options.environment
def command(purpose: str, path: Path, environment: str | None) -> None:
    """Print a policy: of who deploys, compares, operates, reads; of the stacks' role; of a key."""
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config_file import load
    from steadyspot.deploy.stacks.keys import key_policy
    from steadyspot.deploy.stacks.permissions import Purpose, policy_for

    config = load(path, environment)
    if purpose == "key":
        policy = key_policy(config.platform)
    else:
        given = [job.log_group for job in config.jobs.values() if job.log_group]
        secrets = config.secrets_of_notify
        policy = policy_for(Purpose(purpose), config.platform, given, secrets)
    Screen().raw(json.dumps(policy, indent=2) + "\n")
