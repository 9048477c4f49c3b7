"""A workflow's definition in the platform's bucket: brought there by `up`, removed once unused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moto.cloudformation.models import cloudformation_backends
from rich.console import Console

from steadyspot.deploy.cli.many_stacks import remove_all
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.definitions import tidy
from steadyspot.deploy.stacks.down import inventory, remove
from steadyspot.deploy.stacks.templates import PREFIX, job_template
from steadyspot.deploy.stacks.up import Wanted, bring, difference, stack_of
from tests.local.runs import Place, Work

KEYS = job_template().keys
KEY = KEYS["StateMachine"]


@pytest.fixture
def work(local_aws: LocalAws) -> Iterator[Work]:
    """A job on a platform of its own, which goes with it."""
    place = Place(local_aws)
    work = place.job("true")
    yield work
    list(remove(work.target, inventory(work.target), place.screen, remove_all, data=True))


def lying(work: Work) -> set[str]:
    listed = work.s3.list_objects_v2(Bucket=work.bucket, Prefix=PREFIX)
    return {item["Key"] for item in listed.get("Contents", [])}


def other(work: Work) -> Wanted:
    """The job's stack with a definition that another release has."""
    wanted, key = stack_of(work.target, work.job), f"{PREFIX}job-other.asl.yaml"
    template = replace(
        wanted.template,
        text=wanted.template.text.replace(KEY, key),
        definitions={
            **wanted.template.definitions,
            "StateMachine": wanted.template.definitions["StateMachine"].replace(
                "Seconds: 60", "Seconds: 59"
            ),
        },
        keys={**KEYS, "StateMachine": key},
    )
    assert template.definitions != wanted.template.definitions
    return replace(wanted, template=template)


def test_up_brings_the_definition_and_diff_brings_nothing(work: Work) -> None:
    assert lying(work) == {*KEYS.values()}
    plan = difference(work.target, other(work)).plan
    assert plan
    assert {(state.how, state.lines) for state in plan.states} == {
        ("changes", ("- TimeoutSeconds: 60", "+ TimeoutSeconds: 59"))
    }
    assert lying(work) == {*KEYS.values()}


def test_a_new_definition_is_shown_deployed_and_the_old_one_goes_once_it_is_not_fresh(
    work: Work,
) -> None:
    out = io.StringIO()
    assert bring(work.target, other(work), Screen(Console(file=out)), lambda _plan: True)
    assert "- TimeoutSeconds: 60" in out.getvalue()
    shown = work.sfn.describe_state_machine(stateMachineArn=work.outputs["StateMachine"])
    assert '"TimeoutSeconds": 59' in shown["definition"]

    assert tidy(work.target, datetime.now(UTC) + timedelta(minutes=59)) == []
    assert tidy(work.target, datetime.now(UTC) + timedelta(minutes=61)) == [KEY]
    assert lying(work) == {*other(work).template.keys.values()}
    work.deploy()
    assert KEY in lying(work)


def test_what_a_stack_that_is_under_way_may_go_back_to_is_kept(work: Work) -> None:
    work.s3.put_object(Bucket=work.bucket, Key=f"{PREFIX}before", Body=b"")
    backend = cloudformation_backends[work.place.aws.account_id][work.place.aws.region]
    stack = backend.get_stack(work.target.config.job_stack(work.job))
    later = datetime.now(UTC) + timedelta(minutes=61)
    stack.status = "UPDATE_IN_PROGRESS"
    assert tidy(work.target, later) == []
    stack.status = "UPDATE_ROLLBACK_COMPLETE"
    assert tidy(work.target, later) == [f"{PREFIX}before"]


def test_down_leaves_no_definition_in_the_bucket_that_it_keeps(work: Work) -> None:
    bucket, s3 = work.bucket, work.s3
    s3.put_object(Bucket=bucket, Key="outputs/kept", Body=b"")
    list(remove(work.target, inventory(work.target), work.place.screen, remove_all))
    kept = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert kept == ["outputs/kept"]
