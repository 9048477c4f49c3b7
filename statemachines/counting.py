"""Counting runs that no worker ends: those that are parked or skipped, and those over shards.

They become metrics of CloudWatch by one call each, and no other run makes one: the worker's own
lines count those that it finished. So each run is counted once. A call whose reply is lost may have
been taken, so that only one that was refused is made again, and nothing waits for it or depends on
it: what cannot be counted is not.
"""

from __future__ import annotations

from steadyspot.contract.metrics import NAMESPACE
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.states import Catch, Retry, State, Task

COUNT_SECONDS = 5
"""TimeoutSeconds of a call."""
REFUSED = "CloudWatch.CloudWatchException"
"""What the SDK calls an error that its model does not name; throttling is one."""


def count(state_id: str, what: str, following: State) -> Task:
    """Return the Task that sends these metrics, whatever becomes of its call."""
    counting = Task(
        state_id,
        comment="No worker counts it. Nothing depends on this call.",
        resource="arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
        timeout_seconds=COUNT_SECONDS,
        arguments={"Namespace": NAMESPACE, "MetricData": expression(what)},
        retry=[
            Retry(
                error_equals=[REFUSED], interval_seconds=1, max_attempts=2, jitter_strategy="FULL"
            )
        ],
        output={},
    )
    counting.next_step = following
    counting.catches = [Catch(following, error_equals=["States.ALL"])]
    return counting
