"""Types of the workflow: state machine, schedule, cluster, task definition, rule.

moto keeps a state machine in the backend that does not execute, ignores its substitutions and its
definition in S3, has no type for Scheduler at all, and forgets most of a cluster and of a task
definition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Self

import yaml  # type: ignore[import-untyped]
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.ecs.models import ecs_backends
from moto.events.models import events_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.scheduler.models import scheduler_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from steadyspot.deploy.local.cloudformation.resource import Place, Properties, Resource, camel
from steadyspot.deploy.schedules.expressions import BadExpression, read, zone_of

DEFINED_BY = ("DefinitionString", "Definition", "DefinitionS3Location")
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StateMachineResource(Resource, CloudFormationModel):
    """A state machine in the backend that executes; moto puts it into the one that does not."""

    TYPE = "AWS::StepFunctions::StateMachine"
    NAME_PROPERTY = "StateMachineName"
    ATTRIBUTES = ("Arn", "Name")
    REPLACED_BY = ("StateMachineName", "StateMachineType")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = stepfunctions_parser_backends[place.account_id][place.region]
        if any(machine.name == name for machine in backend.state_machines):
            raise ValidationError(message=f"State machine {name} already exists")
        machine = backend.create_state_machine(
            name=name,
            definition=state_machine_definition(place, properties),
            roleArn=properties["RoleArn"],
            tags=camel(properties.get("Tags", [])),
            loggingConfiguration=camel(properties.get("LoggingConfiguration")),
            tracingConfiguration=camel(properties.get("TracingConfiguration")),
            encryptionConfiguration=camel(properties.get("EncryptionConfiguration")),
            sm_type=properties.get("StateMachineType"),
        )
        return cls(machine.arn, properties, Arn=machine.arn, Name=name)

    def _change(self, place: Place, properties: Properties) -> None:
        stepfunctions_parser_backends[place.account_id][place.region].update_state_machine(
            arn=self.physical_resource_id,
            definition=state_machine_definition(place, properties),
            role_arn=properties["RoleArn"],
            logging_configuration=camel(properties.get("LoggingConfiguration")),
            tracing_configuration=camel(properties.get("TracingConfiguration")),
            encryption_configuration=camel(properties.get("EncryptionConfiguration")),
        )

    def _remove(self, place: Place) -> None:
        stepfunctions_parser_backends[place.account_id][place.region].delete_state_machine(
            self.physical_resource_id
        )


def state_machine_definition(place: Place, properties: Properties) -> str:
    """Return the definition as text, from whichever of three properties holds it.

    As CloudFormation does, ``${name}`` is replaced as plain text, only for given names, and in an
    object of S3 before that is read as JSON or else as YAML.

    Raises
    ------
    ValidationError
        There is none or more than one, or the object is not there or is neither JSON nor YAML.
    """
    named = [f"[{key}]" for key in DEFINED_BY if key in properties]
    if not named:
        raise ValidationError(
            message="Property validation failed. Required key [DefinitionS3Location], [Definition] "
            "or [DefinitionString] not found."
        )
    if len(named) > 1:
        raise ValidationError(
            message="Property validation failed. Please use either [DefinitionS3Location], "
            "[Definition] or [DefinitionString] but not both."
        )
    given = properties.get("DefinitionSubstitutions", {})
    if "DefinitionS3Location" in properties:
        stored = _stored(place, properties["DefinitionS3Location"])
        return _as_json(_substituted(stored, given))
    if "Definition" in properties:
        return _substituted(json.dumps(properties["Definition"]), given)
    return _substituted(str(properties["DefinitionString"]), given)


def _stored(place: Place, location: Mapping[str, Any]) -> str:
    try:
        stored = s3_backends[place.account_id][place.partition].get_object(
            location["Bucket"], location["Key"], location.get("Version")
        )
    except MissingBucket:
        raise ValidationError(message="The specified bucket does not exist") from None
    if stored is None:
        raise ValidationError(message="The specified key does not exist.")
    return str(stored.value.decode())


def _substituted(text: str, given: Mapping[str, Any]) -> str:
    for key, value in given.items():
        text = text.replace("${" + key + "}", str(value))
    return text


@lru_cache(maxsize=64)
def _as_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        try:
            return json.dumps(yaml.load(text, _YAML))
        except yaml.YAMLError:
            raise ValidationError(message="Invalid StateMachine definition file.") from None
    return text


class ScheduleGroupResource(Resource, CloudFormationModel):
    """A group of schedules; its end is the end of the schedules in it."""

    TYPE = "AWS::Scheduler::ScheduleGroup"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn", "State")
    REPLACED_BY = ("Name",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = scheduler_backends[place.account_id][place.region]
        if name in backend.schedule_groups:
            raise ValidationError(message=f"Schedule group {name} already exists.")
        group = backend.create_schedule_group(name, properties.get("Tags", []))
        return cls(name, properties, Arn=group.arn, State="ACTIVE")

    def _change(self, place: Place, properties: Properties) -> None:
        """Only tags can change in place, and nothing here reads them."""

    def _remove(self, place: Place) -> None:
        scheduler_backends[place.account_id][place.region].delete_schedule_group(
            self.physical_resource_id
        )


class ScheduleResource(Resource, CloudFormationModel):
    """A schedule; the clock that makes it fire is ``deploy.local.scheduler``."""

    TYPE = "AWS::Scheduler::Schedule"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("Name",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = scheduler_backends[place.account_id][place.region]
        schedule = backend.create_schedule(
            name=name,
            action_after_completion=None,
            **cls._arguments(properties),
        )
        return cls(name, properties, Arn=schedule.arn)

    def _change(self, place: Place, properties: Properties) -> None:
        if properties.get("GroupName") != self.properties.get("GroupName"):
            raise ValidationError(message="The group of a schedule can't be changed")
        scheduler_backends[place.account_id][place.region].update_schedule(
            name=self.physical_resource_id, **self._arguments(properties)
        )

    def _remove(self, place: Place) -> None:
        backend = scheduler_backends[place.account_id][place.region]
        group = backend.schedule_groups.get(self.properties.get("GroupName", "default"))
        if group is not None:
            group.schedules.pop(self.physical_resource_id, None)

    @staticmethod
    def _arguments(properties: Properties) -> dict[str, Any]:
        expression = properties["ScheduleExpression"]
        zone = properties.get("ScheduleExpressionTimezone")
        for about, value, reader in (("", expression, read), (" Timezone", zone or "UTC", zone_of)):
            try:
                reader(value)
            except BadExpression:
                raise ValidationError(
                    message=f"Invalid Schedule Expression{about} {value}."
                ) from None
        target = json.loads(json.dumps(properties["Target"]))
        for key, value in target.get("RetryPolicy", {}).items():
            target["RetryPolicy"][key] = int(value)
        return {
            "description": properties.get("Description"),
            "end_date": properties.get("EndDate"),
            "flexible_time_window": properties["FlexibleTimeWindow"],
            "group_name": properties.get("GroupName"),
            "kms_key_arn": properties.get("KmsKeyArn"),
            "schedule_expression": expression,
            "schedule_expression_timezone": zone,
            "start_date": properties.get("StartDate"),
            "state": properties.get("State"),
            "target": target,
        }


class ClusterResource(Resource, CloudFormationModel):
    """A cluster with its capacity providers, which moto forgets."""

    TYPE = "AWS::ECS::Cluster"
    NAME_PROPERTY = "ClusterName"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("ClusterName",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        cluster = ecs_backends[place.account_id][place.region].create_cluster(
            name,
            camel(properties.get("Tags")),
            camel(properties.get("ClusterSettings")),
            camel(properties.get("Configuration")),
            properties.get("CapacityProviders"),
            camel(properties.get("DefaultCapacityProviderStrategy")),
        )
        return cls(name, properties, Arn=cluster.arn)

    def _change(self, place: Place, properties: Properties) -> None:
        cluster = ecs_backends[place.account_id][place.region].clusters[self.physical_resource_id]
        cluster.settings = camel(properties.get("ClusterSettings")) or cluster.settings
        cluster.capacity_providers = properties.get("CapacityProviders")
        cluster.default_capacity_provider_strategy = camel(
            properties.get("DefaultCapacityProviderStrategy")
        )

    def _remove(self, place: Place) -> None:
        ecs_backends[place.account_id][place.region].clusters.pop(self.physical_resource_id, None)


class TaskDefinitionResource(Resource, CloudFormationModel):
    """A task definition with everything in it; any change but of tags is a new revision."""

    TYPE = "AWS::ECS::TaskDefinition"
    ATTRIBUTES = ("TaskDefinitionArn",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        given = camel(properties, verbatim=("Options", "DockerLabels", "DriverOpts", "Labels"))
        for container in given["containerDefinitions"]:
            for pair in container.get("environment", []):
                pair["value"] = str(pair["value"])
            if "stopTimeout" in container:
                container["stopTimeout"] = int(container["stopTimeout"])
        for volume in given.get("volumes", []):
            if "eFSVolumeConfiguration" in volume:
                volume["efsVolumeConfiguration"] = _efs(volume.pop("eFSVolumeConfiguration"))
        if "ephemeralStorage" in given:
            given["ephemeralStorage"] = {"sizeInGiB": int(given["ephemeralStorage"]["sizeInGiB"])}
        definition = ecs_backends[place.account_id][place.region].register_task_definition(
            family=given.get("family", name),
            container_definitions=given["containerDefinitions"],
            volumes=given.get("volumes"),
            network_mode=given.get("networkMode"),
            tags=given.get("tags"),
            placement_constraints=given.get("placementConstraints"),
            requires_compatibilities=given.get("requiresCompatibilities"),
            cpu=units(given.get("cpu"), "vcpu"),
            memory=units(given.get("memory"), "gb"),
            task_role_arn=given.get("taskRoleArn"),
            execution_role_arn=given.get("executionRoleArn"),
            proxy_configuration=given.get("proxyConfiguration"),
            runtime_platform=given.get("runtimePlatform"),
            pid_mode=given.get("pidMode"),
            ephemeral_storage=given.get("ephemeralStorage"),
        )
        return cls(definition.arn, properties, TaskDefinitionArn=definition.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: Mapping[str, Any],
        account_id: str,
        region_name: str,
    ) -> Self:
        """Give the next revision; the old one is deregistered unless it is retained.

        Tags alone are changed in place.
        """
        place = Place(account_id, region_name)
        properties, before = cloudformation_json["Properties"], original_resource.properties
        if {**properties, "Tags": []} == {**before, "Tags": []}:
            definition = ecs_backends[account_id][region_name].describe_task_definition(
                original_resource.physical_resource_id
            )
            definition.tags = camel(properties.get("Tags", []))
            original_resource.properties = dict(properties)
            return original_resource
        successor = cls._make(place, new_resource_name, cloudformation_json["Properties"])
        if cloudformation_json.get("UpdateReplacePolicy") != "Retain":
            original_resource._remove(place)
        return successor

    def _remove(self, place: Place) -> None:
        ecs_backends[place.account_id][place.region].deregister_task_definition(
            self.physical_resource_id
        )


def _efs(given: dict[str, Any]) -> dict[str, Any]:
    """A volume of EFS as ECS spells it, which is not as CloudFormation does."""
    access = given.get("authorizationConfig", {})
    return {
        "fileSystemId": given["filesystemId"],
        "transitEncryption": given.get("transitEncryption", "DISABLED"),
        "authorizationConfig": {
            key: access[name]
            for key, name in (("iam", "iAM"), ("accessPointId", "accessPointId"))
            if name in access
        },
    }


def units(size: Any, unit: str) -> str | None:
    """CPU units or MiB as ECS keeps them: ``2 GB`` is 2048, ``0.5 vCPU`` is 512, 1024 stays."""
    if size is None:
        return None
    text = str(size).strip().lower()
    if text.endswith(unit):
        return str(int(float(text.removesuffix(unit)) * 1024))
    return text


class RuleResource(Resource, CloudFormationModel):
    """A rule of EventBridge, changed in place; moto makes a new one under another name."""

    TYPE = "AWS::Events::Rule"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("Name", "EventBusName")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = events_backends[place.account_id][place.region]
        rule = backend.put_rule(name, **cls._arguments(properties))
        backend.put_targets(name, cls._bus(properties), list(properties.get("Targets", [])))
        return cls(name, properties, Arn=rule.arn)

    def _change(self, place: Place, properties: Properties) -> None:
        backend = events_backends[place.account_id][place.region]
        rule = backend.put_rule(self.physical_resource_id, **self._arguments(properties))
        rule.remove_targets([target["Id"] for target in list(rule.targets)])
        rule.put_targets(list(properties.get("Targets", [])))

    def _remove(self, place: Place) -> None:
        backend = events_backends[place.account_id][place.region]
        rules = backend.event_buses[self._bus(self.properties)].rules
        rules.pop(self.physical_resource_id, None)

    @staticmethod
    def _bus(properties: Properties) -> str:
        return str(properties.get("EventBusName", "default"))

    @classmethod
    def _arguments(cls, properties: Properties) -> dict[str, Any]:
        pattern = properties.get("EventPattern")
        return {
            "description": properties.get("Description"),
            "event_bus_arn": cls._bus(properties),
            "event_pattern": None if pattern is None else json.dumps(pattern),
            "role_arn": properties.get("RoleArn"),
            "scheduled_expression": properties.get("ScheduleExpression"),
            "state": properties.get("State"),
        }
