"""What the deployed workflow would do, asked of Step Functions without running anything: TestState.

AWS cannot be made to refuse Spot capacity, but TestState runs one state with a mocked answer. So
a refusal, and every row of the cause table, is put to the states as they are deployed. The
embedded AWS has no TestState.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from steadyspot.contract import Status
from steadyspot.deploy.drills.stage import Finding, Findings, Stage
from steadyspot.deploy.trouble import Trouble
from steadyspot.statemachines.causes import CAUSES, Cause

REFUSED = (
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
_JUDGE, _LAUNCH = "Why did it stop?", "Run on Fargate Spot"


def no_capacity(stage: Stage) -> Iterator[Finding]:
    """Let Spot be refused, on paper; the deployed workflow must back off."""
    deployed = stage.sfn.describe_state_machine(stateMachineArn=stage.outputs["StateMachine"])
    answer = stage.sfn.test_state(
        definition=deployed["definition"],
        roleArn=deployed["roleArn"],
        stateName=_LAUNCH,
        input="{}",
        variables=json.dumps(variables({})),
        context=json.dumps(_CONTEXT),
        mock={"errorOutput": {"error": "AmazonECS.Unknown", "cause": REFUSED}},
    )
    caught = answer["status"] == "CAUGHT_ERROR" and answer.get("nextState") == _JUDGE
    yield Finding(f"a refusal of Spot is caught and goes to '{answer.get('nextState')}'", caught)
    yield from verify(stage, [cause for cause in CAUSES if cause.name == "no-capacity"])


def every_row(stage: Stage) -> Findings:
    """Put the whole cause table to the deployed workflow.

    Raises
    ------
    Trouble
        On the embedded AWS, which has no TestState.
    """
    if stage.switches is not None:
        raise Trouble(
            "The embedded AWS cannot be asked what a state would do.",
            "Verify on AWS; here, interrupt, no-capacity and the others run for real.",
        )
    yield from verify(stage, list(CAUSES))


def verify(stage: Stage, causes: list[Cause]) -> Iterator[Finding]:
    """Put rows of the cause table to the deployed *Why did it stop?*; each must be recognised."""
    deployed = stage.sfn.describe_state_machine(stateMachineArn=stage.outputs["StateMachine"])
    for cause in causes:
        answer = stage.sfn.test_state(
            definition=deployed["definition"],
            roleArn=deployed["roleArn"],
            stateName=_JUDGE,
            input="{}",
            inspectionLevel="DEBUG",
            variables=json.dumps(variables(sample(cause))),
            context=json.dumps(_CONTEXT),
        )
        assigned = json.loads(answer.get("inspectionData", {}).get("variables") or "{}")
        found = assigned.get("cause", {}).get("name", "nothing")
        yield Finding(
            f"what {cause.name} looks like is taken for {found}; next: {answer.get('nextState')}",
            found == cause.name,
        )


_CONTEXT = {"Execution": {"Id": "arn:aws:states:::execution:drill:drill", "Name": "drill"}}


def sample(cause: Cause) -> dict[str, Any]:
    """Return what an attempt leaves behind that this row, and none before it, recognises; pure."""
    said = " ".join([*cause.says[:1], *cause.also_says[:1]])
    marks: dict[str, Any] = {}
    if cause.complete:
        marks["status"] = Status.COMPLETE
    elif cause.says:
        marks["said"] = said
    elif cause.errors:
        marks["error"] = cause.errors[0]
    elif cause.stop_codes:
        marks["stop_code"] = cause.stop_codes[0]
    elif cause.words:
        marks["word"] = cause.words[0]
    elif cause.any_ecs_error:
        marks["error"] = "ECS.SomethingElse"
    elif cause.exit_codes:
        marks["exit_code"] = cause.exit_codes[0]
    elif cause.any_exit_code:
        marks["exit_code"] = 3
    if cause.never_started:
        marks["started"] = False
    return marks


def variables(marks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a workflow whose first attempt ended with these marks; pure."""
    last = {
        "attempt": 1,
        "capacity": "spot",
        "zone": "",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:01:00Z",
        "seconds": 60,
        "error": marks.get("error", "States.TaskFailed"),
        "stop_code": marks.get("stop_code", ""),
        "said": marks.get("said", ""),
        "started": marks.get("started", True),
        "exit_code": marks.get("exit_code", -1),
        "units_done": 0,
        "gained": False,
        "lost_seconds": 0,
        "task": "",
    }
    work = {
        "status": marks.get("status", Status.RUNNING),
        "word": marks.get("word", ""),
        "done": 0,
        "total": 0,
        "fraction": 0,
    }
    return {
        "run": {
            "key": "drill",
            "scheduledTime": "",
            "claims": 1,
            "before": 0,
            "finishBy": 0,
            "hopeless": False,
            "learned": False,
            "expected": 60,
            "limit": 3600,
            "reserve": 60,
            "capacity": "spot-first",
            "command": [],
            "budgets": {"interruptions": 5, "throttles": 8, "infrastructure": 3, "failures": 0},
        },
        "drought": {"since": 9e15, "waits": 0},
        "entered": 3,
        "attempts": [],
        "last": last,
        "work": work,
        "cause": {"name": "", "class": ""},
    }
