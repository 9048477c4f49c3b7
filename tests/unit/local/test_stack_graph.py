"""In which order a template's resources are made, and which parameters are taken."""

from __future__ import annotations

from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from steadyspot.deploy.local.cloudformation.graph import creation_order, references
from steadyspot.deploy.local.cloudformation.parameters import check_parameters, plain
from steadyspot.deploy.local.cloudformation.resource import camel
from steadyspot.deploy.local.cloudformation.text import parsed
from steadyspot.deploy.local.cloudformation.workflow import units


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"Ref": "A"}, {"A"}),
        ({"Fn::GetAtt": ["A", "Arn"]}, {"A"}),
        ({"Fn::GetAtt": "A.Arn"}, {"A"}),
        ({"Fn::Sub": "${A}-${B.Arn}-${AWS::Region}"}, {"A", "B"}),
        ({"Fn::Sub": ["${A}-${x}", {"x": {"Ref": "B"}}]}, {"A", "B"}),
        ({"DependsOn": "A", "Properties": [{"Deep": {"Ref": "B"}}]}, {"A", "B"}),
        ({"DependsOn": ["A", "B"]}, {"A", "B"}),
        ({"Properties": {"Containers": [{"DependsOn": [{"ContainerName": "A"}]}]}}, set()),
        ({"Text": "${A}"}, set()),
    ],
)
def test_references_are_found_wherever_they_hide(body: Any, names: set[str]) -> None:
    assert references(body) == names


def test_what_is_referred_to_comes_first_and_the_rest_keeps_its_order() -> None:
    resources = {
        "Last": {"Properties": {"X": {"Ref": "Middle"}}},
        "Free": {},
        "Middle": {"Properties": {"Y": {"Fn::Sub": "${First}"}}},
        "First": {},
    }
    assert creation_order(resources) == ["First", "Middle", "Last", "Free"]


RULES: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String", "MinLength": 2, "MaxLength": 4},
        "Size": {"Type": "Number", "Default": 5, "MinValue": 1, "MaxValue": 9},
        "Mode": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b"]},
        "Word": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "^[a-z]*$",
            "ConstraintDescription": "must be a word.",
        },
    }
}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, r"Parameters: \[Name\] must have values"),
        ({"Name": "x"}, "at least 2 characters"),
        ({"Name": "xxxxx"}, "at most 4 characters"),
        ({"Name": "ok", "Size": "0"}, "not less than 1"),
        ({"Name": "ok", "Size": "ten"}, "must be a number"),
        ({"Name": "ok", "Mode": "c"}, "AllowedValues"),
        ({"Name": "ok", "Word": "No!"}, "Parameter Word must be a word."),
        ({"Name": "ok", "More": "1"}, r"\[More\] do not exist"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_named(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        check_parameters(RULES, given)


def test_allowed_parameters_are_taken() -> None:
    check_parameters(RULES, {"Name": "ok", "Size": "9", "Mode": "b", "Word": "yes"})


def test_parameters_are_told_as_text() -> None:
    assert [plain(value) for value in (["a", "b"], 5, 0.7, "x")] == ["a,b", "5", "0.7", "x"]


def test_keys_become_those_of_the_service_s_api_but_for_the_user_s() -> None:
    given = {"LogConfiguration": {"LogDriver": "awslogs", "Options": {"Mode": "x"}}, "Cpu": 1}
    assert camel(given, verbatim=("Options",)) == {
        "logConfiguration": {"logDriver": "awslogs", "options": {"Mode": "x"}},
        "cpu": 1,
    }


@pytest.mark.parametrize(
    ("size", "unit", "kept"),
    [
        ("2 GB", "gb", "2048"),
        ("0.5GB", "gb", "512"),
        ("0.25 vCPU", "vcpu", "256"),
        (1024, "gb", "1024"),
        (None, "gb", None),
    ],
)
def test_sizes_are_kept_in_the_units_of_ecs(size: Any, unit: str, kept: str | None) -> None:
    assert units(size, unit) == kept


def test_a_template_may_be_yaml_with_short_forms_or_json() -> None:
    assert parsed("A: !Ref B\nC: !GetAtt D.E\nF: !Sub '${G}'") == {
        "A": {"Ref": "B"},
        "C": {"Fn::GetAtt": ["D", "E"]},
        "F": {"Fn::Sub": "${G}"},
    }
    assert parsed('{"A": {"Ref": "B"}}') == {"A": {"Ref": "B"}}


def test_a_parsed_template_is_the_reader_s_own() -> None:
    parsed("A: {B: 1}")["A"]["B"] = 2
    assert parsed("A: {B: 1}") == {"A": {"B": 1}}
