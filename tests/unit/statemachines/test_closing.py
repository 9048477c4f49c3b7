"""The end of a run that had trouble: it is closed in one call, then read, then told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, TaskFailed, iso
from tests.virtual.world import Launch, Offer, RunWorld

MACHINE = Machine(job_definition(Interruptions="1"))
TOLD = Machine(job_definition(TellEveryRun="true"))
RECLAIMED = Offer(ends_after=600.0)
UNSAID = Offer(ends_after=60.0)
"""Ends as soon as it has started; in a night that seems well."""
CLOSED = ["Close the run", "What has it done?", "Tell people it finished", "Finished"]
BROKEN = ("States.QueryEvaluationError", "")


class Night(RunWorld):
    """A world that knows what the record said when people were told, and how many units are done.

    The last of the offers is made again and again. ``seems_well``: every task seems to end well,
    whatever its record says.
    """

    def __init__(self, *offers: Offer, seems_well: bool = False) -> None:
        left = list(offers)

        def market(*_: Any) -> Offer:
            return left.pop(0) if len(left) > 1 else left[0]

        super().__init__(now=START, work_seconds=3_600.0, market=market)
        self.status_when_told: list[str] = []
        self._seems_well = seems_well

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        if state.startswith("Tell people"):
            self.status_when_told.append(self.item["status"]["S"])
        try:
            return super().call(resource, arguments, timeout_seconds, state)
        except TaskFailed as failed:
            if self._seems_well and failed.error == "States.TaskFailed":
                return json.loads(failed.cause)
            raise

    def _note(self, launch: Launch, reason: str) -> None:
        super()._note(launch, reason)
        done = str(round(8 * self.done_seconds / self.work_seconds))
        self.worker["progress"]["M"] |= {"units_done": {"N": done}, "units_total": {"N": "8"}}


def run(
    world: Night, machine: Machine = MACHINE, faults: dict[str, Any] | None = None, **request: Any
) -> Ended:
    world.faults = {state: list(errors) for state, errors in (faults or {}).items()}
    given = {"scheduledTime": iso(START)[:-5] + "Z", **request}
    return machine.run(world, given, name="night")


def notification(world: Night) -> dict[str, Any]:
    (mail,) = world.mails
    found: dict[str, Any] = json.loads(json.loads(mail["Message"])["default"])
    return found


def test_a_run_that_had_trouble_is_closed_before_people_are_told_what_it_has_done() -> None:
    world = Night(RECLAIMED, Offer())
    ended = run(world)

    assert ended.states_entered[-4:] == CLOSED
    assert world.status_when_told == ["complete"]
    told = notification(world)
    assert (told["outcome"], told["cause"]) == ("finished", "reclaimed")
    assert [(each["cause"], each["unitsDone"]) for each in told["attempts"]] == [
        ("reclaimed", 1),
        ("finished", 8),
    ]
    assert told["transitions"] == len(ended.states_entered)
    assert int(world.item["money"]["M"]["transitions"]["N"]) == len(ended.states_entered)
    (count,) = (float(value["N"]) for name, value in world.totals.items() if name[:4] == "day_")
    assert count == 1


@pytest.mark.parametrize(
    ("machine", "offers", "request_"),
    [
        (TOLD, [Offer()], {}),
        (MACHINE, [Offer()], {"finishWithinMinutes": 1}),
        (MACHINE, [RECLAIMED, Offer()], {"capacity": "on-demand-only"}),
    ],
    ids=["each run is told", "late", "on-demand"],
)
def test_whatever_is_to_be_told_is_closed_at_once(
    machine: Machine, offers: list[Offer], request_: dict[str, Any]
) -> None:
    world = Night(*offers)
    assert run(world, machine, **request_).states_entered[-4:] == CLOSED
    assert notification(world)["late"] == ("finishWithinMinutes" in request_)


def test_a_quiet_run_ends_where_it_is_closed() -> None:
    world = Night(Offer())
    assert run(world).states_entered[-1] == "Close the run"
    assert world.mails == []


def test_what_the_worker_warned_of_is_read_before_people_are_told() -> None:
    world = Night(RECLAIMED, Offer())

    def watch(state: str, _variables: Any) -> None:
        if state == "Run on Fargate Spot":
            world.worker["warnings"] = {"L": [{"S": "It could not be saved."}]}

    ended = MACHINE.run(world, {}, name="night", watch=watch)
    assert "Tell people it finished" not in ended.states_entered
    assert "warned of something" in notification(world)["sentence"]


def test_a_run_whose_record_does_not_say_complete_is_never_told_as_finished() -> None:
    world = Night(UNSAID, seems_well=True)
    ended = run(world, capacity="spot-only")

    assert ended.states_entered.count("Close the run") > 1
    assert ended.status == "FAILED"
    assert notification(world)["outcome"] == "failed"


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_call_that_was_never_made_is_taken_for_no_closed_run(is_complete: bool) -> None:
    """Whatever an expression of that call may fail of, the record is what counts."""
    world = Night(Offer() if is_complete else UNSAID, seems_well=True)
    ended = run(world, capacity="spot-only", faults={"Close the run": [BROKEN]})

    at = ended.states_entered.index("What has it done?")
    assert ended.states_entered[at + 1] == "How far did it get?"
    assert ended.status == ("SUCCEEDED" if is_complete else "FAILED")
    assert world.item["status"]["S"] == ("complete" if is_complete else "unfinished")


@pytest.mark.parametrize("changed", ["status", "execution", "the worker's status"])
def test_what_both_items_do_not_say_alike_is_told_by_nobody(changed: str) -> None:
    """A call that was never made, on items that another execution, or none, has brought so far."""
    world = Night(RECLAIMED, Offer())

    def watch(state: str, _variables: Any) -> None:
        if state != "What has it done?":
            return
        if changed == "execution":
            for item in (world.item, world.worker):
                item["execution"] = {"S": "another"}
        else:
            (world.item if changed == "status" else world.worker)["status"] = {"S": "running"}

    ended = MACHINE.run(world, {}, name="night", watch=watch)
    at = ended.states_entered.index("What has it done?")
    assert ended.states_entered[at + 1] == "How far did it get?"
    assert "Tell people it finished" not in ended.states_entered[: at + 2]
    assert (ended.states_entered[-1] == "Duplicate") == (changed == "execution")


@pytest.mark.parametrize("is_told", [False, True])
def test_a_shard_is_closed_without_a_word_whatever_befell_it(is_told: bool) -> None:
    world = Night(RECLAIMED, Offer())
    shard = {"number": 0, "of": 2, "begun": round(1000 * START)}
    ended = run(world, TOLD if is_told else MACHINE, shard=shard)
    assert ended.states_entered[-1] == "Close the run"
    assert world.mails == []
    assert int(world.item["money"]["M"]["transitions"]["N"]) == len(ended.states_entered)


def test_people_are_told_where_nobody_can_read_what_a_closed_run_has_done() -> None:
    world = Night(RECLAIMED, Offer())
    ended = run(world, faults={"What has it done?": [("States.Timeout", "")]})

    assert ended.states_entered[-4:] == CLOSED
    assert notification(world)["outcome"] == "finished"
    assert world.item["status"]["S"] == "complete"


def test_a_mail_that_cannot_be_sent_fails_no_run() -> None:
    world = Night(RECLAIMED, Offer())
    ended = run(world, faults={"Tell people it finished": [("SNS.NotFoundException", "")]})
    assert (ended.status, ended.states_entered[-1]) == ("SUCCEEDED", "Finished")
