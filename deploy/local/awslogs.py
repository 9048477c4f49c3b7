"""The `awslogs` log driver: what a container prints goes line by line into its log stream.

Written straight into moto's log groups of this process, in order and at once; reading them is
anyone's business, through the API. Metrics that stand in a line go to CloudWatch, as on AWS.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.logs.models import LogsBackend, logs_backends

from steadyspot.deploy.local.embedded_metrics import metrics_in

_LOG = logging.getLogger(__name__)
_WRITING = threading.Lock()


class NoLogGroup(Exception):
    """The log driver cannot be set up; the text goes behind `ResourceInitializationError`."""


class LogWriter:
    """Writes the lines of one container. Made by `log_writer`."""

    def __init__(
        self, backend: LogsBackend, metrics: CloudWatchBackend, group: str, stream: str
    ) -> None:
        self._backend = backend
        self._metrics = metrics
        self._group = group
        self._stream = stream

    def write(self, line: str) -> None:
        """Append one line; an empty one is no log event. A group that was deleted swallows it."""
        try:
            if line:
                self._append(line)
        except Exception:  # a line is lost, but whoever reads them has to read the next
            _LOG.exception("%s did not take a line", self._stream)

    def _append(self, line: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": line}
        with _WRITING:
            if self._group not in self._backend.groups:
                return
            self._backend.put_log_events(self._group, self._stream, [event])
        for measured in metrics_in(line):
            self._metrics.put_metric_data(
                measured.namespace,
                [
                    {
                        "MetricName": measured.name,
                        "Unit": measured.unit,
                        "Timestamp": measured.at.replace(tzinfo=None),  # as moto compares
                        "Values": list(measured.values),
                        "Dimensions": [
                            {"Name": name, "Value": text}
                            for name, text in measured.dimensions.items()
                        ],
                    }
                ],
            )


def log_writer(
    configuration: Mapping[str, Any] | None,
    *,
    container: str,
    task_id: str,
    account_id: str,
    region: str,
) -> LogWriter | None:
    """The writer for a container's `logConfiguration`; None without one.

    The stream is called `prefix/container/task`, as on Fargate.

    Raises
    ------
    NoLogGroup
        The log group does not exist and `awslogs-create-group` does not ask for it.
    """
    if not configuration or configuration.get("logDriver") != "awslogs":
        return None
    options = configuration.get("options") or {}
    group = options.get("awslogs-group", "")
    stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container}/{task_id}"
    place = options.get("awslogs-region") or region
    backend = logs_backends[account_id][place]
    with _WRITING:
        if group not in backend.groups:
            if options.get("awslogs-create-group") != "true":
                raise NoLogGroup(
                    "failed to initialize logging driver: failed to create Cloudwatch log stream: "
                    "ResourceNotFoundException: The specified log group does not exist."
                )
            backend.create_log_group(group, {})
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
    return LogWriter(backend, cloudwatch_backends[account_id][place], group, stream)
