"""The mails of a bad night as reviewed: reclaim, drought, deadline passed, failure; each true then.

``python -m tests.unit.statemachines.test_bad_night`` writes the text anew, to be read before it is
committed.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.statemachines.test_at_the_deadline import LateWorld, machine
from tests.unit.statemachines.test_causes import ESSENTIAL
from tests.unit.statemachines.test_random_outcomes import stop
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

REVIEWED = Path(__file__).parent / "golden" / "bad-night.txt"
START = 1_795_485_600.0
SCHEDULED = "2026-11-24T02:00:00Z"
RECLAIM = Offer(
    ends_after=900.0,
    stop=stop("SpotInterruption", "Your Spot Task was interrupted."),
    exit_code=143,
)
FAILS = Offer(ends_after=3_000.0, stop=stop(*ESSENTIAL), exit_code=3, reason="failed")


def told() -> str:
    """All mails of the night, each with when it came."""
    met = {"spot": [RECLAIM], "on-demand": [Offer(error=REFUSED), FAILS]}

    def market(launch: Launch, _left: float) -> Offer:
        left = met[launch.capacity]
        return left.pop(0) if left else Offer(error=REFUSED)

    world = RunWorld(now=START, work_seconds=7_200.0, market=market)
    world.printed = ["part 4 begun", "Traceback (most recent call last):", "OSError: no such table"]
    mails: list[tuple[float, str, str]] = []

    def watch(_state: str, _variables: object) -> None:
        for mail in world.mails[len(mails) :]:
            mails.append((world.now, mail["Subject"], json.loads(mail["Message"])["email"]))

    request = {"scheduledTime": SCHEDULED, "finishWithinMinutes": 75, "expectedMinutes": 40}
    job = Machine(job_definition(Job="night", ExpectedMinutes="40", BackoffSeconds="60"))
    ended = job.run(world, request, name="x", watch=watch)
    assert ended.status == "FAILED"
    watch("", None)

    late = LateWorld()
    late.now = START
    event = {
        "executionArn": late.item["execution"]["S"],
        "name": "x",
        "startDate": round(START * 1000),
        "input": json.dumps(request),
    }
    assert machine(75).run(late, event, name="y").status == "SUCCEEDED"
    (mail,) = late.mails
    mails.append((late.told_at, mail["Subject"], json.loads(mail["Message"])["email"]))
    return (
        "\n\n".join(
            f"=== {iso(at)[11:16]} UTC  {subject}\n\n{text}" for at, subject, text in sorted(mails)
        )
        + "\n"
    )


def test_the_mails_of_a_bad_night_are_as_reviewed() -> None:
    assert told() == REVIEWED.read_text("utf-8")


if __name__ == "__main__":
    REVIEWED.write_text(told(), "utf-8")
