"""The life of a platform through the command line: up, diff, run, explain, pay, redrive, down.

In this process, with the verbs' own code on the embedded AWS; what needs a process of its own is
in test_runs_command_line and test_cli_drills.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import json
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from steadyspot.deploy.cli.verbs import check, up
from steadyspot.deploy.cli.verbs.diff import DIFFERS
from tests.local.counting import counted
from tests.local.forks import Forked
from tests.local.runs import DEADLINE_SECONDS, NEVER_MEANWHILE, eventually
from tests.local.shop import Shop


def test_up_with_nothing_to_change_takes_at_most_ten_calls_and_says_so(shop: Shop) -> None:
    calls, said = counted(shop.target, up.command)
    assert "Nothing to change: AWS is as the configuration says." in said
    assert 0 < calls.total() <= 10, calls
    assert "CreateChangeSet" not in calls


def test_diff_is_empty_after_up_and_names_what_a_change_would_do(shop: Shop) -> None:
    assert shop.verb("diff", "--exit-code").count("nothing to change") == 2
    shop.write("expected_minutes = 1", "expected_minutes = 2\nstop_timeout = 60")
    try:
        (platform, night) = shop.json("diff", "--exit-code", code=DIFFERS)["stacks"]
        assert platform["changes"] == []
        assert night["parameters"] == {"ExpectedMinutes": ["1", "2"], "StopTimeout": ["120", "60"]}
        replaced = [one["resource"] for one in night["changes"] if one["replaces"]]
        assert replaced == ["TaskDefinition"]
        assert "ExpectedMinutes: 1 -> 2" in shop.verb("diff")
    finally:
        shop.write()
    assert shop.json("diff")["stacks"][1]["changes"] == []


def test_check_finds_nothing_bad_and_changes_nothing(shop: Shop) -> None:
    calls, _ = counted(shop.target, check.command)
    findings = shop.json("check")
    assert [f for f in findings if f["level"] == "BAD"] == []
    assert {"zones", "capacity", "mail", "night: image"} <= {f["about"] for f in findings}
    assert [
        name
        for name in calls
        if not name.startswith(("Describe", "List", "Get", "Query", "BatchGet"))
    ] == []


def test_a_run_is_followed_listed_explained_and_paid(shop: Shop) -> None:
    other = {"command": ["sh", "-c", "for i in 1 2 3 4 5; do echo of another run; sleep 1; done"]}
    shop.verb("run", "--no-follow", "--input", json.dumps(other))
    said = shop.verb("run", "--logs")
    assert "part 8 done" in said
    assert "of another run" not in said
    assert "the execution succeeded" in said
    key = said.partition("night: execution ")[2].split()[0]
    assert {run["run_key"]: run["status"] for run in shop.json("runs")}[key] == "complete"
    story = shop.json("explain", "night", key)
    assert story["outcome"].startswith("The run is complete")
    assert story["next_step"] == "Nothing to do."
    assert story["money"]["saving"] > 0.6
    assert "part 8 done" in shop.verb("logs", "night", key)
    assert "nothing of that" in shop.verb("logs", "night", key, "--attempt", "2")
    printed = shop.verb("logs", "night", key, "--json", "-f", "--tail", "3").splitlines()
    assert [set(json.loads(line)) for line in printed] == [{"at", "attempt", "task", "text"}] * 3
    assert "the execution succeeded" in shop.verb("watch", "night", key)
    made = shop.json("outputs", "night", key)
    assert "completion.json" in {output["name"] for output in made["outputs"]}
    shop.verb("outputs", "night", key, "--to", str(shop.folder / "fetched"))
    assert (shop.folder / "fetched" / "completion.json").is_file()
    bill = shop.json("cost")["bills"][0]
    assert bill["complete"] >= 1
    assert shop.verb("cost", "--csv").startswith("job,when,runs,complete,attempts")
    assert "on on-demand only the same work would have cost" in shop.verb("cost")


def interrupted(process: Forked, when: str) -> str:
    """Press Ctrl-C once a command has said so; what it says then."""
    assert process.stdout
    for line in process.stdout:
        if when in line:
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130, said
    return str(said)


def test_after_ctrl_c_in_run_the_run_goes_on_and_watch_shows_it(
    shop: Shop, begin: Callable[..., Forked]
) -> None:
    said = interrupted(begin("run"), "is accepted")
    assert "Stopped by Ctrl-C; the run goes on." in said
    key = said.split("steadyspot watch --local night ")[1].split()[0].rstrip(".")
    assert "the execution succeeded" in shop.verb("watch", "night", key)


def test_status_is_watched_until_ctrl_c_on_a_terminal_and_in_a_pipe(
    begin: Callable[..., Forked],
) -> None:
    piped = begin("status", "--watch")
    assert piped.stdout
    seen = list(itertools.takewhile(lambda line: "7 days of UTC" not in line, piped.stdout))
    piped.send_signal(signal.SIGINT)
    said, _ = piped.communicate(timeout=DEADLINE_SECONDS)
    assert piped.returncode == 130, said
    assert not said.strip()
    assert re.search(r"^night +", "".join(seen), re.MULTILINE)
    assert "\x1b" not in "".join(seen) + said

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    watched = begin("status", "--watch", terminal=its)
    os.close(its)
    shown = b""
    while b"7 days of UTC" not in shown:
        shown += os.read(ours, 65_536)
    watched.send_signal(signal.SIGINT)
    assert watched.wait(DEADLINE_SECONDS) == 130
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert max(map(len, text.splitlines())) <= 80
    assert b"\x1b[H" in shown


def test_an_input_that_never_claimed_a_run_is_explained_all_the_same(shop: Shop) -> None:
    target = shop.target
    sfn = target.client("stepfunctions")
    machine = target.job(target.config.job())["StateMachine"]
    execution = sfn.start_execution(
        stateMachineArn=machine, input='{"finishWithinMinutes": "soon"}', name="nonsense"
    )["executionArn"]
    eventually(lambda: sfn.describe_execution(executionArn=execution)["status"] == "FAILED")
    story = shop.json("explain", "night", "nonsense")
    assert "finishWithinMinutes" in story["outcome"]
    assert story["next_step"]
    queue = target.job(target.config.job())["Queue"]
    sqs = target.client("sqs")
    # Its end is parked by another machine, a while after it.
    eventually(lambda: shop.json("redrive", "--dry-run"))
    shop.json("redrive", code=1)
    sqs.purge_queue(QueueUrl=queue)
    undelivered_end(shop, sqs, queue, execution)
    (delivered,) = shop.json("redrive")
    assert delivered["execution"].rpartition(":")[0].endswith("AfterTheEnd")
    after = functools.partial(sfn.describe_execution, executionArn=delivered["execution"])
    eventually(lambda: after()["status"] == "SUCCEEDED")
    assert "Nothing waits" in shop.verb("redrive")


def test_one_run_is_redriven_and_another_forgotten(shop: Shop) -> None:
    request = {"command": ["sh", "-c", "exit 3"]}
    keys = []
    for day in ("01", "02"):
        at = {"scheduledTime": f"2026-02-{day}T02:00:00Z", **request}
        failed = shop.json("run", "--input", json.dumps(at), code=1)
        keys.append(failed["run"]["run_key"])
    one, other = keys
    assert {run["run_key"]: run["status"] for run in shop.json("runs")}[one] == "unfinished"
    (planned,) = shop.json("redrive", "night", one, "--dry-run")
    assert planned["run_key"] == one
    said = shop.verb("explain", "night", one)
    assert f"steadyspot redrive --config {shop.path} --local night {one}" in " ".join(said.split())
    assert shop.json("forget", "night", one, "--yes") == {
        "job": "night", "run_key": one, "forgotten": 1
    }  # fmt: skip
    assert "does not wait in the queue" in shop.verb("redrive", "night", one, code=1)
    (redriven,) = shop.json("redrive", "night", other)
    sfn = shop.target.client("stepfunctions")
    ended = functools.partial(sfn.describe_execution, executionArn=redriven["execution"])
    eventually(lambda: ended()["status"] != "RUNNING")
    listed = [run["run_key"] for run in shop.json("runs")]
    assert listed.count(other) == 1  # and no line for the execution that it was redriven from
    shop.verb("forget", "night", other, "--yes")


def test_a_planted_message_starts_nothing_of_its_own(shop: Shop) -> None:
    target = shop.target
    sqs, outputs = target.client("sqs"), target.job(target.config.job())
    planted = {"runKey": "invented", "request": {"command": ["touch", str(shop.folder / "evil")]}}
    sqs.send_message(QueueUrl=outputs["Queue"], MessageBody=json.dumps(planted))
    sfn = target.client("stepfunctions")

    def executions() -> set[str]:
        shown = sfn.list_executions(stateMachineArn=outputs["StateMachine"])["executions"]
        return {one["executionArn"] for one in shown}

    before = executions()
    for words in (("redrive", "--dry-run"), ("redrive",)):
        (found,) = shop.json(*words, code=0 if "--dry-run" in words else 1)
        assert "Nothing but a message in the queue knows of run invented" in found["note"]
    assert executions() == before
    (message,) = sqs.receive_message(QueueUrl=outputs["Queue"])["Messages"]
    sqs.delete_message(QueueUrl=outputs["Queue"], ReceiptHandle=message["ReceiptHandle"])


def undelivered_end(shop: Shop, sqs: Any, queue: str, execution: str) -> None:
    """Put into the queue what a rule leaves there that could not start *After the end*."""
    detail = {"executionArn": execution, "name": "nonsense", "status": "FAILED", "input": "{}"}
    attributes = {
        "RULE_ARN": "arn:aws:events:::rule/broken-end",
        "TARGET_ARN": shop.target.job(shop.target.config.job())["AfterTheEnd"],
        "ERROR_CODE": "ThrottlingException",
    }
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=json.dumps({"id": "event-of-nonsense", "detail": detail}),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def test_a_run_that_nobody_knows_is_a_sentence(shop: Shop) -> None:
    said = shop.verb("explain", "night", "never", code=1)
    assert "There is no run or execution never of night" in said


@pytest.fixture
def daily(shop: Shop) -> Iterator[Shop]:
    """Whose configuration says that the job is due each day, though what is deployed never is."""
    shop.write(NEVER_MEANWHILE, "cron(0 2 * * ? *)")
    yield shop
    shop.write()


def test_a_window_is_worked_off_once(daily: Shop) -> None:
    shop = daily
    window = ("redrive", "--from", "2026-01-01", "--to", "2026-01-03T00:00:00Z")
    planned = shop.json(*window, "--dry-run")
    assert [one["run_key"] for one in planned] == ["20260101T020000Z", "20260102T020000Z"]
    started = shop.json(*window)
    sfn = shop.target.client("stepfunctions")

    def done(execution: str) -> bool:
        shown = sfn.describe_execution(executionArn=execution)
        return str(shown["status"]) == "SUCCEEDED"

    for one in started:
        eventually(functools.partial(done, one["execution"]))
        ended = sfn.describe_execution(executionArn=one["execution"])
        told = json.loads(ended["output"])
        assert (told["outcome"], told["runKey"]) == ("finished", one["run_key"])
        assert told["outputs"].endswith(f"/outputs/night/{one['run_key']}/")
    again = shop.verb("run", "--input", '{"scheduledTime": "2026-01-01T02:00:00Z"}')
    assert "Run 20260101T020000Z was complete already: nothing was run." in again
    assert [one["note"] for one in shop.json(*window)] == ["is complete already"] * 2


def test_after_ctrl_c_in_a_window_what_was_started_goes_on_and_it_says_how_to_follow(
    daily: Shop, begin: Callable[..., Forked]
) -> None:
    window = ("--from", "2026-02-01", "--to", "2026-02-08", "--at-once", "1")
    said = interrupted(begin("redrive", *window), "is started")
    assert "Stopped by Ctrl-C; what it has started goes on." in said
    key = said.split("steadyspot watch --local night ")[1].split()[0].rstrip(".")
    assert key.startswith("202602")
    assert "the execution succeeded" in daily.verb("watch", "night", key)
