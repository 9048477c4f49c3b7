"""The log of an execution: its history in the log group that the state machine names, line by line.

moto has a class for it that no execution gets, and that fails on its own timestamps. What is logged
follows the level as AWS documents it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.api import LogLevel
from moto.stepfunctions.parser.asl.eval.event.logging import is_logging_enabled_for

from steadyspot.deploy.local.awslogs import LogWriter, NoLogGroup, log_writer
from steadyspot.deploy.local.shapes import compact_json, epoch_milliseconds


class ExecutionLog:
    """Takes an execution's history. moto's event manager calls it; made by `execution_log`."""

    def __init__(
        self, writer: LogWriter, execution_arn: str, level: str, *, include_data: bool
    ) -> None:
        self.execution_arn = execution_arn
        self.configuration = SimpleNamespace(include_execution_data=include_data)
        self._writer = writer
        self._level = level

    def log_level_filter(self, history_event_type: Any) -> bool:
        """Whether the level lets this type of event through."""
        return bool(is_logging_enabled_for(LogLevel(self._level), history_event_type))

    def publish_history_log(self, history_log: Mapping[str, Any]) -> None:
        """Write one event, as AWS does: ids and time are text, the time in milliseconds."""
        moment = datetime.fromisoformat(history_log["event_timestamp"].replace("Z", "+00:00"))
        self._writer.write(
            compact_json(
                {
                    "id": history_log["id"],
                    "type": history_log["type"].value,
                    "details": history_log.get("details") or {},
                    "redrive_count": "0",
                    "previous_event_id": history_log["previous_event_id"],
                    "event_timestamp": str(epoch_milliseconds(moment)),
                    "execution_arn": self.execution_arn,
                }
            )
        )


def execution_log(
    logging: Mapping[str, Any] | None, execution_arn: str, started_at: datetime
) -> ExecutionLog | None:
    """The log for a machine's `loggingConfiguration`; None where it is off or leads nowhere."""
    settings = logging or {}
    destinations = settings.get("destinations") or []
    level = str(settings.get("level") or "OFF")
    if level == "OFF" or not destinations:
        return None
    _, _, _, region, account_id, _, group, *_ = destinations[0]["cloudWatchLogsLogGroup"][
        "logGroupArn"
    ].split(":")
    _, _, machine, name = execution_arn.rsplit(":", 3)
    options = {
        "awslogs-group": group,
        "awslogs-region": region,
        "awslogs-stream-prefix": f"states/{machine}",
    }
    try:
        writer = log_writer(
            {"logDriver": "awslogs", "options": options},
            container=started_at.strftime("%Y-%m-%d-%H-%M"),
            task_id=name[:8],
            account_id=account_id,
            region=region,
        )
    except NoLogGroup:
        return None
    if writer is None:
        return None
    include = settings.get("includeExecutionData") in (True, "true")
    return ExecutionLog(writer, execution_arn, level, include_data=include)
