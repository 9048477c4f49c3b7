"""A change set as a readable diff, with the states that change."""

from __future__ import annotations

from typing import Any

from steadyspot.deploy.stacks.changes import (
    BESIDE_STATES,
    Change,
    Plan,
    StateChange,
    changes_of,
    lines_of,
    states_that_change,
)
from steadyspot.deploy.stacks.templates import job_template


def definition(**states: object) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def test_a_change_names_its_properties_and_what_else_of_the_resource_changes() -> None:
    targets = [
        {"Attribute": "Properties", "Name": "Threshold"},
        {"Attribute": "Properties", "Name": "Threshold"},
        {"Attribute": "Tags"},
        {},
    ]
    described = {
        "Action": "Modify",
        "LogicalResourceId": "Alarm",
        "ResourceType": "AWS::CloudWatch::Alarm",
        "Replacement": "False",
        "Details": [*({"Target": target} for target in targets), {}],
    }
    (changed,) = changes_of({"Changes": [{"ResourceChange": described}]})
    assert changed.properties == ("Tags", "Threshold")
    assert (changed.resource, changed.replaces) == ("Alarm", False)


def test_states_that_are_new_changed_or_gone_are_named() -> None:
    before = definition(A={"Type": "Pass", "Next": "B"}, B={"Type": "Succeed"})
    after = definition(A={"Type": "Pass", "Next": "C", "Comment": "x"}, C={"Type": "Succeed"})
    assert states_that_change(before, after) == (
        StateChange("A", "changes", ("- Next: B", "+ Comment: x", "+ Next: C")),
        StateChange("C", "is new"),
        StateChange("B", "goes"),
    )


def test_what_stands_beside_the_states_is_compared_too() -> None:
    state = {"Type": "Succeed"}
    before, after = definition(A=state), definition(A=state) | {"TimeoutSeconds": 60}
    assert states_that_change(before, after) == (
        StateChange(BESIDE_STATES, "changes", ("+ TimeoutSeconds: 60",)),
    )


def test_of_an_expression_only_the_lines_that_differ_are_shown() -> None:
    written = "{% ($a := 1; $b := $max([$a, 2]); $a > 1 and $b < 3 ? 'x' : 'y') %}"
    before = definition(A={"Type": "Pass", "Output": written})
    after = definition(A={"Type": "Pass", "Output": written.replace("$b < 3", "$b < 4")})
    assert states_that_change(before, after) == (
        StateChange("A", "changes", ("-   and $b < 3", "+   and $b < 4")),
    )


def test_of_a_list_the_item_that_differs_is_shown_by_its_number() -> None:
    before = definition(A={"Type": "Choice", "Choices": [{"Next": "B"}, {"Next": "C"}]})
    after = definition(A={"Type": "Choice", "Choices": [{"Next": "B"}, {"Next": "D"}]})
    assert states_that_change(before, after) == (
        StateChange("A", "changes", ("- Choices[1].Next: C", "+ Choices[1].Next: D")),
    )


def test_what_was_substituted_is_no_change_but_what_stands_around_it_is() -> None:
    """A value says nothing of the definition: the change set tells of parameters."""
    rendered = definition(
        A={"Type": "Pass", "Output": "{% {'job': '${Job}', 'on': ${Network}, 'n': 1} %}"}
    )
    deployed = definition(
        A={"Type": "Pass", "Output": "{% {'job': 'night', 'on': {'a':['b','c']}, 'n': 1} %}"}
    )
    assert states_that_change(deployed, rendered) == ()
    deployed["States"]["A"]["Output"] = "{% {'work': 'night', 'on': {}, 'n': 1} %}"
    (change,) = states_that_change(deployed, rendered)
    assert change.lines == ("- Output: {% {'work': 'night',", "+ Output: {% {'job': '${Job}',")


def test_our_own_definition_is_equal_to_itself_and_a_renamed_state_is_new() -> None:
    graph = job_template().graph("StateMachine")
    assert states_that_change(graph, graph) == ()
    states = {"Who has it?" if k == "Who holds it?" else k: v for k, v in graph["States"].items()}
    assert StateChange("Who has it?", "is new") in states_that_change(
        graph, {**graph, "States": states}
    )


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
        states=(StateChange("A", "changes", ("- Next: B", "+ Next: C")), StateChange("B", "goes")),
    )
    assert [line for _, line in lines_of(plan)] == [
        "StopTimeout: 120 -> 60",
        f"Command: [] -> {'x' * 28}...{'x' * 28}",
        "add     Alarm (AWS::CloudWatch::Alarm)",
        "change  Machine (AWS::StepFunctions::StateMachine): Definition",
        "replace Queue (AWS::SQS::Queue): QueueName; WHAT IT HOLDS IS NO LONGER USED",
        "remove  Rule (AWS::Events::Rule)",
        "state A changes",
        "    - Next: B",
        "    + Next: C",
        "state B goes",
    ]


def test_of_a_long_value_the_middle_is_left_out_and_of_one_that_fits_nothing() -> None:
    image, short = f"123.dkr.ecr.eu-central-1.amazonaws.com/night@sha256:{'a1' * 32}", "x" * 60
    plan = Plan("shop", "c", new=False, changes=(), parameters={"Image": (image, short)})
    ((_, line),) = lines_of(plan)
    shown, after = line.removeprefix("Image: ").split(" -> ")
    assert shown == f"{image[:28]}...{image[-28:]}"
    assert after == short
