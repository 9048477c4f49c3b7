"""Whole runs on the embedded AWS: jobs deployed as `steadyspot up` does, and ways to watch them.

The platform is deployed once for a test process; every test deploys a job of its own, whose command
is ``parts.py`` unless the test brings another, with back-offs of seconds.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from rich.console import Console

from steadyspot.contract import COMPLETION, checkpoint_prefix, columns, output_prefix
from steadyspot.contract.columns import worker_partition
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.outbox import Mail
from steadyspot.deploy.runs.executions import start
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.redrive import Redrive, Redriven, redrive_of
from steadyspot.deploy.stacks.config import Backoff, Config, Job, Platform
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.marks import TAG, Mark, with_mark
from steadyspot.deploy.stacks.notify import Notify
from steadyspot.deploy.stacks.parameters import of_job
from steadyspot.deploy.stacks.templates import Template, job_template
from steadyspot.deploy.stacks.up import Wanted, bring, platform_of, stack_of
from steadyspot.deploy.target import Target
from tests.local.parts import HELD
from tests.local.stacks import given

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "statemachines" / "schemas"
DEADLINE_SECONDS = 90.0
PAUSE_SECONDS = 0.1
UNTIL_THE_END = 0.25
"""Seconds between two looks at what ends once and stays so: each look costs the processor."""
NEVER_MEANWHILE = "cron(0 2 1 1 ? 2099)"
"""A schedule that starts nothing while tests run, at whatever time of whatever night that is."""
PART_OUTPUTS = {f"part-{part}.txt" for part in range(1, 9)}


def eventually(
    look: Callable[[], T], seconds: float = DEADLINE_SECONDS, pause: float = PAUSE_SECONDS
) -> T:
    """Look until what is seen is true; fail with the last look. Leaves the processor to others."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"waited in vain, last seen: {seen!r}"
        time.sleep(pause)
    return seen


def faults(schema: str, value: Any) -> list[str]:
    """What a schema of the workflow has against a value."""
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    return [error.message for error in Draft202012Validator(rules).iter_errors(value)]


def accompanied(*sidecar: str, name: str = "beside") -> Callable[[str], str]:
    """Return what puts a sidecar before a template's worker; its fields, but for the name."""

    def changed(template: str) -> str:
        worker = "        - Name: worker\n"
        assert template.count(worker) == 1
        fields = "".join(f"          {line}\n" for line in sidecar)
        return template.replace(worker, f"        - Name: {name}\n{fields}{worker}")

    return changed


class Place:
    """A platform on the embedded AWS, and the jobs that tests deploy on it."""

    def __init__(self, aws: LocalAws, **platform: Any) -> None:
        self.aws = aws
        name = f"r{uuid.uuid4().hex[:8]}"
        self.platform = Platform(name=name, mail="oncall@example.com", **platform)
        self.notify: tuple[Notify, ...] = ()
        self.screen = Screen(Console(file=io.StringIO()))
        self.session = aws.session()
        self.jobs: list[Work] = []
        self.bring(platform_of(self.target()))
        self.table = self.session.resource("dynamodb").Table(self.target().platform["Table"])

    def target(self, *jobs: Job) -> Target:
        named = {job.name: job for job in jobs}
        config = Config(Path("steadyspot.toml"), self.platform, named, notify=self.notify)
        return Target(config, self.session)

    def bring(self, stack: Wanted, target: Target | None = None) -> None:
        """Deploy one stack as `steadyspot up --yes` does, by a target that may know some of it."""
        bring(target or self.target(), stack, self.screen, lambda _plan: True)

    def job(self, *command: str, template: Callable[[str], str] | None = None, **more: Any) -> Work:
        """Deploy a job under a name of its own; ``template`` makes another template of ours."""
        settings = {
            "image": "steadyspot-worker:local",
            "expected_minutes": 1,
            "maximum_wait_minutes": 0.02,
            "backoff": Backoff(seconds=1, cap_seconds=2),
            "stop_timeout_seconds": 20,
            "command_override": True,
            **more,
        }
        job = Job(name=f"j{uuid.uuid4().hex[:8]}", command=command, **settings)
        self.clear_up()
        work = Work(self, job)
        work.deploy(template)
        self.jobs.append(work)
        return work

    def clear_up(self) -> None:
        """Let Spot's weather be fair, whatever befell the runs of other tests."""
        month = f"{datetime.now(UTC):%Y-%m}"
        for architecture in ("X86_64", "ARM64"):
            key = {columns.JOB: columns.WEATHER, columns.RUN_KEY: f"{architecture}/{month}"}
            self.table.delete_item(Key=key)

    def remove_jobs(self) -> None:
        """Remove the stacks of all jobs and what the table holds of their runs."""
        cloudformation = self.session.client("cloudformation")
        while self.jobs:
            work = self.jobs.pop()
            cloudformation.delete_stack(StackName=work.target.config.job_stack(work.job))
        with self.table.batch_writer() as batch:
            for item in self.table.scan()["Items"]:
                batch.delete_item({name: item[name] for name in (columns.JOB, columns.RUN_KEY)})


