"""What a change set would do, told before anything is done.

Every resource is resolved with the new parameters against the stack as it is. What refers to
something that is yet to be made or will be replaced has a value that nobody knows now; AWS calls
such a change dynamic, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing
from moto.cloudformation.models import Change

from steadyspot.deploy.local.cloudformation.graph import creation_order
from steadyspot.deploy.local.cloudformation.resource import Resource

if TYPE_CHECKING:
    from steadyspot.deploy.local.cloudformation.resources import Planned, Resources

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"

REPLACED_BY: Mapping[str, tuple[str, ...]] = {
    "AWS::EC2::VPC": ("CidrBlock",),
    "AWS::EC2::Subnet": ("VpcId", "CidrBlock", "AvailabilityZone"),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::ECR::Repository": ("RepositoryName", "EncryptionConfiguration"),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
}
"""Properties that cannot change in place, of the types that are moto's own."""


class Placeholder:
    """A resource that is not there yet."""

    physical_resource_id = LATER

    def get_cfn_attribute(self, _: str) -> str:
        """What any of its attributes is, for now."""
        return LATER


PLACEHOLDER = Placeholder()


def changes(live: Resources, planned: Planned) -> Iterator[Change]:
    """The changes from one to the other, in the order in which they would be made; removals last.

    ``planned`` knows the new template and parameters and makes nothing; as the order is followed,
    it learns which resources stay as they are.
    """
    for key in creation_order(planned.bodies):
        if not planned.wanted(key):
            continue
        resource = live.live(key)
        kind = planned.bodies[key]["Type"]
        if resource is None:
            yield _change("Add", key, kind)
            continue
        planned.assume(key, resource)
        resolved = planned.resolved(key)
        before = live.applied[key]
        names = sorted(
            name
            for name in before.keys() | resolved.keys()
            if before.get(name) != resolved.get(name)
        )
        if names:
            change = _change("Modify", key, kind, resource.physical_resource_id)
            _explain(change, names, resolved)
            if change.replacement == "True":  # type: ignore[attr-defined]
                planned.assume(key, PLACEHOLDER)
            yield change
    for key, body in live.bodies.items():
        gone = key not in planned.bodies or not planned.wanted(key)
        if gone and live.live(key) is not None:
            yield _change("Remove", key, body["Type"], live.live(key).physical_resource_id)


def _change(action: str, key: str, kind: str, physical_id: str | None = None) -> Change:
    change = Change(action=action, logical_resource_id=key, resource_type=kind)
    change.physical_resource_id = physical_id  # type: ignore[attr-defined]
    change.scope = []  # type: ignore[attr-defined]
    change.details = []  # type: ignore[attr-defined]
    return change


def _explain(change: Any, names: list[str], resolved: Mapping[str, Any]) -> None:
    """Say of a modification which properties it is about, and whether it replaces the resource."""
    kind = parsing.resource_class_from_type(change.resource_type)
    fixed = REPLACED_BY.get(change.resource_type, ())
    if issubclass(kind, Resource):
        fixed = kind.REPLACED_BY
    always = change.resource_type == "AWS::ECS::TaskDefinition" and names != ["Tags"]
    replaces = always or any(name in fixed for name in names)
    change.replacement = "True" if replaces else "False"
    change.scope = ["Properties"]
    change.details = [
        {
            "Target": {
                "Attribute": "Properties",
                "Name": name,
                "RequiresRecreation": "Always" if always or name in fixed else "Never",
            },
            "Evaluation": "Dynamic" if LATER in str(resolved.get(name)) else "Static",
            "ChangeSource": "DirectModification",
        }
        for name in names
    ]
