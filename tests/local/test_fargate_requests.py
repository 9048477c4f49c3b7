"""What the local Fargate answers: launches it refuses, and what it lists, counts and keeps."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.bench import LISTENS, PYTHON, Bench


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


def test_a_definition_keeps_its_stop_timeout(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0", stopTimeout=77))
    shown = bench.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert shown["containerDefinitions"][0]["stopTimeout"] == 77
