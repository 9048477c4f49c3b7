"""The ECS API over our Fargate: RunTask, DescribeTasks, ListTasks and StopTask instead of moto's.

The rest of the API (clusters, task definitions, tags) stays moto's.
"""

from __future__ import annotations

from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException
from moto.ecs.responses import EC2ContainerServiceResponse

from steadyspot.deploy.local.fargate import Fargate

_RUN_TASK_FIELDS = (
    "capacityProviderStrategy",
    "cluster",
    "count",
    "enableExecuteCommand",
    "group",
    "launchType",
    "networkConfiguration",
    "overrides",
    "platformVersion",
    "startedBy",
    "tags",
    "taskDefinition",
)


class FargateResponse(EC2ContainerServiceResponse):
    """Answers for ECS. moto makes one per request, so Fargate hangs on the class."""

    fargate: ClassVar[Fargate]

    def register_task_definition(self) -> ActionResult:
        if "FARGATE" in (self._get_param("requiresCompatibilities") or []):
            self.fargate.check_stop_timeouts(self._get_param("containerDefinitions") or [])
        return super().register_task_definition()

    def describe_clusters(self) -> ActionResult:
        for cluster in self.ecs_backend.clusters.values():
            running, pending = self.fargate.counts(cluster.arn)
            cluster.running_tasks_count, cluster.pending_tasks_count = running, pending
        return super().describe_clusters()

    def delete_cluster(self) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(self._get_param("cluster"))
        if any(self.fargate.counts(cluster.arn)):
            raise ECSException(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        return super().delete_cluster()

    def run_task(self) -> ActionResult:
        request = {name: self._get_param(name) for name in _RUN_TASK_FIELDS}
        tasks, failures = self.fargate.run_task(request)
        return ActionResult({"tasks": tasks, "failures": failures})

    def describe_tasks(self) -> ActionResult:
        cluster = self._cluster()
        tasks: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for name in self._get_param("tasks") or []:
            found = self.fargate.find(name, cluster)
            if found is None:
                failures.append({"arn": self._arn(cluster, name), "reason": "MISSING"})
            else:
                tasks.append(found.describe())
        return ActionResult({"tasks": tasks, "failures": failures})

    def list_tasks(self) -> ActionResult:
        cluster = self._cluster().rpartition("/")[2]
        wanted = {
            "desiredStatus": self._get_param("desiredStatus") or "RUNNING",
            "startedBy": self._get_param("startedBy"),
            "launchType": self._get_param("launchType"),
        }
        family = self._get_param("family")
        arns = [
            task.record.arn
            for task in self.fargate.tasks()
            if task.record.cluster_arn.rpartition("/")[2] == cluster
            and family in (None, task.record.family)
            and _matches(task.describe(), wanted)
        ]
        return ActionResult({"taskArns": arns})

    def stop_task(self) -> ActionResult:
        stopped = self.fargate.stop_task(
            self._get_param("task"), cluster=self._cluster(), reason=self._get_param("reason")
        )
        return ActionResult({"task": stopped})

    def _cluster(self) -> str:
        """The cluster of the request. Raises ClusterNotFoundException where there is none."""
        name = str(self._get_param("cluster") or "default")
        self.ecs_backend._get_cluster(name)
        return name

    def _arn(self, cluster: str, name: str) -> str:
        if name.startswith("arn:"):
            return name
        place = f"{self.region}:{self.current_account}"
        return f"arn:aws:ecs:{place}:task/{cluster.rpartition('/')[2]}/{name}"


def _matches(task: dict[str, Any], wanted: dict[str, str | None]) -> bool:
    return all(value is None or task.get(key) == value for key, value in wanted.items())
