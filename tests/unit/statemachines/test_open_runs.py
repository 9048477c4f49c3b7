"""What a look at all jobs finds: open runs in an index, finished ones in monthly totals."""

from __future__ import annotations

from steadyspot.contract import columns
from tests.unit.statemachines.claims import KEY, START, TIME, own, worker, world
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

JOB = Machine(job_definition())
ASKED = {"scheduledTime": TIME}
FAILED = Offer(
    ends_after=100.0,
    reason="",
    stop={"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"},
    exit_code=3,
)


def world_of(*offers: Offer) -> RunWorld:
    left = list(offers)

    def market(_launch: Launch, _left: float) -> Offer:
        return left.pop(0) if left else Offer()

    return RunWorld(now=START, work_seconds=700.0, market=market)


def totals_of(of: RunWorld) -> dict[str, float]:
    return {name: float(value["N"]) for name, value in of.totals.items() if "N" in value}


def test_a_run_under_way_is_open_from_its_claim_to_its_end() -> None:
    seen: list[dict[str, dict[str, str]]] = []

    def market(_launch: Launch, _left: float) -> Offer:
        seen.append(dict(of.item))
        return Offer()

    of = RunWorld(now=START, work_seconds=700.0, market=market)
    JOB.run(of, ASKED, name="me")
    (while_it_ran,) = seen
    assert while_it_ran[columns.IS_OPEN] == {"S": columns.OPEN}
    assert while_it_ran[columns.OPEN_AS] == {"S": f"{columns.RUNNING_SINCE}{iso(START)}"}
    assert not {columns.IS_OPEN, columns.OPEN_AS} & of.item.keys()


def test_a_quiet_run_is_added_to_its_month_in_the_call_that_closes_it() -> None:
    of = world({}, {})
    ended = JOB.run(of, ASKED, name="me")
    assert len(ended.states_entered) == 4
    day, month = TIME[8:10], TIME[:7]
    assert of.totals[columns.RUN_KEY] == {"S": f"{columns.TOTALS}{month}"}
    assert of.totals[columns.LATEST_RUN] == {"S": KEY}
    money = {name: float(value["N"]) for name, value in of.item["money"]["M"].items()}
    assert totals_of(of) == {
        f"{columns.DAY}{day}": 1,
        columns.COST: money["cost"],
        columns.COST_ON_DEMAND_ONLY: money["cost_on_demand_only"],
    }


def test_a_run_with_trouble_is_added_once_with_what_all_its_attempts_cost() -> None:
    of = world_of(Offer(ends_after=300.0), Offer(ends_after=500.0))
    ended = JOB.run(of, ASKED, name="me")
    assert ended.status == "SUCCEEDED"
    assert len(of.launches) > 1
    totals = totals_of(of)
    assert totals[f"{columns.DAY}{TIME[8:10]}"] == 1
    assert totals[columns.COST] == float(of.item["money"]["M"]["cost"]["N"])
    assert not {columns.IS_OPEN, columns.OPEN_AS} & of.item.keys()


def test_a_run_that_ended_unfinished_stays_open_and_counts_once_it_is_redriven() -> None:
    of = world_of(FAILED)
    assert JOB.run(of, ASKED, name="me").status == "FAILED"
    assert of.item[columns.IS_OPEN] == {"S": columns.OPEN}
    assert of.item[columns.OPEN_AS]["S"].startswith(columns.PARKED_SINCE)
    assert totals_of(of) == {}

    assert JOB.run(of, {**ASKED, "redrive": True}, name="again").status == "SUCCEEDED"
    assert not {columns.IS_OPEN, columns.OPEN_AS} & of.item.keys()
    assert totals_of(of)[f"{columns.DAY}{TIME[8:10]}"] == 1
    assert totals_of(of)[columns.COST] == float(of.item["money"]["M"]["cost"]["N"])


def test_a_duplicate_counts_nowhere() -> None:
    of = world(own(status="complete"), worker(status="complete"))
    JOB.run(of, ASKED, name="me")
    assert of.totals == {}
    assert columns.IS_OPEN not in of.item
