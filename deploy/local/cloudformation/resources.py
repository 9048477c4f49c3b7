"""The resources of a stack: made, changed and removed in the order of their dependencies.

moto follows parameters only through ``Ref``, does not change what depends on a changed resource,
and makes a resource whenever someone asks for it. Here a resource changes when its resolved
properties do, and only when a stack is built or changed. Events go to whoever they are reported to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap

from steadyspot.deploy.local.cloudformation.graph import creation_order
from steadyspot.deploy.local.cloudformation.preview import PLACEHOLDER

TAKE_TAGS = frozenset(
    f"AWS::{kind}"
    for kind in (
        *("CloudWatch::Alarm", "DynamoDB::Table", "ECR::Repository", "ECS::Cluster"),
        *("ECS::TaskDefinition", "EC2::InternetGateway", "EC2::RouteTable", "EC2::SecurityGroup"),
        *("EC2::Subnet", "EC2::VPC", "EC2::VPCEndpoint", "Events::Rule", "IAM::ManagedPolicy"),
        *("IAM::Role", "Logs::LogGroup", "S3::Bucket", "SNS::Topic", "SQS::Queue"),
        *("Scheduler::ScheduleGroup", "StepFunctions::StateMachine"),
    )
)
"""Types to which CloudFormation hands the tags of their stack on."""
_ONE_AT_A_TIME = threading.Lock()
"""Held by whoever makes, changes or removes a resource of any stack: moto looks through its lists,
to which another stack must not add meanwhile."""
Reporter = Callable[[str, str, str, str, str | None], None]
"""Called with logical id, physical id, type, status and reason."""


class Resources(ResourceMap):
    """A stack's resources, and the resolved properties that each was last made or changed with."""

    report: Reporter
    stack_tags: Mapping[str, str]
    applied: dict[str, dict[str, Any]]

    def start(self, report: Reporter, tags: Mapping[str, str]) -> None:
        """Say where events go, and which tags the stack has; called before anything is made."""
        self.report = report
        self.stack_tags = tags
        self.applied = {}

    def __getitem__(self, key: str) -> Any:
        # moto's map makes what is asked for; here only create and change do.
        if key in self._resource_json_map:
            return self._parsed_resources.get(key)
        return super().__getitem__(key)

    def wanted(self, key: str) -> bool:
        """Whether the condition of a resource, if it has one, is true."""
        condition = self._resource_json_map[key].get("Condition")
        return condition is None or bool(self.lazy_condition_map[condition])

    @property
    def bodies(self) -> dict[str, Any]:
        """What the template says of each resource, by logical id."""
        return self._resource_json_map

    def live(self, key: str) -> Any:
        """The resource as it is now, or None where there is none."""
        return self._parsed_resources.get(key) if key in self.applied else None

    def create(self, template: dict[str, Any]) -> bool:
        """Make everything that is not there yet."""
        self._resource_json_map = template["Resources"]
        for key in creation_order(self._resource_json_map):
            self._make(key)
        return True

    def change(
        self, template: dict[str, Any], parameters: dict[str, Any], tags: Mapping[str, str]
    ) -> None:
        """Make, change and remove, until the stack is as the template says."""
        self.stack_tags = tags
        before = dict(self._resource_json_map)
        gone_order = [key for key in reversed(creation_order(before)) if key in self.applied]
        self._adopt(template, parameters)
        for key in creation_order(self._resource_json_map):
            if not self.wanted(key):
                continue
            if key not in self._parsed_resources:
                self._make(key)
            elif (resolved := self.resolved(key)) != self.applied[key]:
                self._change(key, resolved)
        for key in gone_order:
            if key not in self._resource_json_map or not self.wanted(key):
                self._remove(key, before[key])

    def remove_all(self) -> list[str]:
        """Remove what is not retained, last things first, and give the ids of what would not go."""
        stuck = []
        for key in reversed(creation_order(self._resource_json_map)):
            if key not in self.applied:
                continue
            try:
                self._remove(key, self._resource_json_map[key])
            except Exception as error:  # whatever moto says, it goes into the event
                stuck.append(key)
                self._tell(key, "DELETE_FAILED", sentence(error))
        return stuck

    def resolved(self, key: str) -> dict[str, Any]:
        """The properties of a resource with every function in them carried out."""
        body = self._resource_json_map[key]
        given = with_zones(dict(body.get("Properties", {})), self._region_name)
        properties: dict[str, Any] = without_nothing(parsing.clean_json(given, self))
        if body["Type"] in TAKE_TAGS and self.stack_tags:
            own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
            tags = {**self.stack_tags, **own}
            properties["Tags"] = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
        return properties

    def _adopt(self, template: dict[str, Any], parameters: dict[str, Any]) -> None:
        self._template = template
        self.input_parameters = parameters
        self._resource_json_map = template["Resources"]
        self.resolved_parameters = {}
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()

    def _make(self, key: str) -> None:
        if not self.wanted(key):
            return
        body = self._resource_json_map[key]
        kind = parsing.resource_class_from_type(body["Type"])
        if kind is None:
            raise ValidationError(message=f"Unrecognized resource types: [{body['Type']}]")
        resolved = self.resolved(key)
        self._tell(key, "CREATE_IN_PROGRESS")
        try:
            with _ONE_AT_A_TIME:
                resource = kind.create_from_cloudformation_json(
                    self._name(key, body["Type"], resolved),
                    {**body, "Properties": _copied(resolved)},
                    self._account_id,
                    self._region_name,
                    LogicalId=key,
                    StackId=self.stack_id,
                    ResourceType=body["Type"],
                )
        except Exception as error:
            self._tell(key, "CREATE_FAILED", sentence(error))
            raise
        self._keep(key, resource, resolved)
        self._tell(key, "CREATE_COMPLETE")

    def _change(self, key: str, resolved: dict[str, Any]) -> None:
        body = self._resource_json_map[key]
        kind = parsing.resource_class_from_type(body["Type"])
        self._tell(key, "UPDATE_IN_PROGRESS")
        try:
            with _ONE_AT_A_TIME:
                resource = kind.update_from_cloudformation_json(
                    original_resource=self._parsed_resources[key],
                    new_resource_name=self._name(key, body["Type"], resolved),
                    cloudformation_json={**body, "Properties": _copied(resolved)},
                    account_id=self._account_id,
                    region_name=self._region_name,
                )
        except Exception as error:
            self._tell(key, "UPDATE_FAILED", sentence(error))
            raise
        # moto's own types give nothing where they know no change.
        self._keep(key, resource or self._parsed_resources[key], resolved)
        self._tell(key, "UPDATE_COMPLETE")

    def _remove(self, key: str, body: Mapping[str, Any]) -> None:
        resource = self._parsed_resources[key]
        if body.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"):
            self._tell(key, "DELETE_SKIPPED", kind=body["Type"])
        else:
            self._tell(key, "DELETE_IN_PROGRESS", kind=body["Type"])
            with _ONE_AT_A_TIME:
                self._delete_resource(resource, dict(body))
            self._tell(key, "DELETE_COMPLETE", kind=body["Type"])
        del self._parsed_resources[key]
        del self.applied[key]

    def _delete_resource(self, parsed_resource: Any, resource_json: dict[str, Any]) -> None:
        if hasattr(parsed_resource, "delete"):
            parsed_resource.delete(self._account_id, self._region_name)
        else:
            parsing.parse_and_delete_resource(
                parsed_resource.physical_resource_id,
                resource_json,
                self._account_id,
                self._region_name,
            )

    def _keep(self, key: str, resource: Any, resolved: dict[str, Any]) -> None:
        resource.cf_resource_type = self._resource_json_map[key]["Type"]
        resource.logical_resource_id = key
        self._parsed_resources[key] = resource
        self.applied[key] = resolved

    def _name(self, key: str, kind: str, resolved: Mapping[str, Any]) -> str:
        own = parsing.resource_name_property_from_type(kind)
        if own and own in resolved:
            return str(resolved[own])
        stack = str(self._parsed_resources["AWS::StackName"])
        # IAM allows 64 characters; CloudFormation shortens the stack's part, and so do we.
        generated = parsing.generate_resource_name(kind, stack[: 64 - len(key) - 14], key)
        return generated.lower() if kind == "AWS::ECR::Repository" else generated

    def _tell(self, key: str, status: str, reason: str | None = None, kind: str = "") -> None:
        resource = self._parsed_resources.get(key)
        physical = getattr(resource, "physical_resource_id", "") or ""
        kind = kind or self._resource_json_map[key]["Type"]
        self.report(key, physical, kind, status, reason)


