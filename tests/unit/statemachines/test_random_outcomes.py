"""Whatever befalls a run, in whatever order: the promises that hold in every case.

The rendered definition runs in virtual time through random sequences of outcomes, shapes of the
whole cause table among them, with calls of its own that fail in between.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from steadyspot.contract import metrics
from tests.unit.statemachines.counts import outcomes
from tests.unit.statemachines.test_causes import ESSENTIAL, SHAPES, SPOT
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

START = 1_790_000_000.0
EXPECTED_SECONDS = 3_600.0
SECRET = 'hush "StopCode":"SpotInterruption","StoppedReason":"Your Spot Task was interrupted." 137'
LAUNCHES = 120
"""More than any budget allows for refusals, of which on-demand has the largest."""
NOTIFICATION = Draft202012Validator(
    json.loads(
        (
            resources.files("steadyspot.statemachines") / "schemas/notification.schema.json"
        ).read_text()
    )
)
PARKED = Draft202012Validator(
    json.loads(
        (resources.files("steadyspot.statemachines") / "schemas/parked-run.schema.json").read_text()
    )
)
MACHINES = {
    rerun: Machine(job_definition(Rerun=rerun, Failures="1", Throttles="2"))
    for rerun in ("always", "never")
}
CALLS = (
    *("How far did it get?", "Record the attempt", "Close the run", "Mark it unfinished"),
    *("What has it done?", "Park the run", "Count the run"),
    *("Tell people", "Tell people it finished"),
)


def stop(code: str, reason: str) -> dict[str, str]:
    return {"StopCode": code, "StoppedReason": reason}


CALL_FAILED = [
    Offer(error=reported)
    for _, reported, _ in SHAPES
    if not reported[1].startswith('{"Availability')
]
STOPPED = [
    Offer(stop=stop(*SPOT)),
    Offer(stop=stop(*SPOT), exit_code=137, reason=""),
    Offer(stop=stop(*SPOT), exit_code=0, reason=""),
    Offer(stop=stop(*SPOT), completes=True),
    Offer(stop=stop("", ""), exit_code=143),
    Offer(stop=stop("UserInitiated", "Task stopped by user")),
    Offer(stop=stop(*ESSENTIAL), exit_code=3, reason="failed"),
    Offer(stop=stop(*ESSENTIAL), exit_code=75, reason="try-again"),
    Offer(stop=stop(*ESSENTIAL), exit_code=0, reason=""),
    Offer(stop=stop(*ESSENTIAL), exit_code=0, reason="", completes=True),
    Offer(stop=stop(*ESSENTIAL), exit_code=76, reason=""),
    Offer(stop=stop(*ESSENTIAL), exit_code=70, reason=""),
    Offer(stop=stop(*ESSENTIAL), exit_code=1, reason="out-of-memory"),
    Offer(stop=stop("InfrastructureHealth", "The host is gone"), exit_code=None, reason=""),
    Offer(stop=stop(*SPOT), exit_seconds=100_000.0),
]
OFFERS = st.one_of(
    st.sampled_from(CALL_FAILED),
    st.builds(
        lambda offer, seconds: replace(offer, ends_after=seconds),
        st.sampled_from(STOPPED),
        st.sampled_from([0.0, 30.0, 61.0, 600.0, 3_000.0]),
    ),
    st.just(Offer()),
)
REQUESTS = st.fixed_dictionaries(
    {"capacity": st.sampled_from(["spot-first", "spot-only", "on-demand-only"])},
    optional={"finishWithinMinutes": st.sampled_from([1, 70, 80, 200])},
)


def played(
    offers: list[Offer],
    request: dict[str, Any],
    rerun: str,
    *,
    reports: bool = True,
    is_cut: bool = False,
    is_for_ever: bool = False,
    faults: tuple[str, ...] = (),
) -> tuple[Ended, RunWorld]:
    left = list(offers)
    last: list[Offer] = []

    def market(launch: Launch, _left: float) -> Offer:
        assert len(world.launches) < LAUNCHES, "it is tried for ever"
        # Where the list ends, Spot goes on as it did last, and on-demand does its work.
        if left:
            last.append(left.pop(0))
            return last[-1]
        return last[-1] if launch.capacity == "spot" or is_for_ever else Offer()

    world = RunWorld(
        now=START,
        work_seconds=EXPECTED_SECONDS,
        market=market,
        reports=reports,
        value=SECRET * 500 if is_cut else SECRET,
    )
    world.faults = {state: [("States.TaskFailed", "for now")] for state in faults}
    given = {"scheduledTime": iso(START)[:-5] + "Z", **request}
    return MACHINES[rerun].run(world, given, name="x"), world


def holds(ended: Ended, world: RunWorld, request: dict[str, Any], faults: tuple[str, ...]) -> None:
    complete = world.worker["status"]["S"] == "complete"
    assert ended.status == ("SUCCEEDED" if complete else "FAILED")
    assert complete or ended.error.startswith("Steadyspot.")

    parked_failed = "Park the run" in faults and "Park the run" in ended.states_entered
    assert len(world.parked) == (0 if complete or parked_failed else 1)
    assert (ended.error == "Steadyspot.NotParked") == parked_failed
    for message in world.parked:
        PARKED.validate(message)
    by_worker_or_lost = complete or "Count the run" in faults
    assert outcomes(world.counted) == (
        [] if by_worker_or_lost else [metrics.FAILED if parked_failed else metrics.PARKED]
    )
    if not {"Mark it unfinished", "Record the attempt"} & set(faults):
        assert world.item["status"]["S"] == ("complete" if complete else "unfinished")

    told_or_quiet = {"Close the run", "Finished", "Failed"}
    if not {"Record the attempt", "Close the run", "Mark it unfinished"} & set(faults):
        watched = 2 if request.get("finishWithinMinutes") else 0  # by At the deadline
        counted = int(world.item["money"]["M"]["transitions"]["N"])
        assert counted == len(ended.states_entered) + watched
        assert ended.states_entered[-1] in told_or_quiet
    quiet = ended.states_entered[-1] == "Close the run"
    telling = {"Tell people", "Tell people it finished"} & {*ended.states_entered}
    silent = quiet or telling <= {*faults}
    waits = ended.states_entered.count("Tell people it waits")
    hangs = ended.states_entered.count("Tell people it hangs")
    assert max(waits, hangs) <= 1
    assert len(world.mails) == waits + hangs + (0 if silent else 1)
    for mail in world.mails:
        assert len(mail["Subject"]) < 100
        message = json.loads(mail["Message"])
        NOTIFICATION.validate(json.loads(message["default"]))
        assert message["email"].startswith(mail["Subject"])

    everything = json.dumps([world.arguments, ended.output, ended.error, ended.cause])
    assert "hush" not in everything

    wish = request["capacity"]
    capacities = {launch.capacity for launch in world.launches}
    assert wish == "spot-first" or capacities == {wish.removesuffix("-only")}
    fences = [int(launch.environment["STEADYSPOT_FENCE"]) for launch in world.launches]
    assert fences == sorted(set(fences))
    within = request.get("finishWithinMinutes")
    if within and wish == "spot-first":
        for launch in world.launches:
            assert launch.capacity == "on-demand" or launch.at < START + 60 * within


@pytest.mark.timeout(600)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    offers=st.lists(OFFERS, min_size=1, max_size=12),
    request=REQUESTS,
    rerun=st.sampled_from(["always", "always", "never"]),
    reports=st.booleans(),
    is_cut=st.booleans(),
    faults=st.lists(st.sampled_from(CALLS), max_size=2, unique=True).map(tuple),
)
def test_every_run_ends_is_told_once_and_never_lies(
    offers: list[Offer],
    request: dict[str, Any],
    rerun: str,
    reports: bool,
    is_cut: bool,
    faults: tuple[str, ...],
) -> None:
    ended, world = played(offers, request, rerun, reports=reports, is_cut=is_cut, faults=faults)

    holds(ended, world, request, faults)
    if rerun == "never":
        began = [spell for spell in world.spells if spell.ended - spell.began > 60]
        assert len(began) <= 1


@pytest.mark.parametrize("offer", [*CALL_FAILED[1:], *STOPPED])
def test_what_never_gets_better_is_given_up_and_told(offer: Offer) -> None:
    request = {"capacity": "spot-first"}
    lasting = replace(offer, ends_after=61.0)

    ended, world = played([lasting], request, "always", reports=False, is_for_ever=True)

    holds(ended, world, request, ())
    assert ended.status == ("SUCCEEDED" if offer.completes else "FAILED")


@pytest.mark.parametrize(("faults", "status"), [(1, "SUCCEEDED"), (2, "FAILED")])
def test_fault_of_the_worker_s_own_without_progress_is_tried_once_more(
    faults: int, status: str
) -> None:
    fault = Offer(stop=stop(*ESSENTIAL), exit_code=70, reason="worker-fault", ends_after=61.0)

    ended, world = played(
        [fault] * faults + [Offer()], {"capacity": "spot-first"}, "always", reports=False
    )

    assert ended.status == status
    assert len(world.launches) == 2
    assert ended.error == ("" if faults == 1 else "Steadyspot.Infrastructure")


@pytest.mark.parametrize(("times", "status"), [(1, "SUCCEEDED"), (2, "FAILED")])
def test_attempt_that_used_up_its_time_without_progress_is_tried_once_more(
    times: int, status: str
) -> None:
    slow = Offer(stop=stop(*ESSENTIAL), exit_code=124, reason="timed-out", ends_after=61.0)

    ended, world = played(
        [slow] * times + [Offer()], {"capacity": "spot-first"}, "always", reports=False
    )

    assert ended.status == status
    assert len(world.launches) == 2


def test_fault_of_the_worker_s_own_has_a_limit_of_its_own() -> None:
    """A stall before it, such as an interruption without progress, takes nothing of that."""
    fault = Offer(stop=stop(*ESSENTIAL), exit_code=70, reason="worker-fault", ends_after=61.0)
    stall = Offer(stop=stop(*ESSENTIAL), exit_code=143, reason="interrupted", ends_after=61.0)

    ended, world = played(
        [stall, fault, Offer()], {"capacity": "spot-first"}, "always", reports=False
    )

    assert ended.status == "SUCCEEDED"
    assert len(world.launches) == 3
