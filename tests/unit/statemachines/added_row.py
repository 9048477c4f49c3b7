"""Runs in a copy of the project whose cause table has new rows, and shows what follows of them.

Each row that is called ``made-up-CLASS-ANSWER`` is sought in the definition, the reference's table,
the drill and in a whole run in virtual time. Prints JSON: what was found of each.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from steadyspot.deploy.drills.rehearsal import every_row
from steadyspot.statemachines.cause_table import cause_table
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.causes.row import Cause
from tests.unit.deploy.test_rehearsal import answered
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine
from tests.virtual.world import Offer, RunWorld

DEFINITION = job_definition(Failures="1")
MACHINE = Machine(DEFINITION)
START = 1_790_000_000.0


def drilled() -> dict[str, bool]:
    shown = {"definition": json.dumps(DEFINITION), "roleArn": "r"}
    sfn = SimpleNamespace(describe_state_machine=lambda **_: shown, test_state=answered)
    stage: Any = SimpleNamespace(sfn=sfn, outputs={"StateMachine": "m"}, switches=None)
    return {finding.text.split()[1]: finding.good for finding in every_row(stage)}


def ran(row: Cause) -> dict[str, Any]:
    """A run whose first attempt ends so, with progress behind it; the next ones do their work."""
    stop = {"StopCode": "", "StoppedReason": row.says[0]}
    offers = [Offer(ends_after=600.0, stop=stop, exit_code=9, reason="")]
    world = RunWorld(
        now=START,
        work_seconds=3_600.0,
        market=lambda *_: offers.pop(0) if offers else Offer(),
    )
    ended = MACHINE.run(world, {}, name="x")
    record = json.dumps(world.item["attempts"])
    at = ended.states_entered.index("Note the weather")
    after = (each for each in ended.states_entered[at + 1 :] if each != "Why did it stop?")
    return {
        "after": next(after),
        "status": ended.status,
        "error": ended.error,
        "parked": [message["cause"] for message in world.parked],
        "recorded": row.name in record,
        "told": row.sentence in json.dumps(world.mails) or ended.status == "SUCCEEDED",
    }


def main() -> None:
    good = drilled()
    table = cause_table()
    carried = {row["name"] for row in DEFINITION["States"]["Claim the run"]["Assign"]["causes"]}
    found = {
        row.name: {
            "definition": row.name in carried,
            "reference": f"| {row.name} | {row.cause_class} | {row.answer} |" in table,
            "drill": good[row.name],
            **ran(row),
        }
        for row in attempts()
        if row.name.startswith("made-up")
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
