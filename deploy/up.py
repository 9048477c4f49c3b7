"""Brings the platform and its jobs up, and takes them down again.

The platform comes first, since the jobs import what it exports; it goes last. What the templates
retain (outputs, checkpoints, records of runs) outlives ``down`` and never blocks the next ``up``,
since its names are generated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from deploy.config import Job
from deploy.parameters import of_job, of_platform
from deploy.screen import Screen
from deploy.target import Target

TEMPLATES = Path(__file__).parent / "templates"
_LARGEST_BODY_BYTES = 51_200
_KEPT = {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}


def deploy(target: Target, jobs: Sequence[Job], screen: Screen) -> None:
    """Make AWS look like the configuration."""
    platform = target.config.platform
    _bring(target, target.platform_stack, "platform.yaml", of_platform(platform), screen)
    for job in jobs:
        _bring(target, target.config.job_stack(job), "job.yaml", of_job(platform, job), screen)


def _bring(
    target: Target, stack: str, template: str, parameters: dict[str, str], screen: Screen
) -> None:
    screen.heading(f"Stack {stack}")
    changed = target.stacks.deploy(stack, source(target, template), parameters, screen.stack_event)
    screen.say("  up to date" if changed else "  nothing to change")


def source(target: Target, name: str) -> str:
    """Return a template's text, or its address in the bucket where a call cannot carry it."""
    body = (TEMPLATES / name).read_bytes()
    if len(body) <= _LARGEST_BODY_BYTES:
        return body.decode()
    s3, bucket = target.client("s3"), target.platform["Bucket"]
    key = f"templates/{hashlib.sha256(body).hexdigest()[:32]}.yaml"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


def remove(target: Target, screen: Screen) -> None:
    """Remove the jobs' stacks and the platform's, and say what is kept."""
    kept = []
    for job in target.config.jobs.values():
        stack = target.config.job_stack(job)
        if target.stacks.remove(stack, screen.stack_event):
            screen.say(f"Removed {stack}.")
    if target.stacks.exists(target.platform_stack):
        kept = [
            f"{resource['ResourceType']} {resource['PhysicalResourceId']}"
            for resource in target.stacks.resources(target.platform_stack)
            if resource["ResourceType"] in _KEPT
        ]
        target.stacks.remove(target.platform_stack, screen.stack_event)
        screen.say(f"Removed {target.platform_stack}.")
    for name in kept:
        screen.say(f"Kept: {name}")
