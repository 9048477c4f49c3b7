"""What the deployed workflow would do, asked of Step Functions without running anything: TestState.

AWS cannot be made to refuse Spot capacity, but TestState runs one state with a mocked answer. So
a refusal, and every row of the cause table, is put to the states as they are deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import (
    FENCE_PER_CLAIM,
    Capacity,
    CapacityMode,
    Status,
    columns,
    messages,
    variables,
)
from steadyspot.contract.states import JobState
from steadyspot.deploy.drills.stage import Observation, Observations, Stage
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.causes.row import Cause
from steadyspot.statemachines.values import COOL_OFF_SECONDS

REFUSED = (
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
_LAUNCH, _READ, _CLAIM = JobState.RUN_ON_SPOT, JobState.HOW_FAR, JobState.CLAIM
_LOOK = JobState.LOOK_AT_WEATHER


def no_capacity(stage: Stage) -> Iterator[Observation]:
    """Let Spot be refused, on paper; the deployed workflow must wait for it."""
    mock = {"errorOutput": {"error": "AmazonECS.Unknown", "cause": REFUSED}}
    answer = _asked(stage, _deployed(stage), _LAUNCH, {}, mock)
    cause = _assigned(answer).get(variables.CAUSE, {})
    yield Observation(
        f"a refusal of Spot is caught and taken for {cause.get('name', 'nothing')}; "
        f"answer: {cause.get('answer', 'none')}",
        answer["status"] == "CAUGHT_ERROR" and cause.get("name") == "no-capacity",
    )


def weather(stage: Stage) -> Observations:
    """Let other runs have been refused of late, on paper; the deployed workflow must go by it."""
    deployed, now = _deployed(stage), datetime.now(UTC).timestamp()
    for what, ago, tight, wanted in (
        ("others were refused just now, and there is time", 10, False, JobState.WAIT_FOR_CAPACITY),
        (
            "others were refused just now, and the deadline is near",
            10,
            True,
            JobState.RUN_ON_DEMAND,
        ),
        ("the cool-off is over, and nobody has asked since", COOL_OFF_SECONDS + 10, False, _LAUNCH),
    ):
        at = {"S": f"{round(1000 * (now - ago))} other/drill"}
        row = {columns.LATEST_REFUSED: at, columns.REFUSED_BEFORE: at}
        known = variables_before(table_of(json.loads(deployed["definition"])))
        if tight:
            known[variables.RUN]["finishBy"] = round(1000 * (now + 60))
        mock = {"result": json.dumps({"Item": row})}
        answer = _put(stage, deployed, _LOOK, known, mock)
        following = answer.get("nextState", "nothing")
        if following == JobState.CHOOSE_CAPACITY:
            answer = _put(stage, deployed, following, {**known, **_assigned(answer)})
            following = answer.get("nextState", "nothing")
        yield Observation(f"where {what}: {following}", following == wanted)


def every_row(stage: Stage) -> Observations:
    """Put the whole cause table to the deployed workflow; each row must be recognised."""
    deployed = _deployed(stage)
    for cause in attempts():
        marks = sample(cause)
        mock = {"result": json.dumps({"Item": record(marks)})}
        found = _assigned(_asked(stage, deployed, _READ, marks, mock)).get(variables.CAUSE, {})
        yield Observation(
            f"what {cause.name} looks like is taken for {found.get('name', 'nothing')}; "
            f"answer: {found.get('answer', 'none')}",
            found.get("name") == cause.name,
        )


def _deployed(stage: Stage) -> Mapping[str, Any]:
    machine: Mapping[str, Any] = stage.sfn.describe_state_machine(
        stateMachineArn=stage.outputs["StateMachine"]
    )
    return machine


def _asked(
    stage: Stage,
    deployed: Mapping[str, Any],
    state: str,
    marks: Mapping[str, Any],
    mock: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Ask what a deployed state does where a call is answered so, after such an attempt."""
    table = table_of(json.loads(deployed["definition"]))
    return _put(stage, deployed, state, variables_after(marks, table), mock)


