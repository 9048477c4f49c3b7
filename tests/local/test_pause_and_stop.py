"""A schedule that rests and goes on, and a run that somebody ends, by verbs on the embedded AWS."""

from __future__ import annotations

import functools
import json
import re

from tests.local.runs import DEADLINE_SECONDS, eventually, parts
from tests.local.shop import Shop


def schedule_state(shop: Shop) -> str:
    scheduler = shop.target.client("scheduler")
    return str(scheduler.get_schedule(Name="night", GroupName="cli")["State"])


def missed_alarm_tells(shop: Shop) -> bool:
    alarms = shop.target.client("cloudwatch").describe_alarms(AlarmNames=["cli-night-missed"])
    return bool(alarms["MetricAlarms"][0]["ActionsEnabled"])


def test_a_schedule_rests_until_it_is_resumed_whatever_is_deployed(shop: Shop) -> None:
    deployed = shop.target.stacks.template("cli-night")
    assert shop.json("pause") == {"job": "night", "paused": True, "changed": True}
    assert shop.target.stacks.template("cli-night") == deployed
    assert schedule_state(shop) == "DISABLED"
    assert not shop.json("pause")["changed"]
    assert "Nothing to change" in shop.verb("up", "--yes")
    shop.write("schedule =", 'missed = 26\ntimezone = "Europe/Berlin"\nschedule =')
    try:
        shown = shop.json("diff")
        assert shown["paused"] == ["night"]
        assert "Paused" not in shown["stacks"][1]["parameters"]
        shop.verb("up", "--yes")
        assert (schedule_state(shop), missed_alarm_tells(shop)) == ("DISABLED", False)

        assert "no longer rests" in shop.verb("resume")
        assert (schedule_state(shop), missed_alarm_tells(shop)) == ("ENABLED", True)
        assert shop.json("resume") == {"job": "night", "paused": False, "changed": False}
    finally:
        shop.write()
        shop.verb("up", "--yes")


def test_a_run_under_way_is_ended_marked_and_parked(shop: Shop) -> None:
    held = {"command": parts(shop.folder / "held", at=3)}
    started = shop.json("run", "--no-follow", "--input", json.dumps(held))["execution"]
    key = started.rsplit(":", 1)[-1]
    table = shop.target.runs
    eventually(lambda: (run := table.get("night", key)) is not None and run.units_done > 0)

    assert "Nobody is there to agree" in shop.verb("stop", "night", key, code=1)
    ended = shop.json("stop", "night", key, "--yes", "--reason", "the input was wrong")

    assert ended == {
        "job": "night",
        "run_key": key,
        "execution": started,
        "status": "unfinished",
    }
    describe = shop.target.client("stepfunctions").describe_execution
    shown = describe(executionArn=started)
    assert shown["status"] == "ABORTED"
    assert re.fullmatch("arn:aws:.*: the input was wrong", shown["cause"])
    assert "not under way" in shop.verb("stop", "night", key, "--yes", code=1)
    # The attempt that ended with it is in the record, and so in explain, runs and cost.
    (attempt,) = shop.json("explain", "night", key)["run"]["attempts"]
    assert (attempt["attempt"], attempt["cause"]) == (1, "execution-ended")
    assert attempt["seconds"] > 0
    assert attempt["zone"]
    assert attempt["task"]
    mail = shop.aws.outbox.wait_for(lambda mail: key in mail.body, DEADLINE_SECONDS)
    assert "Attempt 1 ended with it, on " in mail.body
    (taken_up,) = [one for one in shop.json("redrive") if one["run_key"] == key]
    done = functools.partial(describe, executionArn=taken_up["execution"])
    eventually(lambda: done()["status"] == "SUCCEEDED")
    run = table.get("night", key)
    assert run is not None
    assert run.complete
    assert [attempt.attempt for attempt in run.attempts] == [1, 2]
