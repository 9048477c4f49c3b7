"""Tasks on the local Fargate: real process trees that live, stop and die as on AWS."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local.market import Market
from tests.local.bench import PYTHON, Bench, is_alive, until

LISTENS = """
import signal, sys, time
def leave(*_):
    print('told to stop', flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
print('ready', flush=True)
while True: time.sleep(60)
"""

DEAF = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: print('told to stop', flush=True))
away = subprocess.Popen(['setsid', 'sleep', '600'])
print('away', away.pid, flush=True)
print('me', os.getpid(), flush=True)
print('ready', flush=True)
while True: time.sleep(60)
"""


def number_after(word: str, lines: list[str]) -> int:
    return int(next(line.split()[1] for line in lines if line.startswith(f"{word} ")))


def test_a_container_sees_only_what_definition_override_and_image_say(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "x")
    bench.aws.images.register(
        "with-environment:1", entrypoint=["/bin/sh", "-c"], environment={"FROM_IMAGE": "i"}
    )
    definition = bench.define(
        bench.container(
            "env | sort",
            image="with-environment:1",
            environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        )
    )
    override = {"name": "worker", "environment": [{"name": "B", "value": "2"}]}
    arn = bench.run(definition, overrides={"containerOverrides": [override]})
    bench.stopped(arn)
    seen = dict(line.split("=", 1) for line in bench.lines(arn))
    given = {name: seen.pop(name) for name in ("A", "B", "FROM_IMAGE")}
    assert given == {"A": "1", "B": "2", "FROM_IMAGE": "i"}
    assert sorted(seen) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "ECS_CONTAINER_METADATA_URI_V4",
        "HOME",
        "PATH",
        "PWD",
        "TMPDIR",
    ]


def test_a_container_has_a_folder_of_its_own_which_goes_with_it(bench: Bench) -> None:
    definition = bench.define(bench.container("pwd; echo x > left; touch $TMPDIR/too; echo $HOME"))
    arn = bench.run(definition)
    bench.stopped(arn)
    folder, home = bench.lines(arn)
    assert folder == home
    assert not Path(folder).exists()


def test_an_override_replaces_the_command(bench: Bench) -> None:
    arn = bench.run(
        bench.define(bench.container("echo one")),
        overrides={"containerOverrides": [{"name": "worker", "command": ["echo two; exit 9"]}]},
    )
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 9
    assert bench.lines(arn) == ["two"]


def test_an_image_says_where_a_container_works(bench: Bench, tmp_path: Path) -> None:
    bench.aws.images.register("at-work:1", entrypoint=["/bin/pwd"], workdir=str(tmp_path))
    container = bench.container("", image="at-work:1")
    del container["command"]
    arn = bench.run(bench.define(container))
    bench.stopped(arn)
    assert bench.lines(arn) == [str(tmp_path)]


def test_what_is_printed_lands_in_order_under_the_names_of_awslogs(bench: Bench) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; printf 'no end'"
    arn = bench.run(bench.define(bench.container(script)))
    bench.stopped(arn)
    expected = [line for i in range(1, 10) for line in (f"out {i}", f"err {i}")]
    assert bench.lines(arn) == [*expected, "no end"]
    streams = bench.logs.describe_log_streams(logGroupName=bench.log_group)["logStreams"]
    assert [one["logStreamName"] for one in streams] == [f"test/worker/{arn.rpartition('/')[2]}"]


def test_a_finished_task_reads_as_on_aws(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container("exit 3")), startedBy="me", group="g:1")
    task = bench.stopped(arn)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3
    assert task["containers"][0]["lastStatus"] == "STOPPED"
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert task["launchType"] == "FARGATE"
    assert task["desiredStatus"] == "STOPPED"
    assert task["availabilityZone"] in bench.zones
    assert (task["startedBy"], task["group"]) == ("me", "g:1")
    moments = [
        task[name]
        for name in (
            "createdAt",
            "connectivityAt",
            "pullStartedAt",
            "pullStoppedAt",
            "startedAt",
            "stoppingAt",
            "executionStoppedAt",
            "stoppedAt",
        )
    ]
    assert moments == sorted(moments)