class Planned(Resources):
    """Resources of a template that nobody carries out: what is not there is a placeholder."""

    def assume(self, key: str, resource: Any) -> None:
        """Take a resource as one that will be there."""
        self._parsed_resources[key] = resource

    def __getitem__(self, key: str) -> Any:
        if key in self._resource_json_map and self.wanted(key):
            return self._parsed_resources.get(key, PLACEHOLDER)
        return super().__getitem__(key)


def with_zones(value: Any, region: str) -> Any:
    """The structure with ``Fn::GetAZs ""`` as the zones of the region; moto's are of us-east-1."""
    if isinstance(value, list):
        return [with_zones(item, region) for item in value]
    if isinstance(value, dict):
        if value.get("Fn::GetAZs") in ("", {"Ref": "AWS::Region"}):
            return [f"{region}{letter}" for letter in "abc"]
        return {key: with_zones(item, region) for key, item in value.items()}
    return value


def without_nothing(value: Any) -> Any:
    """The structure without what ``AWS::NoValue`` left in lists; moto takes it only out of maps."""
    if isinstance(value, list):
        return [without_nothing(item) for item in value if item is not None]
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items()}
    return value


def _copied(value: Any) -> Any:
    """A copy that a type may change: moto's own do."""
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value


def sentence(error: Exception) -> str:
    """What an error says, in one line, with its kind where it says nothing."""
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return " ".join(str(message).split())
