"""The two templates as data, with CloudFormation's short forms in their long ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from steadyspot.deploy.local.cloudformation.text import parsed

FOLDER = Path(__file__).parents[2] / "deploy" / "templates"
PATHS = {name: FOLDER / f"{name}.yaml" for name in ("platform", "job")}
TEMPLATES: dict[str, dict[str, Any]] = {
    name: parsed(path.read_text("utf-8")) for name, path in PATHS.items()
}


def listed(value: Any) -> list[Any]:
    """A value that may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def of_type(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of a template's resources of a type, by logical id."""
    resources = TEMPLATES[name]["Resources"]
    return {
        key: body.get("Properties", {}) for key, body in resources.items() if body["Type"] == kind
    }


ROLES = {**of_type("platform", "AWS::IAM::Role"), **of_type("job", "AWS::IAM::Role")}
"""The roles of both templates, by logical id."""


_NOT_OF_A_JOB = ("LogDelivery", "KeyPolicy")
"""What logs and encryption need of every role alike; tests of their own look at the latter."""


def statements(role: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's policies, its own and the platform's for jobs, by Sid."""
    given = ROLES[role].get("Policies", [])
    own = [one["Fn::If"][1] if "Fn::If" in one else one for one in given]  # On a condition.
    documents = [policy["PolicyDocument"] for policy in own if "PolicyDocument" in policy]
    for name, policy in of_type("platform", "AWS::IAM::ManagedPolicy").items():
        if name not in _NOT_OF_A_JOB and f"${{Platform}}-{name}" in json.dumps(ROLES[role]):
            documents.append(policy["PolicyDocument"])
    return {
        statement["Sid"]: statement for document in documents for statement in document["Statement"]
    }


def actions(role: str) -> set[str]:
    """All actions that a role may call."""
    return {
        action for statement in statements(role).values() for action in listed(statement["Action"])
    }