def _put(
    stage: Stage,
    deployed: Mapping[str, Any],
    state: str,
    known: Mapping[str, Any],
    mock: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Ask what a deployed state does with these variables; only a Task's call is answered."""
    answer: Mapping[str, Any] = stage.sfn.test_state(
        definition=deployed["definition"],
        roleArn=deployed["roleArn"],
        stateName=state,
        input="{}",
        inspectionLevel="DEBUG",
        variables=json.dumps(known),
        context=json.dumps(CONTEXT),
        **({"mock": mock} if mock else {}),
    )
    return answer


def _assigned(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    assigned: Mapping[str, Any] = json.loads(
        answer.get("inspectionData", {}).get("variables") or "{}"
    )
    return assigned


def table_of(definition: Mapping[str, Any]) -> list[Any]:
    """Return the cause table that a definition carries; pure."""
    claim = definition.get("States", {}).get(_CLAIM, {})
    table: list[Any] = claim.get("Assign", {}).get(variables.CAUSES, [])
    return table


CONTEXT: dict[str, Any] = {
    "Execution": {"Id": "arn:aws:states:::execution:drill:drill", "Name": "drill", "Input": {}},
    "State": {"Name": "drill", "EnteredTime": "2026-01-01T00:00:00.000Z"},
}


def sample(cause: Cause) -> dict[str, Any]:
    """Return what an attempt leaves behind that this row, and none before it, recognises; pure."""
    marks: dict[str, Any] = {"started": not cause.never_started}
    if cause.says:
        marks["stopped reason"] = " ".join([*cause.says[:1], *cause.also_says[:1]])
    elif cause.facts:
        kind, _, what = cause.facts[0].partition(": ")
        marks[kind] = _INSTANCES.get(cause.facts[0], what)
    return marks


_INSTANCES: Mapping[str, Any] = {"error: ECS.*": "ECS.SomethingElse", "exit code: *": 3}
"""Of facts that hold for many."""


def record(marks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the worker's item after an attempt with these marks, in DynamoDB's notation; pure."""
    item: dict[str, Any] = {
        columns.EXECUTION: {"S": CONTEXT["Execution"]["Id"]},
        columns.STATUS: {"S": marks.get("record", Status.RUNNING)},
    }
    fence = {"N": str(FENCE_PER_CLAIM + 1)}
    if marks.get("started", True):
        item[columns.FENCE] = fence
    if "worker reason" in marks:
        item[columns.STOP_REPORT] = {
            "M": {
                columns.FENCE: fence,
                "reason": {"S": marks["worker reason"]},
                "exit_code": {"N": "1"},
                "lost_seconds": {"N": "0"},
            }
        }
    return item


def variables_before(causes: list[Any]) -> dict[str, Any]:
    """Return the variables of a workflow that has launched nothing yet; pure."""
    return {**variables_after({}, causes), variables.LAST: {"attempt": 0}}


def variables_after(marks: Mapping[str, Any], causes: list[Any]) -> dict[str, Any]:
    """Return the variables of a workflow whose first attempt ended with these marks; pure."""
    last = {
        "attempt": 1,
        "capacity": Capacity.SPOT,
        "zone": "",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:01:00Z",
        "seconds": 60,
        "error": marks.get("error", "States.TaskFailed"),
        "stop_code": marks.get("stop code", ""),
        "stopped_reason": marks.get("stopped reason", ""),
        "started": marks.get("started", True),
        "exit_code": int(marks.get("exit code", -1)),
        "units_done": 0,
        "gained": False,
        "lost_seconds": 0,
        "task": "",
    }
    budgets = {"interruptions": 5, "throttles": 8, "infrastructure": 3, "failures": 0}
    return {
        variables.JOB: {
            **{"name": "drill", "table": "drill", "cluster": "drill", "taskDefinition": "drill"},
            "architecture": "X86_64",
            **{"network": {}, "rerun": "always", "maximumWaitMinutes": 60, "stopTimeout": 120},
            **{"startUpSeconds": 60, "marginSeconds": 15, "cpu": 256, "memoryGb": 0.5},
            **{"spotDiscount": 0.7, "vcpuHourPrice": 0.04, "gbHourPrice": 0.004},
        },
        variables.CAUSES: causes,
        variables.RUN: {
            "key": "drill",
            messages.SCHEDULED_TIME: "",
            variables.CLAIMS: 1,
            variables.EARLIER_ATTEMPTS: 0,
            "finishBy": 0,
            "deadlineUnreachable": False,
            "learned": False,
            "expected": 60,
            "limit": 3600,
            "reserve": 60,
            "leavesTimeForOnDemand": False,
            "capacity": CapacityMode.SPOT_FIRST,
            "command": [],
            "budgets": budgets,
        },
        variables.SHARDS: {"of": 1},
        variables.SPOT_REFUSED: {"since": 9e15, "waits": 0},
        variables.STATES_ENTERED: 3,
        variables.ATTEMPTS: [],
        variables.LAST: last,
        variables.WORK: {
            "status": Status.RUNNING,
            "workerReason": "",
            "done": 0,
            "total": 0,
            "fraction": 0,
        },
        variables.CAUSE: {"name": "", "class": "", "answer": "", "budget": "", "staysOnSpot": True},
    }
