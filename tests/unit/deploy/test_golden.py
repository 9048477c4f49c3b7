"""What each verb prints: at 80 and 140 columns, and plain where it is piped.

The verbs run whole, on an account that answers from data. To review a change, write the files anew:
``python -m tests.unit.deploy.test_golden``.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from rich.console import Console

from steadyspot.deploy.as_json import form_of
from steadyspot.deploy.cli import main
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.parameters import of_job, of_platform
from steadyspot.deploy.stacks.templates import job_template
from steadyspot.statemachines.causes import attempts
from tests.unit.deploy.fakes import BEGUN, Calls, Clock, CloudFormation, History, Pages, change
from tests.unit.deploy.test_checks import account
from tests.unit.deploy.test_money import bad_night

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = {"piped": None, "80": 80, "140": 140}
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:" + "a" * 64
OLD = IMAGE.replace("a" * 64, "b" * 64)
JOB = Job(name="night", image=IMAGE, expected_minutes=10)
MACHINE = "arn:aws:states:eu-central-1:1:stateMachine:shop-night"
EXECUTION = "arn:aws:states:eu-central-1:1:execution:shop-night:e1"
ENTERED = {"type": "TaskStateEntered"}
OBJECTS: list[dict[str, Any]] = [
    {"Key": f"outputs/night/20261124T020000Z/{name}", "Size": size}
    for name, size in (("completion.json", 2_210), ("part-00001.parquet", 73_963_000))
]
EVENTS = [
    {
        "LogicalResourceId": "Queue",
        "ResourceType": "AWS::SQS::Queue",
        "ResourceStatus": "UPDATE_COMPLETE",
    }
]


def history() -> list[dict[str, Any]]:
    """A run that is reclaimed once and finishes."""
    cause: dict[str, Any] = {"name": "reclaimed", "class": "interrupted"}
    first = {"attempt": 1, "exit_code": 143, "started": True, "units_done": 3}
    recorded = {
        "name": "How far did it get?",
        "assignedVariables": {
            "last": json.dumps(first),
            "work": json.dumps({"done": 3}),
            "cause": json.dumps({**cause, "sentence": "AWS reclaimed the Spot capacity."}),
        },
    }
    stop = {"name": "Why did it stop?"}
    told: list[dict[str, Any]] = [
        {**ENTERED, "stateEnteredEventDetails": {"name": "Run on Fargate Spot"}},
        {"type": "TaskStateExited", "stateExitedEventDetails": recorded},
        {"type": "ChoiceStateExited", "stateExitedEventDetails": stop},
        {**ENTERED, "stateEnteredEventDetails": {"name": "Run on Fargate Spot"}},
        {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Close the run"}},
        {"type": "ExecutionSucceeded"},
    ]
    return [
        {"id": n, "timestamp": BEGUN + timedelta(seconds=40 * n), **event}
        for n, event in enumerate(told, start=1)
    ]


def earlier() -> str:
    """The definition as it was deployed: one state is not there yet, one says something else."""
    graph = job_template().graph("StateMachine")
    del graph["States"]["Wait for capacity"]
    graph["States"]["Duplicate"]["Comment"] = "Somebody else does it."
    return json.dumps(graph)


class Workflow(Calls):
    """Step Functions with one execution, and a workflow that knows every row."""

    def __init__(self) -> None:
        clock = Clock()
        clock.now = 3600
        self._rows = iter(attempts())
        shown = {"executionArn": EXECUTION, "name": "e1", "status": "SUCCEEDED", "startDate": BEGUN}
        super().__init__(
            get_execution_history=History(clock, history()).get_execution_history,
            describe_execution=lambda **request: {
                **shown,
                "name": request["executionArn"].rsplit(":", 1)[-1],
                "input": '{"runKey": "20261124T020000Z"}'
                if request["executionArn"] == EXECUTION
                else '{"scheduledTime": "2026-11-25T02:00:00Z", "capacity": "spot-only"}',
            },
            list_executions=lambda **_: {"executions": [shown]},
            start_execution=lambda **_: {"executionArn": EXECUTION},
            get_paginator=lambda _name: Pages({"events": history()}),
            describe_state_machine=lambda **_: {"definition": earlier(), "roleArn": "r"},
            test_state=self._answer,
        )

    def _answer(self, **_: Any) -> dict[str, Any]:
        row = next(self._rows)
        name = (
            "no-stop-report" if row.name == "try-again" else row.name
        )  # So one is not as it should be.
        known = json.dumps({"cause": {"name": name, "answer": row.answer}})
        return {"inspectionData": {"variables": known}}


class Records:
    """The run table with one bad night."""

    def get(self, _job: str, run_key: str) -> Any:
        return None if run_key == "20261125T020000Z" else bad_night()

    def since(self, *_: Any) -> list[Any]:
        return [bad_night()]

    scheduled = several = since

    def close(self, job: str, run_key: str) -> None:
        """Nothing is open."""


class Account(CloudFormation):
    """Both stacks as an earlier `up` left them: a mail, an image and a state differ."""

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        if not StackName:
            return super().describe_stacks()
        platform, job = Platform("shop", mail="old@b.example"), replace(JOB, image=OLD, vcpu=2)
        one = of_platform(platform) if StackName == "shop" else of_job(platform, job)
        self.parameters = {**one, "Days": "30"}
        (stack,) = super().describe_stacks(StackName)["Stacks"]
        outputs = [{"OutputKey": "StateMachine", "OutputValue": MACHINE}]
        return {"Stacks": [{**stack, "Outputs": outputs}]}


class Removed(CloudFormation):
    """The stack of a job that goes once it is told to."""

    def get_paginator(self, name: str) -> Pages:
        queue = {"LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
        bucket = {"ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": "shop-bucket-1a2b"}
        made = [{**queue, "PhysicalResourceId": "q"}, {"LogicalResourceId": "Bucket", **bucket}]
        return Pages({"StackResourceSummaries": made, "Stacks": []})

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        self.states = ["" if self.deleted else "UPDATE_COMPLETE"]
        return super().describe_stacks(StackName)


def target(cloudformation: CloudFormation | None = None) -> Any:
    """An account with a platform and the job night."""
    config = Config(Path("steadyspot.toml"), Platform("shop", mail="a@b.example"), {"night": JOB})
    message = {
        "MessageId": "m1",
        "ReceiptHandle": "r1",
        "Body": json.dumps(
            {
                "runKey": "20261125T020000Z",
                "sentence": "The job ended with exit code 3.",
                "request": {"scheduledTime": "2026-11-25T02:00:00Z", "redrive": True},
            }
        ),
    }
    batches = iter([{"Messages": [message]}, {}, {"Messages": [message]}])
    line = {
        "eventId": "1",
        "timestamp": 1_795_485_660_000,
        "logStreamName": "run/worker/abcdef0123456789",
        "message": "part 1 of 8: 73963 rows summed, and a line that a narrow terminal has to fold",
    }
    logged = {"Id": "q0", "Values": [2e6, 3e6]}
    services = {
        **account(),
        "stepfunctions": Workflow(),
        "sqs": Calls(
            receive_message=lambda **_: next(batches, {}),
            change_message_visibility=lambda **_: None,
            delete_message=lambda **_: None,
            get_queue_attributes=lambda **_: {"Attributes": {"ApproximateNumberOfMessages": "1"}},
        ),
        "sns": Calls(
            list_subscriptions_by_topic=lambda **_: {"Subscriptions": []},
        ),
        "s3": Calls(
            put_object=lambda **_: None,
            get_paginator=lambda _name: SimpleNamespace(
                paginate=lambda Prefix="", **_: [  # noqa: N803
                    {
                        "Contents": [one for one in OBJECTS if one["Key"].startswith(Prefix)],
                        "Versions": [] if Prefix else [{"Size": 3_500_000_000}],
                    }
                ]
            ),
        ),
        "logs": Calls(get_paginator=lambda _name: Pages({"events": [line]})),
        "cloudwatch": Calls(get_paginator=lambda _name: Pages({"MetricDataResults": [logged]})),
    }
    services["ecs"] = Calls(
        describe_clusters=lambda **_: {"clusters": []},
        get_paginator=lambda _name: Pages({"taskDefinitionArns": []}),
    )
    outputs = {
        "StateMachine": MACHINE,
        "Queue": "q",
        "AfterTheEnd": "a",
        "LogGroup": "/steadyspot/shop/night",
    }
    changes = [
        change("Modify", "Queue", "AWS::SQS::Queue"),
        change("Modify", "StateMachine", "AWS::StepFunctions::StateMachine"),
        change("Modify", "RunTable", "AWS::DynamoDB::Table", Replacement="True"),
        change("Remove", "BrokenEnd", "AWS::Events::Rule"),
    ]
    stacks = cloudformation or Account("UPDATE_COMPLETE", changes=changes, events=EVENTS)
    return SimpleNamespace(
        config=config,
        session=SimpleNamespace(region_name="eu-central-1"),
        switches=None,
        client=services.__getitem__,
        stacks=Stacks(stacks, "shop", pause=lambda _: None),  # type: ignore[arg-type]
        platform_stack="shop",
        platform={
            "Topic": "t",
            "Table": "table",
            "Bucket": "b",
            "ScheduleGroup": "shop",
        },
        runs=Records(),
        job=lambda _job: outputs,
    )


VERBS: list[tuple[str, dict[str, Any]]] = [
    ("check", {}),
    ("diff", {"tells": False, "at_once": 8}),
    ("up", {"image": None, "plan_file": None, "at_once": 8, "yes": True}),
    ("run", {"request": {}, "given": (), "no_follow": False, "logs": False}),
    ("watch", {"run": None, "logs": False}),
    (
        "logs",
        {
            **{"run": None, "shard": None, "follow": False, "since": None, "attempt": None},
            "tail": None,
        },
    ),
    ("runs", {"most": 20}),
    ("explain", {"run": None, "shard": None}),
    ("outputs", {"run": "20261124T020000Z", "folder": None}),
    ("notify", {"test": False}),
    ("forget", {"run": "20261125T020000Z", "yes": True}),
    ("cost", {"days": 31, "each": False, "as_csv": False, "refresh": False}),
    ("drill", {"name": "verify", "yes": True}),
    (
        "redrive",
        {
            **{"run": None, "first": None, "last": None, "given": (), "capacity": None},
            **{"at_once": 2, "every": False, "dry_run": True},
        },
    ),
    ("down", {"data": False, "at_once": 8, "yes": True}),
]


def printed(width: int | None, *, machine: bool = False) -> dict[str, str]:
    """What each verb prints, by its name."""
    shown = {}
    for verb, options in VERBS:
        out = io.StringIO()
        console = Console(
            file=out,
            width=width,
            force_terminal=width is not None,
            color_system=None,
            highlight=False,
        )
        command = import_module(f"steadyspot.deploy.cli.verbs.{verb}").command
        inner = getattr(command.callback, "__wrapped__")  # noqa: B009  # behind its options
        where = target(Removed("")) if verb == "down" else target()
        given = {"job": "night", **options, "machine": machine}
        with contextlib.suppress(SystemExit):
            inner(where, Screen(console), **given)
        shown[verb] = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    return shown


def worth_reviewing(verb: str, text: str) -> str:
    """A verb's text, but of the drill only what it announces and finds wrong: the table is long."""
    lines = text.splitlines()
    if verb != "drill":
        return text
    return "\n".join(line for line in lines if not line.startswith(("ok ", "    ")))


