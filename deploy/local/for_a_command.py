"""An embedded AWS for the time of one command, with one job deployed on it.

So that whoever has just written a job sees it run, and interrupted, without a second terminal.
Nothing of it is left when the command ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config import Config, Job
from steadyspot.deploy.stacks.up import bring, platform_of, stack_of
from steadyspot.deploy.target import Target

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen


@contextmanager
def aws_for(config: Config, job: Job, screen: Screen) -> Iterator[Target]:
    """Yield a target on which the platform and the job are deployed; ``screen`` shows that."""
    with LocalAws() as aws:
        aws.images.offer([job.image], config.path.parent)
        target = Target(config, aws.session())
        for stack in (platform_of(target), stack_of(target, job)):
            bring(target, stack, screen, lambda _plan: True)
        yield target
