"""A folder with a configuration, and verbs on the embedded AWS of this process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from steadyspot.deploy.aws.local_address import ADDRESS, write
from steadyspot.deploy.cli.main import main
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config_file import load
from steadyspot.deploy.target import Target, on_this_machine
from tests.local.forks import Forked, Forks
from tests.local.runs import NEVER_MEANWHILE, ROOT, eventually, parts

NIGHT = """
[platform]
name = "{name}"
mail = "oncall@example.com"
[jobs.night]
image = "steadyspot-worker:local"
command = {command}
command_override = true
schedule = "{schedule}"
expected_minutes = 1
maximum_wait_minutes = 0.02
backoff = {{ seconds = 1, cap_seconds = 2 }}
"""


class Shop:
    """A configuration beside which the embedded AWS of this process seems to have been started."""

    def __init__(self, folder: Path, aws: LocalAws) -> None:
        self.folder = folder
        self.aws = aws
        self.path = folder / "steadyspot.toml"
        self.write()
        write(folder / ADDRESS, aws.address)

    def write(self, old: str = "", new: str = "") -> None:
        command = json.dumps(parts(pause=0.3))
        text = NIGHT.format(name="cli", command=command, schedule=NEVER_MEANWHILE)
        self.path.write_text(text.replace(old, new) if old else text)

    def verb(self, *words: str, code: int = 0) -> str:
        result: Result = CliRunner().invoke(
            main, [*words, "--local", "--config", str(self.path)], catch_exceptions=False
        )
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.verb(*words, "--json", code=code))

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the job's stack."""
        return self.target.job(self.target.config.job())

    @property
    def target(self) -> Target:
        return on_this_machine(load(self.path))

    def settle(self) -> None:
        """Wait until no execution of the job runs: some go on when a verb is broken off."""
        sfn, machine = self.target.client("stepfunctions"), self.outputs["StateMachine"]

        def running() -> list[Any]:
            found = sfn.list_executions(stateMachineArn=machine, statusFilter="RUNNING")
            return list(found["executions"])

        eventually(lambda: not running())

    def begin(self, commands: Forks, *words: str, terminal: int | None = None) -> Forked:
        """Run a verb as a process of its own, as a shell would; its output is one stream.

        With a terminal's descriptor that is its terminal.
        """
        given = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return commands.start(
            "steadyspot",
            [*words, "--local"],
            {**given, "PYTHONPATH": str(ROOT)},
            self.folder,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT,
            text=True,
        )


def left(shop: Shop) -> dict[str, Any]:
    """What a drill must leave as it was."""
    target = shop.target
    queues = target.client("sqs").list_queues().get("QueueUrls", [])
    return {
        "stacks": sorted(target.stacks.of_platform()),
        "queues": sorted(
            url.rsplit("/", 1)[-1] for url in queues if "cli" in url or "drill" in url
        ),
        "records": target.client("dynamodb").scan(
            TableName=target.platform["Table"],
            FilterExpression="begins_with(job, :drill)",
            ExpressionAttributeValues={":drill": {"S": "drill-"}},
        )["Items"],
        "objects": [
            item["Key"]
            for item in target.client("s3")
            .list_objects_v2(Bucket=target.platform["Bucket"])
            .get("Contents", [])
            if item["Key"].split("/")[1].startswith("drill-")
        ],
        "subscriptions": len(
            target.client("sns").list_subscriptions_by_topic(TopicArn=target.platform["Topic"])[
                "Subscriptions"
            ]
        ),
        "schedules": sorted(
            one["Name"]
            for one in target.client("scheduler").list_schedules(GroupName="cli")["Schedules"]
        ),
        "definitions": sorted(
            target.client("ecs").list_task_definitions(familyPrefix="cli-", status="ACTIVE")[
                "taskDefinitionArns"
            ]
        ),
    }
