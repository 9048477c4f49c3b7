"""The Spot market of the local target: plans, series and the control endpoint, from outside."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from steadyspot.deploy.local.market import Market, Refusal
from tests.local.bench import LISTENS, PYTHON, Bench, until


def outcome(bench: Bench, definition: str, **more: Any) -> str:
    """What a launch met: `launched`, `failures`, or the code of the error. Nothing is retried."""
    client = bench.aws.session().client("ecs", config=Config(retries={"total_max_attempts": 1}))
    if "launchType" not in more:
        more["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    try:
        answer = client.run_task(
            cluster=bench.cluster,
            taskDefinition=definition,
            networkConfiguration=bench.network(),
            **more,
        )
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "launched" if answer["tasks"] else "failures"


def control(bench: Bench, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    bearer = {"Authorization": f"Bearer {bench.aws.address.token}"}
    asked = urllib.request.Request(f"{bench.aws.endpoint_url}/_steadyspot/{path}", data, bearer)
    with urllib.request.urlopen(asked) as answer:
        return json.loads(answer.read())


def test_refusals_are_used_up_in_the_order_they_were_planned(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container("exit 0"))
    market.refuse(bench.name, times=2, how=Refusal.FAILURES)
    market.refuse("*", times=1, how="exception")
    market.refuse("another-family", times=1, how="server-error")
    seen = [outcome(bench, definition) for _ in range(4)]
    assert seen == ["failures", "failures", "ClientException", "launched"]
    entries = [entry for entry in market.log() if entry.family == bench.name]
    assert [(entry.what, entry.how) for entry in entries] == [
        ("refused", "failures"),
        ("refused", "failures"),
        ("refused", "exception"),
        ("granted", ""),
    ]
    assert {entry.capacity for entry in entries} == {"FARGATE_SPOT"}


def test_on_demand_is_refused_only_where_that_is_planned(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container("exit 0"))
    market.refuse(bench.name, times=1, how="failures")
    assert outcome(bench, definition, launchType="FARGATE") == "launched"
    market.refuse(bench.name, times=1, how="throttled", capacity="FARGATE")
    assert outcome(bench, definition, launchType="FARGATE") == "ThrottlingException"
    assert outcome(bench, definition) == "failures"


def test_a_task_can_be_taken_back_a_while_after_it_runs(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    market.reclaim_after(bench.name, 0.5)
    first = bench.stopped(bench.run(definition))
    assert first["stopCode"] == "SpotInterruption"
    assert (first["stoppingAt"] - first["startedAt"]).total_seconds() >= 0.5
    entries = [entry for entry in market.log() if entry.family == bench.name]
    assert [entry.what for entry in entries] == ["granted", "reclaimed"]
    assert entries[1].task_arn == first["taskArn"]
    second = bench.run(definition)
    bench.printed(second, "ready")
    assert bench.task(second)["desiredStatus"] == "RUNNING"
    bench.ecs.stop_task(cluster=bench.cluster, task=second)


def test_a_recorded_series_rules_spot(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    market.follow([1, 0], 3.0, how="failures")
    task = bench.stopped(bench.run(definition))
    assert task["stoppedReason"] == "Your Spot Task was interrupted."
    assert outcome(bench, definition) == "failures"
    assert outcome(bench, definition, launchType="FARGATE") == "launched"
    market.follow([0, 1], 0.5)
    until(lambda: outcome(bench, definition) == "launched")
    for arn in bench.ecs.list_tasks(cluster=bench.cluster)["taskArns"]:
        bench.ecs.stop_task(cluster=bench.cluster, task=arn)


def test_the_command_line_reaches_the_market_over_http(bench: Bench) -> None:
    assert control(bench, "health") == {"status": "ok"}
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    control(bench, "market", {"family": bench.name, "refuse": {"times": 1, "how": "failures"}})
    assert outcome(bench, definition) == "failures"
    arn = bench.run(definition)
    bench.printed(arn, "ready")
    assert control(bench, "reclaim", {"task": arn}) == {"reclaimed": True}
    assert bench.stopped(arn)["stopCode"] == "SpotInterruption"
    entries = [entry for entry in control(bench, "market") if entry["family"] == bench.name]
    assert [entry["what"] for entry in entries] == ["refused", "granted", "reclaimed"]
    assert entries[-1]["task_arn"] == arn


def test_the_command_line_can_name_an_image_over_http(bench: Bench) -> None:
    control(
        bench,
        "images",
        {
            "name": f"{bench.name}:1",
            "entrypoint": ["/bin/sh", "-c"],
            "environment": {"OF_IMAGE": "yes"},
        },
    )
    container = bench.container("echo $OF_IMAGE", image=f"{bench.name}:1")
    arn = bench.run(bench.define(container))
    bench.stopped(arn)
    assert bench.lines(arn) == ["yes"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("market", {"refuse": {"how": "politely"}}, 400),
        ("market", {}, 400),
        ("reclaim", {"task": "0" * 32}, 400),
        ("nothing", {}, 404),
        ("nothing", None, 404),
    ],
)
def test_a_request_that_makes_no_sense_says_why(
    bench: Bench, path: str, body: dict[str, Any] | None, status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        control(bench, path, body)
    assert raised.value.code == status
    assert json.loads(raised.value.read())["message"]
    raised.value.close()
