"""A change set as a readable diff, with the states that change."""

from __future__ import annotations

import json

from steadyspot.deploy.stacks.changes import Change, Plan, lines_of, states_that_change
from steadyspot.deploy.stacks.up import TEMPLATES


def template(**states: object) -> str:
    text = json.dumps({"StartAt": next(iter(states)), "States": states})
    return f"x:\n  # definition: job\n  DefinitionString: |\n    {text}\n  # definition end\n"


def with_pieces(**states: object) -> str:
    """A template whose definition names what it says more than once."""
    text = json.dumps({"StartAt": next(iter(states)), "States": states}).replace(
        '"NEXT"', "${Next}"
    )
    return (
        "x:\n  # definition: job\n  DefinitionString: !Sub\n  - |\n"
        f"   {text}\n  - Region: !Ref AWS::Region\n"
        '    Next: |-\n     "C"\n    Last: !Sub |-\n     ${Job}\n  # definition end\n'
    )


def test_a_definition_with_named_pieces_is_compared_as_it_is_written_out() -> None:
    plain = template(A={"Type": "Pass", "Next": "C"}, C={"Type": "Succeed"})
    named = with_pieces(A={"Type": "Pass", "Next": "NEXT"}, C={"Type": "Succeed"})
    assert "${Next}" in named
    assert states_that_change(plain, named) == ()
    other = named.replace('"C"\n', '"D"\n')
    assert states_that_change(named, other) == ("job: A changes (Next)",)


def test_states_that_are_new_changed_or_gone_are_named() -> None:
    before = template(A={"Type": "Pass", "Next": "B"}, B={"Type": "Succeed"})
    after = template(A={"Type": "Pass", "Next": "C", "Comment": "x"}, C={"Type": "Succeed"})
    assert states_that_change(before, after) == (
        "job: A changes (Comment, Next)",
        "job: C is new",
        "job: B goes",
    )


def test_the_same_template_changes_no_state_and_ours_has_a_definition() -> None:
    text = (TEMPLATES / "job.yaml").read_text("utf-8")
    assert states_that_change(text, text) == ()
    changed = text.replace('"Who holds it?":', '"Who has it?":')
    assert "job: Who has it? is new" in states_that_change(text, changed)


def test_a_plan_reads_as_a_diff() -> None:
    plan = Plan(
        stack="shop-night",
        change_set="c",
        new=False,
        changes=(
            Change("Add", "Alarm", "AWS::CloudWatch::Alarm", replaces=False),
            Change("Modify", "Machine", "AWS::StepFunctions::StateMachine", False, ("Definition",)),
            Change("Modify", "Queue", "AWS::SQS::Queue", True, ("QueueName",)),
            Change("Remove", "Rule", "AWS::Events::Rule", replaces=False),
        ),
        parameters={"StopTimeout": ("120", "60"), "Command": ("[]", "x" * 80)},
        states=("job: A changes (Next)",),
    )
    assert [line for _, line in lines_of(plan)] == [
        "StopTimeout: 120 -> 60",
        f"Command: [] -> {'x' * 28}...{'x' * 28}",
        "add     Alarm (AWS::CloudWatch::Alarm)",
        "change  Machine (AWS::StepFunctions::StateMachine): Definition",
        "replace Queue (AWS::SQS::Queue): QueueName; WHAT IT HOLDS IS NO LONGER USED",
        "remove  Rule (AWS::Events::Rule)",
        "state of job: A changes (Next)",
    ]