def test_tasks_take_the_subnets_in_turn(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    zones = {bench.task(bench.run(definition))["availabilityZone"] for _ in range(2)}
    assert zones == set(bench.zones)


def test_events_tell_the_life_of_a_task(bench: Bench) -> None:
    queue = bench.queue_of_events(
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"group": [f"family:{bench.name}"]},
        }
    )
    arn = bench.run(bench.define(bench.container("exit 0")))
    events = bench.received(
        queue, lambda seen: any(event["detail"]["lastStatus"] == "STOPPED" for event in seen)
    )
    events.sort(key=lambda event: event["detail"]["version"])
    statuses = [event["detail"]["lastStatus"] for event in events]
    assert list(dict.fromkeys(statuses)) == [
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    last = events[-1]
    assert (last["source"], last["resources"], last["version"]) == ("aws.ecs", [arn], "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["time"])
    detail = last["detail"]
    assert detail["taskArn"] == arn
    assert detail["containers"][0]["exitCode"] == 0
    assert detail["capacityProviderName"] == "FARGATE_SPOT"
    assert detail["attachments"][0]["type"] == "eni"
    assert detail["attachments"][0]["status"] == "DELETED"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["stoppedAt"])
    versions = [event["detail"]["version"] for event in events]
    assert len(set(versions)) == len(versions)


def test_a_reclaim_warns_first_and_stops_with_the_spot_reason(bench: Bench, market: Market) -> None:
    queue = bench.queue_of_events(
        {"source": ["aws.ecs"], "detail": {"stoppedReason": ["Your Spot Task was interrupted."]}}
    )
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    assert market.reclaim(arn)
    task = bench.stopped(arn)
    assert task["stopCode"] == "SpotInterruption"
    assert task["stoppedReason"] == "Your Spot Task was interrupted."
    assert task["containers"][0]["exitCode"] == 143
    assert bench.lines(arn) == ["ready", "told to stop"]
    events = bench.received(
        queue, lambda seen: any(event["detail"]["lastStatus"] == "STOPPED" for event in seen)
    )
    warning = min((event["detail"] for event in events), key=lambda detail: detail["version"])
    assert (warning["lastStatus"], warning["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert warning["stopCode"] == "SpotInterruption"
    assert "exitCode" not in warning["containers"][0]
    assert not market.reclaim(arn)


@pytest.mark.parametrize("code", ["SpotInterruption", "TerminationNotice", None])
def test_a_reclaim_carries_each_of_the_stop_codes_seen_on_aws(
    bench: Bench, market: Market, code: str | None
) -> None:
    market.reclaim_stop_code = code
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    market.reclaim(arn)
    task = bench.stopped(arn)
    assert task.get("stopCode") == code
    assert task["stoppedReason"] == "Your Spot Task was interrupted."


def test_a_stop_by_hand_keeps_its_reason(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    answer = bench.ecs.stop_task(cluster=bench.cluster, task=arn, reason="I had to")["task"]
    assert answer["desiredStatus"] == "STOPPED"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn, reason="once more")
    task = bench.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "I had to")
    assert task["containers"][0]["exitCode"] == 143


def test_sigterm_goes_to_the_first_process_only(bench: Bench) -> None:
    child = "trap 'echo child was told' TERM; while :; do sleep 0.05; done"
    script = f"""
import signal, subprocess, sys, time
child = subprocess.Popen(['/bin/sh', '-c', {child!r}])
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))
print('ready', flush=True)
while True: time.sleep(60)
"""
    arn = bench.run(bench.define(bench.container(script, image=PYTHON)))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)
    assert bench.lines(arn) == ["ready"]


def test_after_the_stop_timeout_everything_is_killed_wherever_it_went(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(DEAF, image=PYTHON, stopTimeout=2)))
    lines = bench.printed(arn, "ready")
    away, me = number_after("away", lines), number_after("me", lines)
    assert is_alive(away)
    assert is_alive(me)
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    task = bench.stopped(arn)
    assert task["containers"][0]["exitCode"] == 137
    assert (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds() >= 2
    assert not is_alive(away)
    assert not is_alive(me)
    assert "told to stop" in bench.lines(arn)


def test_a_frozen_first_process_is_killed_after_the_stop_timeout(bench: Bench) -> None:
    script = LISTENS.replace("print('ready'", "import os; print('me', os.getpid()); print('ready'")
    arn = bench.run(bench.define(bench.container(script, image=PYTHON, stopTimeout=2)))
    os.kill(number_after("me", bench.printed(arn, "ready")), 19)
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 137


def test_pid_1_without_a_handler_does_not_notice_sigterm(bench: Bench) -> None:
    container = bench.container("echo ready; while :; do sleep 0.05; done", stopTimeout=2)
    arn = bench.run(bench.define(container))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 137


def test_with_an_init_in_the_container_sigterm_ends_a_process_without_a_handler(
    bench: Bench,
) -> None:
    container = bench.container(
        "echo ready; exec sleep 600", linuxParameters={"initProcessEnabled": True}
    )
    arn = bench.run(bench.define(container))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 143


def test_when_the_first_process_ends_nothing_of_its_container_is_left(bench: Bench) -> None:
    script = "setsid sleep 600 & echo away $!; exit 0"
    arn = bench.run(bench.define(bench.container(script)))
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 0
    assert not is_alive(number_after("away", bench.lines(arn)))


def test_the_end_of_an_essential_container_stops_the_others(bench: Bench) -> None:
    sidecar = bench.container(LISTENS, image=PYTHON, name="sidecar", essential=False)
    waits = "echo start; while [ ! -e /tmp/{0} ]; do sleep 0.02; done; rm /tmp/{0}"
    worker = bench.container(waits.format(bench.name))
    arn = bench.run(bench.define(worker, sidecar))
    bench.printed(arn, "ready", "sidecar")
    Path(f"/tmp/{bench.name}").touch()
    task = bench.stopped(arn)
    assert {one["name"]: one["exitCode"] for one in task["containers"]} == {
        "worker": 0,
        "sidecar": 143,
    }
    assert task["stopCode"] == "EssentialContainerExited"


def test_the_end_of_a_sidecar_does_not_stop_the_task(bench: Bench) -> None:
    sidecar = bench.container("exit 137", name="sidecar", essential=False)
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON), sidecar))
    bench.printed(arn, "ready")
    until(lambda: bench.task(arn)["containers"][1].get("exitCode") == 137)
    assert bench.task(arn)["lastStatus"] == "RUNNING"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)


