"""What AWS, registries and runtimes said of launches that never started, as people pasted it.

``reported-stops.json`` has the texts, accounts and hosts neutral, and the task that they stood in.
Each goes through the expression that reads the cause table and through the whole rendered
definition, once from Spot and once from on-demand.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.statemachines.test_causes import judged
from tests.unit.statemachines.test_stop_texts import run_through

REPORTED = json.loads(Path(__file__).with_name("reported-stops.json").read_text("utf-8"))
STOPS = {stop["id"]: stop for stop in REPORTED["stops"]}


def reported(stop: dict[str, Any]) -> tuple[str, str]:
    """Return Error and Cause as Step Functions hands them on."""
    if "text" in stop:
        return stop["error"], stop["text"]
    task = copy.deepcopy(REPORTED["task"])
    task |= {"StoppedReason": stop["stopped_reason"]} if "stopped_reason" in stop else {}
    task["Containers"][0] |= {"Reason": stop["reason"]} if "reason" in stop else {}
    cause = json.dumps(task, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "States.TaskFailed", cause


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_reported_stop_is_taken_for_what_it_is(stop: dict[str, Any]) -> None:
    cause = judged(reported(stop), "")

    assert (cause["class"], cause["answer"]) == (stop["class"], stop["answer"])
    assert stop["names"].lower() in cause["sentence"].lower()
    assert stop["advice"].lower() in cause["nextStep"].lower()


@pytest.mark.parametrize("capacity", ["spot-first", "on-demand-only"])
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_run_goes_where_the_reported_stop_sends_it(stop: dict[str, Any], capacity: str) -> None:
    ended, world = run_through(reported(stop), capacity)

    launched = [launch.capacity for launch in world.launches]
    begun = "spot" if capacity == "spot-first" else "on-demand"
    if stop["answer"] == "stop":
        assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Misconfigured")
        assert (launched, len(world.parked)) == ([begun], 1)
        (mail,) = world.mails
        told = json.loads(mail["Message"])["email"].replace("\n", " ").lower()
        assert stop["advice"].lower() in told
    else:
        stays = "capacity provider" not in stop["names"]
        assert (ended.status, len(world.parked)) == ("SUCCEEDED", 0)
        assert launched == [begun, begun if stays else "on-demand"]
