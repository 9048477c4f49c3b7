"""What the local target offers beside AWS on the same port: its switches, metadata of tasks.

`/_steadyspot/…` is for the command line in another process, `/_steadyspot/metadata/…` for the
containers (`ECS_CONTAINER_METADATA_URI_V4`). All else on the port is moto's. Who may ask is decided
before, in `guard.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steadyspot.deploy.aws.local_address import METADATA, PREFIX
from steadyspot.deploy.local.fargate import Fargate
from steadyspot.deploy.local.images import Images
from steadyspot.deploy.local.market import SPOT, Market
from steadyspot.deploy.local.shapes import ContainerRecord, TaskRecord, iso_milliseconds

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BadRequest(Exception):
    """A request to the control endpoint that makes no sense; the text says why."""


class Control:
    """A WSGI application in front of `inner`. `outbox` gives the mails so far, as JSON."""

    def __init__(
        self,
        inner: Wsgi,
        *,
        fargate: Fargate,
        market: Market,
        images: Images,
        outbox: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self._inner = inner
        self._fargate = fargate
        self._market = market
        self._images = images
        self._outbox = outbox
        self._answers: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "health"): lambda _body: {"status": "ok"},
            ("GET", "runtime"): lambda _body: {"runtime": self._fargate.runtime},
            ("GET", "outbox"): lambda _body: self._outbox(),
            ("GET", "market"): lambda _body: self._market_log(),
            ("POST", "market"): self._refuse,
            ("POST", "reclaim"): self._reclaim,
            ("POST", "images"): self._register,
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._inner(environ, start_response)
        status, answer = self._answer(path, environ)
        body = json.dumps(answer).encode()
        start_response(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _answer(self, path: str, environ: dict[str, Any]) -> tuple[str, Any]:
        method = environ["REQUEST_METHOD"]
        try:
            if path.startswith(METADATA):
                return _found(self._metadata(path.removeprefix(METADATA)))
            answer = self._answers.get((method, path.removeprefix(PREFIX).rstrip("/")))
            if answer is None:
                return _found(None)
            return "200 OK", answer(_body(environ))
        except (BadRequest, KeyError, TypeError, ValueError) as error:
            return "400 Bad Request", {"message": str(error)}

    def _refuse(self, body: dict[str, Any]) -> Any:
        plan = body["refuse"]
        self._market.refuse(
            body.get("family", "*"),
            times=int(plan.get("times", 1)),
            how=plan["how"],
            capacity=plan.get("capacity", SPOT),
        )
        return {"planned": True}

    def _reclaim(self, body: dict[str, Any]) -> Any:
        if not self._market.reclaim(str(body["task"])):
            raise BadRequest(f"Task {body['task']} is not running on Spot.")
        return {"reclaimed": True}

    def _register(self, body: dict[str, Any]) -> Any:
        self._images.register(
            str(body["name"]),
            entrypoint=body.get("entrypoint"),
            workdir=body.get("workdir"),
            environment=body.get("environment"),
        )
        return {"registered": True}

    def _market_log(self) -> Any:
        return [{**vars(entry), "at": iso_milliseconds(entry.at)} for entry in self._market.log()]

    def _metadata(self, path: str) -> Any:
        runtime_id, _, rest = path.partition("/")
        task = self._fargate.find(runtime_id.rpartition("-")[0])
        if task is None:
            return None
        record = task.record
        if rest.rstrip("/") == "task":
            return task_metadata(record)
        for container in record.containers:
            if container.runtime_id == runtime_id and not rest:
                return container_metadata(record, container)
        return None


def task_metadata(task: TaskRecord) -> dict[str, Any]:
    """The answer to `${ECS_CONTAINER_METADATA_URI_V4}/task`."""
    shown = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": task.family,
        "Revision": str(task.revision),
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.status,
        "Limits": {"CPU": int(task.cpu) / 1024, "Memory": int(task.memory)},
        "PullStartedAt": task.pull_started_at and iso_milliseconds(task.pull_started_at),
        "PullStoppedAt": task.pull_stopped_at and iso_milliseconds(task.pull_stopped_at),
        "AvailabilityZone": task.zone,
        "LaunchType": "FARGATE",
        "Containers": [container_metadata(task, container) for container in task.containers],
    }
    return {key: value for key, value in shown.items() if value is not None}


def container_metadata(task: TaskRecord, container: ContainerRecord) -> dict[str, Any]:
    """The answer to `${ECS_CONTAINER_METADATA_URI_V4}`."""
    return {
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": "",
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": task.family,
            "com.amazonaws.ecs.task-definition-version": str(task.revision),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.status,
        "Limits": {"CPU": int(container.cpu)},
        "CreatedAt": iso_milliseconds(task.created_at),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.private_ip]}],
    }


def _found(answer: Any) -> tuple[str, Any]:
    if answer is None:
        return "404 Not Found", {"message": "There is nothing here."}
    return "200 OK", answer


def _body(environ: Mapping[str, Any]) -> dict[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if not length:
        return {}
    body = json.loads(environ["wsgi.input"].read(length))
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body