def joined(width: int | None) -> str:
    shown = printed(width)
    return "\n\n".join(
        f"$ steadyspot {verb}\n{worth_reviewing(verb, shown[verb])}" for verb in shown
    )


@pytest.mark.parametrize("name", WIDTHS)
def test_each_verb_looks_as_it_was_reviewed(name: str) -> None:
    text = joined(WIDTHS[name])
    assert text == (GOLDEN / f"verbs.{name}.txt").read_text("utf-8").rstrip("\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for verb, text in printed(width).items():
        widest = max(text.splitlines(), key=len)
        assert len(widest) <= width, f"{verb}: {widest}"


def faults_of(verb: str, document: Any) -> list[str]:
    """What in a document is not as the schema of its verb says."""
    validator = Draft202012Validator(form_of(verb))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def keys_in(value: Any) -> Iterator[str]:
    """The keys of objects, but for a request's, which are the workflow's, and of parameters."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(inner) if key not in ("request", "parameters") else ()
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


def test_each_verb_prints_json_as_its_schema_says() -> None:
    printed_by = printed(None, machine=True)
    for verb, text in printed_by.items():
        documents = text.splitlines() if verb == "logs" else [text]  # logs: as they are printed
        for document in map(json.loads, documents):
            assert faults_of(verb, document) == [], verb
            assert all(re.fullmatch("[a-z][a-z0-9_]*", key) for key in keys_in(document)), verb


def with_json(command: click.Command, *before: str) -> Iterator[list[str]]:
    """Yield the words of a verb, and of those below it, that have ``--json``."""
    if any("--json" in option.opts for option in command.params):
        yield [*before, str(command.name)]
    for below in getattr(command, "commands", {}).values():
        yield from with_json(below, *before, str(command.name))


def test_every_verb_that_has_json_prints_its_schema() -> None:
    commands = [main.main.get_command(click.Context(main.main), name) for name in main.VERBS]
    verbs = [words for command in commands if command for words in with_json(command)]
    assert ["local", "mails"] in verbs
    definitions: dict[str, Any] = {}
    for words in verbs:
        shown = CliRunner().invoke(main.main, [*words, "--json-schema"])
        assert shown.exit_code == 0, shown.output
        form = json.loads(shown.output)
        assert form["$ref"].rpartition("/")[2] == words[-1]
        assert words[-1] in form["$defs"]
        # All of them have the same, which are checked once.
        assert definitions.setdefault("$defs", form["$defs"]) == form["$defs"], words
        Draft202012Validator.check_schema({**form, "$defs": {}})
    Draft202012Validator.check_schema(definitions)


def test_times_are_iso_in_utc_and_numbers_are_numbers_for_machines() -> None:
    out = io.StringIO()
    at = datetime(2026, 11, 24, 3, tzinfo=timezone(timedelta(hours=1)))
    Screen(Console(file=out)).json({"at": at, "whole": Decimal(3), "part": Decimal("1.5")})
    assert json.loads(out.getvalue()) == {"at": "2026-11-24T02:00:00Z", "whole": 3, "part": 1.5}


if __name__ == "__main__":
    for name, width in WIDTHS.items():
        (GOLDEN / f"verbs.{name}.txt").write_text(joined(width) + "\n", "utf-8")
