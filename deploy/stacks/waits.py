"""Ends executions that only wait, before the state machine that they are of is removed.

*At the deadline* and *After its time* wait for hours; Step Functions removes a state machine once
its last execution has ended, and until then gives its name to no other.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

WAITING = frozenset({"AtTheDeadline", "AfterItsTime"})
"""Logical ids of the machines of a job that wait and tell, and do nothing else."""


def end_waits(target: Target, stack: str, machines: Collection[str] = WAITING) -> None:
    """End what waits in those machines of a stack that are in :data:`WAITING`."""
    sfn = target.client("stepfunctions")
    found = [
        one["PhysicalResourceId"]
        for one in target.stacks.resources(stack)
        if one["LogicalResourceId"] in WAITING.intersection(machines)
        and one.get("PhysicalResourceId")
    ]
    for machine in found:
        pages = sfn.get_paginator("list_executions").paginate(
            stateMachineArn=machine, statusFilter="RUNNING"
        )
        for execution in [one["executionArn"] for page in pages for one in page["executions"]]:
            sfn.stop_execution(executionArn=execution, cause="Its state machine is removed.")