class Work:
    """One job of a test."""

    def __init__(self, place: Place, job: Job) -> None:
        self.place = place
        self.job = job
        self.name = job.name
        self.target = place.target(job)
        self.sfn = self.target.client("stepfunctions")
        self.ecs = self.target.client("ecs")
        self.logs = self.target.client("logs")
        self.s3 = self.target.client("s3")
        self.sqs = self.target.client("sqs")
        self.dynamodb = self.target.client("dynamodb")

    def deploy(self, template: Callable[[str], str] | None = None, **changes: Any) -> None:
        """Deploy the job, with settings changed if any are given."""
        self.job = replace(self.job, **changes)
        self.target = self.place.target(self.job)
        if template is None:
            self.place.bring(stack_of(self.target, self.job), self.target)
        else:
            self._create(job_template(template))
        self.__dict__.pop("outputs", None)

    def _create(self, template: Template) -> None:
        """Create the job's stack by way of S3: a test may want more than a call takes."""
        stack, key = self.target.config.job_stack(self.job), f"templates/{self.name}.yaml"
        upload(self.target, template)
        mark = Mark(self.place.platform.name, self.name)
        text = with_mark(template.text, mark)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        cloudformation = self.target.client("cloudformation")
        cloudformation.create_stack(
            StackName=stack,
            TemplateURL=f"{self.place.aws.endpoint_url}/{self.bucket}/{key}",
            Parameters=given(of_job(self.place.platform, self.job)),
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": TAG, "Value": mark.tag}],
        )
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 1})

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the job's stack."""
        return self.target.job(self.job)

    @property
    def bucket(self) -> str:
        return self.target.platform["Bucket"]

    @property
    def cluster(self) -> str:
        return self.target.platform["Cluster"]

    @property
    def family(self) -> str:
        return f"{self.place.platform.name}-{self.name}"

    # Executions.

    def start(self, **request: Any) -> str:
        """StartExecution with a run request; the execution's ARN."""
        return start(self.sfn, self.outputs["StateMachine"], request)

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the end of an execution; what DescribeExecution shows."""

        def look() -> dict[str, Any]:
            shown = dict(self.sfn.describe_execution(executionArn=execution))
            return shown if shown["status"] != "RUNNING" else {}

        return eventually(look, pause=UNTIL_THE_END)

    def succeeded(self, execution: str, run_key: str = "") -> RunRecord:
        """Wait for the end, which has to be Finished; the run's record."""
        shown = self.ended(execution)
        entered = self.states_entered(execution)
        assert shown["status"] == "SUCCEEDED", (shown.get("error"), shown.get("cause"), entered)
        assert entered[-1] in ("Finished", "Close the run"), entered
        return self.record(run_key or self.key(execution))

    def failed(self, execution: str) -> dict[str, Any]:
        """Wait for the end, which has to be Failed; what DescribeExecution shows."""
        shown = self.ended(execution)
        assert shown["status"] == "FAILED", self.states_entered(execution)
        return shown

    def history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [dict(event) for page in pages for event in page["events"]]

    def states_entered(self, execution: str) -> list[str]:
        """Names of the states entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history(execution)
            if "stateEnteredEventDetails" in event
        ]

    def causes(self, execution: str) -> list[tuple[str, str]]:
        """Error and Cause of every launch that failed, in order."""
        kinds = ("taskFailedEventDetails", "taskSubmitFailedEventDetails")
        return [
            (event[kind]["error"], event[kind]["cause"])
            for event in self.history(execution)
            for kind in kinds
            if event.get(kind, {}).get("resourceType") == "ecs"
        ]

    def executions(self) -> list[str]:
        """ARNs of all executions of the job."""
        shown = self.sfn.list_executions(stateMachineArn=self.outputs["StateMachine"])
        return [item["executionArn"] for item in shown["executions"]]

    def before_the_start(self, task: str) -> str:
        """Wait for the end of *Before the start* for a task; its ARN."""
        return self._execution(self.target.platform["BeforeTheStart"], task)

    def after(self, execution: str) -> str:
        """Wait for the end of *After the end* for an execution; its ARN."""
        return self._execution(self.outputs["AfterTheEnd"], execution)

    def _execution(self, machine: str, of: str) -> str:
        def look() -> str:
            shown = self.sfn.list_executions(stateMachineArn=machine)
            for item in shown["executions"]:
                described = self.sfn.describe_execution(executionArn=item["executionArn"])
                if of in described["input"] and described["status"] != "RUNNING":
                    return str(item["executionArn"])
            return ""

        return eventually(look)

    # Records.

    def key(self, execution: str) -> str:
        """The run key of an execution that was started by hand."""
        return execution.rsplit(":", 1)[-1]

    def run(self, execution: str) -> RunRecord:
        return self.record(self.key(execution))

    def record(self, run_key: str) -> RunRecord:
        found = self.target.runs.get(self.name, run_key)
        assert found is not None, f"no record of {run_key}"
        return found

    def item(self, run_key: str) -> dict[str, Any]:
        """The workflow's item of a run as it is kept; empty where there is none."""
        return self._item(self.name, run_key)

    def worker_item(self, run_key: str) -> dict[str, Any]:
        """The worker's item of a run as it is kept; empty where there is none."""
        return self._item(worker_partition(self.name), run_key)

    def _item(self, partition: str, run_key: str) -> dict[str, Any]:
        key = {"job": {"S": partition}, "run_key": {"S": run_key}}
        found = self.dynamodb.get_item(
            TableName=self.target.platform["Table"], Key=key, ConsistentRead=True
        )
        return dict(found.get("Item", {}))

    # What people and queues got.

    def mails(self) -> list[Mail]:
        """The mails about this job, oldest first."""
        return [m for m in self.place.aws.outbox.mails() if self.name in m.subject]

    def mail(self, wanted: Callable[[Mail], bool] = lambda _mail: True) -> Mail:
        """Wait for a mail about this job."""
        return self.place.aws.outbox.wait_for(
            lambda mail: self.name in mail.subject and wanted(mail), DEADLINE_SECONDS
        )

    def waiting(self) -> list[dict[str, Any]]:
        """The messages in the job's queue, which stay there."""
        found = self.sqs.receive_message(
            QueueUrl=self.outputs["Queue"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=0,
        )
        return list(found.get("Messages", []))

    def parked(self) -> dict[str, Any]:
        """Wait for the one message in the queue; its body, which must be a parked run."""
        (message,) = eventually(self.waiting)
        body = json.loads(message["Body"])
        assert not faults("parked-run", body)
        return dict(body)

    def empty(self) -> None:
        """Take what waits in the queue away."""
        for message in self.waiting():
            self.sqs.delete_message(
                QueueUrl=self.outputs["Queue"], ReceiptHandle=message["ReceiptHandle"]
            )

    def redrive(self) -> list[Redriven]:
        """Redrive all that waits."""
        return list(self.redriving().run())

    def redriving(self) -> Redrive:
        return redrive_of(self.target, self.job, self.outputs)

    # Tasks and what they print.

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0])

    def stopped(self, arn: str) -> dict[str, Any]:
        """Wait until a task has stopped; what DescribeTasks shows."""
        return eventually(lambda: t if (t := self.task(arn))["lastStatus"] == "STOPPED" else {})

    def exit_code(self, arn: str) -> int | None:
        """Wait until a task has stopped; the exit code of its worker."""
        containers = self.stopped(arn)["containers"]
        codes: dict[str, int | None] = {c["name"]: c.get("exitCode") for c in containers}
        return codes["worker"]

    def tasks(self) -> list[str]:
        """ARNs of the tasks that ran, by when they began to print."""
        shown = self.logs.describe_log_streams(
            logGroupName=self.outputs["LogGroup"], logStreamNamePrefix="run/worker/"
        )["logStreams"]
        prefix = self.cluster.replace(":cluster/", ":task/")
        ordered = sorted(shown, key=lambda stream: stream["creationTime"])
        return [f"{prefix}/{stream['logStreamName'].rsplit('/', 1)[-1]}" for stream in ordered]

    def lines(self, task: str) -> list[str]:
        """What the worker and its job printed so far."""
        shown = self.logs.get_log_events(
            logGroupName=self.outputs["LogGroup"],
            logStreamName=f"run/worker/{task.rsplit('/', 1)[-1]}",
            startFromHead=True,
        )
        return [event["message"] for event in shown["events"]]

    def events(self, task: str) -> list[str]:
        """The events that the worker logged, in order."""
        parsed = [json.loads(line) for line in self.lines(task) if line.startswith("{")]
        return [line["event"] for line in parsed if "event" in line]

    def prints(self, text: str) -> tuple[str, str]:
        """Wait until a task has printed a line with the text; the task and the line."""

        def look() -> tuple[str, str] | None:
            found = ((task, line) for task in self.tasks() for line in self.lines(task))
            return next(((task, line) for task, line in found if text in line), None)

        found = eventually(look)
        assert found is not None
        return found

    def held(self) -> str:
        """Wait until the job is held in the middle and the parts before are durable; its task."""
        return self.prints(HELD)[0]

    def begun(self, task: str) -> list[int]:
        """Numbers of the parts that a task began."""
        words = (line.split() for line in self.lines(task))
        return [int(w[1]) for w in words if len(w) == 3 and w[0] == "part" and w[2] == "begun"]

    # Objects.

    def published(self, run_key: str) -> dict[str, bytes]:
        """The published outputs by name, without the completion record."""
        prefix = output_prefix(self.name, run_key)
        found = {key.removeprefix(prefix): body for key, body in self.objects(prefix).items()}
        return {name: body for name, body in found.items() if name != COMPLETION}

    def completion(self, run_key: str) -> bytes:
        """The completion record beside the outputs."""
        key = output_prefix(self.name, run_key) + COMPLETION
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def objects(self, prefix: str) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            item["Key"]: self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
            for item in listed
        }

    def uploads(self) -> list[str]:
        """Keys of the multipart uploads of this job that are open."""
        shown = self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        prefix = output_prefix(self.name, "")[:-1]
        return sorted(upload["Key"] for upload in shown if upload["Key"].startswith(prefix))

    def texts(self, run_key: str) -> str:
        """All that was told, parked or recorded about a run, as one text."""
        prefix = checkpoint_prefix(self.name, run_key)
        told = [mail.subject + mail.body + str(mail.attributes) for mail in self.mails()]
        kept = [body.decode(errors="replace") for body in self.objects(prefix).values()]
        items = (str(self.item(run_key)), str(self.worker_item(run_key)))
        return "\n".join([*told, *map(str, self.waiting()), *items, *kept])


def by_hand(folder: Path, *command: str) -> dict[str, bytes]:
    """Run a job on this machine, without Steadyspot around it; its outputs by name."""
    environment = {**os.environ, "STEADYSPOT_LOCAL_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, *command[1:]], env=environment, cwd=ROOT, check=True, capture_output=True
    )
    outputs = folder / "outputs"
    return {
        str(path.relative_to(outputs)): path.read_bytes()
        for path in outputs.rglob("*")
        if path.is_file()
    }


def parts(once: Path | None = None, **options: object) -> tuple[str, ...]:
    """The command of ``parts.py``; by the file ``once`` it knows that it met its trouble."""
    given = {**options, **({"once": once} if once else {})}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return ("python", "-m", "tests.local.parts", *words)
