"""Where a shell can be opened in a job's container, and the command that opens one.

ECS Exec speaks with the container through Systems Manager. Its protocol is left to AWS's own client
and to the plugin that this one calls, which whoever debugs on AWS has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from steadyspot.contract import WORKER_CONTAINER
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target

PROGRAMS = ("aws", "session-manager-plugin")


def shell_command(
    target: Target, job: Job, words: str, which: Callable[[str], str | None]
) -> list[str]:
    """Return the command that opens a shell, or runs ``words``, in the job's newest task.

    Raises
    ------
    Trouble
        When no task of the job runs, it was not launched to be debugged, the target has no
        containers, or a program is missing on this machine.
    """
    if target.switches is not None:
        raise Trouble(
            "The embedded AWS has no ECS Exec: a job is a process of this machine there.",
            "Look at it with ps, or open a shell in its container with podman exec or docker exec.",
        )
    missing = [program for program in PROGRAMS if which(program) is None]
    if missing:
        raise Trouble(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on this machine.",
            "Install the AWS CLI and its Session Manager plugin; AWS opens a shell through them.",
        )
    ecs, cluster = target.client("ecs"), target.platform["Cluster"]
    listed = ecs.list_tasks(cluster=cluster, family=target.config.job_stack(job))["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=listed)["tasks"] if listed else []
    running = [task for task in tasks if task["lastStatus"] == "RUNNING"]
    if not running:
        raise Trouble(
            f"No task of {job.name} runs at this moment.", f"Start one: steadyspot run {job.name}."
        )
    newest = max(running, key=lambda task: task["createdAt"])
    if not newest.get("enableExecuteCommand"):
        raise Trouble(
            f"The task of {job.name} was not launched to be debugged.",
            "Set debug = true for the job, run steadyspot up, and start a run.",
        )
    profile = target.session.profile_name
    return [
        *("aws", "ecs", "execute-command", "--interactive"),
        *("--region", target.session.region_name),
        *(("--profile", profile) if profile != "default" else ()),
        *("--cluster", cluster, "--task", newest["taskArn"]),
        *("--container", WORKER_CONTAINER, "--command", words),
    ]