def test_who_depends_on_another_starts_later_and_is_stopped_first(bench: Bench) -> None:
    def says(name: str) -> str:
        return LISTENS.replace("'told to stop'", f"'told', time.monotonic(), '{name}'")

    sidecar = bench.container(says("sidecar"), image=PYTHON, name="sidecar", essential=False)
    worker = bench.container(
        says("worker"),
        image=PYTHON,
        dependsOn=[{"containerName": "sidecar", "condition": "START"}],
    )
    arn = bench.run(bench.define(worker, sidecar))
    bench.printed(arn, "ready")
    bench.printed(arn, "ready", "sidecar")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)

    def told(container: str) -> float:
        return float(bench.lines(arn, container)[-1].split()[1])

    assert told("worker") < told("sidecar")


def test_a_container_waits_for_the_success_of_another(bench: Bench) -> None:
    mark = f"/tmp/{bench.name}"
    first = bench.container(f"sleep 0.2; touch {mark}", name="first", essential=False)
    worker = bench.container(
        f"rm {mark}", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]
    )
    task = bench.stopped(bench.run(bench.define(worker, first)))
    assert [one["exitCode"] for one in task["containers"]] == [0, 0]


def test_an_unknown_image_cannot_be_pulled(bench: Bench) -> None:
    task = bench.stopped(bench.run(bench.define(bench.container("", image="no_such_image"))))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        "resolve ref docker.io/library/no_such_image:latest: pull access denied, repository does "
        "not exist or may require authorization: server message: insufficient_scope: "
        "authorization failed"
    )
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task
    assert "pullStartedAt" not in task


def test_a_sidecar_whose_image_is_missing_leaves_the_task_running(bench: Bench) -> None:
    sidecar = bench.container("", name="agent", image="no_such_image", essential=False)
    task = bench.stopped(bench.run(bench.define(bench.container("exit 0"), sidecar)))
    worker, agent = task["containers"]
    assert worker["exitCode"] == 0
    assert "exitCode" not in agent
    assert agent["reason"].startswith("CannotPullContainerError: ")
    assert task["stopCode"] == "EssentialContainerExited"


