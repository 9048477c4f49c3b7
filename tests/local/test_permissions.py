"""The policies for people hold what the verbs really call on the embedded AWS, and no more."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.runs.redrive import redrive_of
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from steadyspot.deploy.stacks.pipelines import HOSTS, template
from tests.local.shop import Shop

SERVICES = {"stepfunctions": "states"}
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadObject": "s3:GetObject"}
"""Where IAM names something otherwise than the API."""
NOT_HERE = {
    *("ecs:DescribeTasks", "ecs:ExecuteCommand", "ecs:ListTasks"),  # `shell`; `status` of what runs
    "s3:GetObject",  # `outputs` with a folder to bring them to
    "scheduler:GetSchedule",  # `redrive` of what only the queue knows, and of a rate's times
    "sqs:ChangeMessageVisibility",  # `redrive` of what it leaves there
}
"""Rights that no verb uses here."""


def called(shop: Shop, verb: str, **given: Any) -> set[str]:
    """The actions of IAM that a verb's calls need."""
    found: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        action = f"{SERVICES.get(service, service)}:{model.name}"
        found.add(ACTIONS.get(action, action))

    target = shop.target
    target.session.events.register("before-call.*", note)
    command = import_module(f"steadyspot.deploy.cli.verbs.{verb}").command
    inner = getattr(command.callback, "__wrapped__")  # noqa: B009  # the verb behind its options
    given = {"machine": False, **given}
    with contextlib.suppress(SystemExit):
        inner(target, Screen(Console(file=io.StringIO())), **given)
    return found - {"sts:GetCallerIdentity"}  # AWS tells everybody who they are.


def allowed(shop: Shop, purpose: Purpose) -> set[str]:
    policy = policy_for(purpose, shop.target.config.platform)
    return {action for one in policy["Statement"] for action in one["Action"]}


def test_who_reads_and_who_operates_may_do_what_the_verbs_call_and_nothing_else(
    shop: Shop,
) -> None:
    job = {"job": "night"}
    operating = called(shop, "run", **job, request={}, given=(), no_follow=False, logs=True)
    reading = called(shop, "status", watch=False)
    for verb, given in (
        ("runs", {"most": 20}),
        ("explain", {"run": None}),
        ("explain", {"run": None, "page": shop.folder / "night.html"}),
        ("outputs", {"run": None, "folder": None}),
        (
            "logs",
            {
                "run": None,
                "follow": False,
                "since": None,
                "attempt": None,
                "shard": None,
                "tail": None,
            },
        ),
        ("cost", {"days": 31, "each": False, "as_csv": False, "refresh": False}),
        ("watch", {"run": None, "logs": False}),
    ):
        reading |= called(shop, verb, **job, **given)
    fails = {"command": ["false"]}
    for _ in range(3):
        operating |= called(
            shop, "run", **job, request=fails, given=(), no_follow=False, logs=False
        )
    night = shop.target.config.job("night")
    waiting = redrive_of(shop.target, night, shop.target.job(night)).waiting()
    operating |= called(shop, "forget", **job, run=waiting[0].run_key, yes=True)
    window: dict[str, Any] = {
        "first": None,
        "last": None,
        "given": (),
        "every": False,
        "capacity": None,
        "at_once": 2,
        "dry_run": False,
    }
    operating |= called(shop, "redrive", **job, run=None, **window)
    window = {**window, "first": datetime.now(UTC), "dry_run": True}
    operating |= called(shop, "redrive", **job, run=None, **window)
    lasts = {"command": ["sleep", "60"]}  # Until it is stopped.
    operating |= called(shop, "run", **job, request=lasts, given=(), no_follow=True, logs=False)
    operating |= called(shop, "notify", **job, test=True)
    operating |= called(shop, "stop", **job, run=None, reason="", yes=True)
    assert allowed(shop, Purpose.READ) - NOT_HERE == reading - NOT_HERE
    assert operating | reading <= allowed(shop, Purpose.OPERATE)
    assert allowed(shop, Purpose.OPERATE) - NOT_HERE - operating - reading == set()


def test_who_deploys_may_call_what_up_diff_and_pause_call(shop: Shop) -> None:
    shop.write("expected_minutes = 1", "expected_minutes = 2")
    try:
        found = called(shop, "diff", job=None, tells=False, at_once=2)
        found |= called(shop, "up", job=None, image=None, plan_file=None, at_once=2, yes=True)
        found |= called(shop, "pause", job="night") | called(shop, "resume", job="night")
    finally:
        shop.write()
        found |= called(shop, "up", job=None, image=None, plan_file=None, at_once=2, yes=True)
    assert "cloudformation:ExecuteChangeSet" in found
    assert found <= allowed(shop, Purpose.DEPLOY)


def test_who_compares_may_call_what_diff_calls(shop: Shop) -> None:
    shop.write(
        "[jobs.night]", '[jobs.new]\nimage = "steadyspot-worker:local"\n[jobs.night]\ndisk = 30'
    )
    try:
        found = called(shop, "diff", job=None, tells=False, at_once=2)
    finally:
        shop.write()
    assert "cloudformation:CreateChangeSet" in found
    # It would take the empty stack away that a change set of a new one leaves, and may do without.
    assert found - {"cloudformation:DeleteStack"} <= allowed(shop, Purpose.COMPARE)


def test_the_roles_of_a_pipeline_are_deployed(shop: Shop) -> None:
    made = template(shop.target.config, HOSTS["github"], "acme/shop", "main")
    client = shop.target.client("cloudformation")
    provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    client.create_stack(
        StackName="pipeline-of-cli",
        TemplateBody=json.dumps(made),
        Parameters=[{"ParameterKey": "Provider", "ParameterValue": provider}],
        Capabilities=["CAPABILITY_IAM"],
    )
    try:
        (stack,) = client.describe_stacks(StackName="pipeline-of-cli")["Stacks"]
        arns = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        iam = shop.target.client("iam")
        for arn in arns.values():
            role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
            (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert trust["Principal"] == {"Federated": provider}
        assert arns.keys() == {"Compare", "Deploy"}
    finally:
        client.delete_stack(StackName="pipeline-of-cli")