def test_a_missing_log_group_keeps_a_task_from_starting(bench: Bench) -> None:
    container = bench.container("exit 0")
    container["logConfiguration"]["options"]["awslogs-group"] = "/no/such/group"
    task = bench.stopped(bench.run(bench.define(container)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(
        "ResourceInitializationError: failed to initialize logging driver"
    )
    assert "exitCode" not in task["containers"][0]


def test_a_program_that_is_not_there_keeps_a_task_from_starting(bench: Bench) -> None:
    container = bench.container("exit 0", entryPoint=["/no/such/program"])
    task = bench.stopped(bench.run(bench.define(container)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: ")
    assert '"/no/such/program": No such file or directory' in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


def test_the_metadata_endpoint_tells_a_container_where_it_is(bench: Bench) -> None:
    script = """
import json, os, urllib.request
base = os.environ['ECS_CONTAINER_METADATA_URI_V4']
for path in ('', '/task'):
    print(urllib.request.urlopen(base + path).read().decode(), flush=True)
"""
    arn = bench.run(bench.define(bench.container(script, image=PYTHON)))
    task = bench.stopped(arn)
    container, whole = (json.loads(line) for line in bench.lines(arn))
    assert container["Name"] == "worker"
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    assert whole["TaskARN"] == arn
    assert whole["AvailabilityZone"] == task["availabilityZone"]
    assert whole["Family"] == bench.name
    assert whole["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert [one["Name"] for one in whole["Containers"]] == ["worker"]


def test_tasks_can_be_listed_by_what_is_wanted_of_them(bench: Bench) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    arn = bench.run(definition, startedBy="lister")
    bench.printed(arn, "ready")

    def listed(**filters: str) -> list[str]:
        return list(bench.ecs.list_tasks(cluster=bench.cluster, **filters)["taskArns"])

    assert listed() == [arn]
    assert listed(startedBy="lister", family=bench.name) == [arn]
    assert listed(startedBy="someone") == []
    assert listed(desiredStatus="STOPPED") == []
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)
    assert listed() == []
    assert listed(desiredStatus="STOPPED") == [arn]


def test_a_task_that_is_not_there_is_missing(bench: Bench) -> None:
    answer = bench.ecs.describe_tasks(cluster=bench.cluster, tasks=["0" * 32])
    assert [one["reason"] for one in answer["failures"]] == ["MISSING"]
    with pytest.raises(ClientError, match="The referenced task was not found"):
        bench.ecs.stop_task(cluster=bench.cluster, task="0" * 32)


def refusal(bench: Bench, definition: str, **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        bench.run(definition, **more)
    error = raised.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_an_inactive_definition_is_refused(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    bench.ecs.deregister_task_definition(taskDefinition=definition)
    assert refusal(bench, definition) == (
        "InvalidParameterException",
        "TaskDefinition is inactive",
    )


def test_a_provider_must_be_associated_with_the_cluster(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    bench.ecs.put_cluster_capacity_providers(
        cluster=bench.cluster,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[],
    )
    assert refusal(bench, definition) == (
        "InvalidParameterException",
        "The specified capacity provider strategy cannot contain a capacity provider that is not "
        "associated with the cluster. Associate the capacity provider with the cluster or specify "
        "a valid capacity provider and try again.",
    )


def test_launch_type_and_strategy_exclude_each_other(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    code, message = refusal(
        bench, definition, launchType="FARGATE", capacityProviderStrategy=strategy
    )
    assert code == "InvalidParameterException"
    assert "but not both" in message


def test_weights_that_are_all_zero_choose_nothing(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    code, _ = refusal(
        bench, definition, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}]
    )
    assert code == "InvalidParameterException"


def test_a_launch_by_type_has_no_provider(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container("exit 0")), launchType="FARGATE")
    assert "capacityProviderName" not in bench.stopped(arn)


def test_an_unknown_cluster_is_not_found(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    bench.cluster = "no-such-cluster"
    assert refusal(bench, definition) == ("ClusterNotFoundException", "Cluster not found.")


def test_an_unknown_subnet_is_told_by_its_name(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    bench.subnets = ["subnet-0000000000000dead"]
    code, message = refusal(bench, definition)
    assert code == "InvalidParameterException"
    assert message.startswith("Error retrieving subnet information for [subnet-0000000000000dead]")


def test_a_stop_timeout_above_two_minutes_is_refused(bench: Bench) -> None:
    with pytest.raises(ClientError, match="container stop timeout of less than 120 seconds"):
        bench.define(bench.container("exit 0", stopTimeout=121))
    bench.define(bench.container("exit 0", stopTimeout=120))


def test_overrides_that_are_too_long_are_refused(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    environment = [{"name": "BIG", "value": "x" * 8192}]
    overrides = {"containerOverrides": [{"name": "worker", "environment": environment}]}
    assert refusal(bench, definition, overrides=overrides) == (
        "InvalidParameterException",
        "Container Overrides length must be at most 8192",
    )


def test_a_cluster_counts_its_tasks_and_does_not_go_before_them(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    bench.in_status(arn, "RUNNING")

    def count() -> int:
        shown = bench.ecs.describe_clusters(clusters=[bench.cluster])["clusters"][0]
        return int(shown["runningTasksCount"])

    assert count() == 1
    with pytest.raises(ClientError, match="ClusterContainsTasksException"):
        bench.ecs.delete_cluster(cluster=bench.cluster)
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)
    assert count() == 0
    bench.ecs.delete_cluster(cluster=bench.cluster)


def test_on_demand_capacity_is_never_taken_back(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    arn = bench.run(definition, launchType="FARGATE")
    bench.printed(arn, "ready")
    assert not market.reclaim(arn)
    assert bench.task(arn)["desiredStatus"] == "RUNNING"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)


def test_a_definition_keeps_its_stop_timeout(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0", stopTimeout=77))
    shown = bench.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert shown["containerDefinitions"][0]["stopTimeout"] == 77
