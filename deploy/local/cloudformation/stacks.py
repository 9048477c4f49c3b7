"""Stacks of the embedded CloudFormation: made, changed and deleted in the order of their dependencies.

moto follows parameters only through ``Ref``, does not change what depends on a changed resource, keeps
no events of resources, forgets exports of stacks made by a change set, and answers a failed creation
with an error of the API. Here a resource changes when its resolved properties do, everything leaves an
event, and what fails is rolled back, as in AWS. All of it happens within the one call, so that a stack
never stays IN_PROGRESS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from moto.cloudformation import parsing, urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import (
    Change,
    ChangeSet,
    CloudFormationBackend,
    Event,
    Stack,
)
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.utils import (
    generate_changeset_id,
    generate_stack_id,
    validate_create_change_set,
)

from deploy.local.cloudformation.graph import creation_order
from deploy.local.cloudformation.parameters import check_parameters, plain
from deploy.local.cloudformation.preview import PLACEHOLDER, changes

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)

OUTPUTS_KNOWN = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

Reporter = Callable[[str, str, str, str, str | None], None]
"""Called with logical id, physical id, type, status and reason."""


class Resources(ResourceMap):
    """The resources of a stack, with the resolved properties that each was last made or changed with."""

    report: Reporter
    applied: dict[str, dict[str, Any]]

    def start(self, report: Reporter) -> None:
        """Say where events go; called once, before anything is made."""
        self.report = report
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

    def change(self, template: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Make, change and remove, until the stack is as the template says."""
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
        """Remove what is not retained, in reverse order, and give the logical ids that would not go."""
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
        return without_nothing(parsing.clean_json(dict(body.get("Properties", {})), self))

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
    said = getattr(error, "message", None) or str(error) or type(error).__name__
    return " ".join(str(said).split())


class LocalStack(Stack):
    """A stack whose changes leave events and whose failures roll back."""

    resource_map: Resources

    def _create_resource_map(self) -> Resources:
        return self.resources_of(Resources, self.template_dict, self.parameters)

    def resources_of(
        self, kind: type[Resources], template: dict[str, Any], parameters: dict[str, Any]
    ) -> Resources:
        """Resources of this stack for a template and parameters, with nothing made yet."""
        resources = kind(
            self.stack_id,
            self.name,
            parameters,
            self.tags,
            account_id=self.account_id,
            region_name=self.region_name,
            template=template,
            cross_stack_resources=self.cross_stack_resources,
        )
        resources.start(self._report)
        resources.load()
        return resources

    @property
    def stack_parameters(self) -> dict[str, Any]:
        """All parameters with their values as text, as they were given or are by default."""
        return {key: plain(value) for key, value in self.resource_map.resolved_parameters.items()}

    @property
    def stack_resources(self) -> list[Any]:
        """The resources that are there."""
        return [self.resource_map.live(key) for key in self.resource_map.applied]

    @property
    def outputs(self) -> list[dict[str, Any]] | None:
        """What the stack puts out, once everything is there."""
        return super().outputs if self.status.endswith(OUTPUTS_KNOWN) else None

    def build(self) -> None:
        """Make everything; on a failure take back what was made."""
        self._move("CREATE_IN_PROGRESS", "User Initiated")
        try:
            self.resource_map.create(self.template_dict)
            self._put_out()
        except Exception as error:
            self._move("ROLLBACK_IN_PROGRESS", sentence(error))
            stuck = self.resource_map.remove_all()
            self._move("ROLLBACK_FAILED" if stuck else "ROLLBACK_COMPLETE")
        else:
            self._move("CREATE_COMPLETE")

    def rebuild(self, template: str, parameters: dict[str, Any]) -> None:
        """Change everything to a new template and parameters; on a failure go back to the old ones."""
        old_template, old_parameters = self.template, self.parameters
        self._move("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply(template, parameters)
        except Exception as error:
            self._move("UPDATE_ROLLBACK_IN_PROGRESS", sentence(error))
            try:
                self._apply(str(old_template), old_parameters)
            except Exception as again:
                self._move("UPDATE_ROLLBACK_FAILED", sentence(again))
            else:
                self._move("UPDATE_ROLLBACK_COMPLETE")
        else:
            self._move("UPDATE_COMPLETE")

    def _apply(self, template: str, parameters: dict[str, Any]) -> None:
        self.template = template
        self.parameters = parameters
        self._parse_template()
        self.description = self.template_dict.get("Description")
        self.resource_map.change(self.template_dict, parameters)
        self._put_out()

    def _put_out(self) -> None:
        self.output_map = self._create_output_map()
        for output in self.output_map.values():  # each is worked out here, or fails here
            if output is not None and not str(output.value).strip():
                raise ValidationError(
                    message=f"Cannot export output {output.key}. "
                    "Exported values must not be empty or whitespace-only."
                )

    def delete(self) -> None:
        """Remove everything that is not retained."""
        self._move("DELETE_IN_PROGRESS", "User Initiated")
        stuck = self.resource_map.remove_all()
        if stuck:
            self._move(
                "DELETE_FAILED",
                f"The following resource(s) failed to delete: [{', '.join(stuck)}]. ",
            )
        else:
            self._move("DELETE_COMPLETE")

    def _move(self, status: str, reason: str | None = None) -> None:
        self.status = status
        self.stack_status_reason = reason
        self._add_stack_event(status, resource_status_reason=reason)

    def _report(
        self, logical: str, physical: str, kind: str, status: str, reason: str | None
    ) -> None:
        self.events.append(
            Event(
                stack_id=self.stack_id,
                stack_name=self.name,
                logical_resource_id=logical,
                physical_resource_id=physical,
                resource_type=kind,
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=None,
            )
        )


class LocalChangeSet(ChangeSet):
    """A change set that compares resolved properties, so that a changed parameter shows."""

    def diff(self) -> list[Change]:
        """One change per resource that would be made, changed or removed."""
        stack = self.stack
        assert isinstance(stack, LocalStack)
        planned = stack.resources_of(Planned, self.template_dict, self.parameters)
        assert isinstance(planned, Planned)
        return list(changes(stack.resource_map, planned))


class LocalCloudFormation(CloudFormationBackend):
    """The API's backend, with stacks and change sets of ours."""

    @property
    def _url_module(self) -> ModuleType:
        """moto looks for the addresses of an API beside the backend's class."""
        return urls

    def create_stack(  # noqa: PLR0913, D102
        self,
        name: str,
        template: str,
        parameters: dict[str, Any],
        notification_arns: list[str] | None = None,
        tags: dict[str, str] | None = None,
        role_arn: str | None = None,
        enable_termination_protection: bool | None = False,
        timeout_in_mins: int | None = None,
        stack_policy_body: str | None = None,
    ) -> Stack:
        if any(stack.name == name for stack in self.stacks.values()):
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        check_parameters(Stack.parse_template(template), parameters)
        stack = LocalStack(
            stack_id=generate_stack_id(name, self.region_name, self.account_id),
            name=name,
            template=template,
            parameters=parameters,
            account_id=self.account_id,
            region_name=self.region_name,
            notification_arns=notification_arns,
            tags=tags,
            role_arn=role_arn,
            cross_stack_resources=self.exports,
            enable_termination_protection=enable_termination_protection,
            timeout_in_mins=timeout_in_mins,
            stack_policy_body=stack_policy_body,
        )
        self.stacks[stack.stack_id] = stack
        stack.build()
        self._publish(stack)
        return stack

    def create_change_set(  # noqa: PLR0913, D102
        self,
        stack_name: str,
        change_set_name: str,
        template: str,
        parameters: dict[str, str],
        description: str,
        change_set_type: str,
        notification_arns: list[str] | None = None,
        tags: dict[str, str] | None = None,
        role_arn: str | None = None,
    ) -> tuple[str, str]:
        validate_create_change_set(change_set_name)
        parameters = {key: plain(value) for key, value in parameters.items()}
        parsed = Stack.parse_template(template)
        check_parameters(parsed, parameters)
        stack = self._stack_to_change(stack_name, change_set_type, parameters, tags, role_arn)
        change_set = LocalChangeSet(
            change_set_type=change_set_type,
            change_set_id=generate_changeset_id(change_set_name, self.region_name, self.account_id),
            change_set_name=change_set_name,
            stack=stack,
            template=template,
            parameters=parameters,
            description=description,
            notification_arns=notification_arns,
            tags=tags,
            role_arn=role_arn,
        )
        if change_set.changes or outputs_differ(stack, parsed):
            change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        else:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = NO_CHANGES
        self.change_sets[change_set.change_set_id] = change_set
        return change_set.change_set_id, stack.stack_id

    def _stack_to_change(
        self,
        name: str,
        change_set_type: str,
        parameters: dict[str, str],
        tags: dict[str, str] | None,
        role_arn: str | None,
    ) -> LocalStack:
        existing = next((stack for stack in self.stacks.values() if stack.name == name), None)
        if change_set_type == "UPDATE" or (
            existing is not None and existing.status == "REVIEW_IN_PROGRESS"
        ):
            if existing is None:
                raise ValidationError(message=f"Stack [{name}] does not exist")
            if existing.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
                raise ValidationError(
                    message=f"Stack:{existing.stack_id} is in {existing.status} state "
                    "and can not be updated."
                )
            assert isinstance(existing, LocalStack)
            return existing
        if existing is not None:
            raise ValidationError(
                message=f"Stack [{name}] already exists and cannot be created again "
                f"with the changeSet [{name}]."
            )
        stack = LocalStack(
            stack_id=generate_stack_id(name, self.region_name, self.account_id),
            name=name,
            template={},
            parameters=parameters,
            account_id=self.account_id,
            region_name=self.region_name,
            tags=tags,
            role_arn=role_arn,
            cross_stack_resources=self.exports,
        )
        self.stacks[stack.stack_id] = stack
        stack._move("REVIEW_IN_PROGRESS", "User Initiated")
        return stack

    def execute_change_set(  # noqa: D102
        self, change_set_name: str, stack_name: str | None = None
    ) -> None:
        change_set = self.describe_change_set(change_set_name)
        if change_set is None or change_set.execution_status != "AVAILABLE":
            raise ValidationError(
                message=f"ChangeSet [{change_set_name}] cannot be executed in its current status."
            )
        stack = self.stacks[change_set.stack_id]
        assert isinstance(stack, LocalStack)
        if change_set.tags:
            stack.tags = change_set.tags
        if change_set.change_set_type == "CREATE":
            stack.template, stack.parameters = change_set.template, change_set.parameters
            stack._parse_template()
            stack.resource_map = stack._create_resource_map()
            stack.build()
        else:
            stack.rebuild(change_set.template, change_set.parameters)
        change_set.execution_status = (
            "EXECUTE_COMPLETE"
            if stack.status.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE"))
            else "EXECUTE_FAILED"
        )
        self._publish(stack)

    def update_stack(  # noqa: D102
        self,
        name: str,
        template: str,
        role_arn: str | None,
        parameters: list[dict[str, Any]],
        tags: dict[str, str] | None,
    ) -> Stack:
        stack = self.get_stack(name)
        assert isinstance(stack, LocalStack)
        given = {
            key: plain(value)
            for key, value in self._resolve_update_parameters(stack, parameters).items()
        }
        check_parameters(Stack.parse_template(template), given)
        stack.tags = tags if tags is not None else stack.tags
        stack.rebuild(template, given)
        self._publish(stack)
        return stack

    def delete_stack(self, name_or_stack_id: str) -> None:  # noqa: D102
        for stack in list(self.stacks.values()):
            if name_or_stack_id in (stack.name, stack.stack_id):
                self._refuse_while_imported(stack)
                stack.delete()
                if stack.status == "DELETE_COMPLETE":
                    for name in self._exports_of(stack):
                        del self.exports[name]
                    self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)

    def _refuse_while_imported(self, stack: Stack) -> None:
        for name in self._exports_of(stack):
            for other in self.stacks.values():
                if other is not stack and name in imports(other):
                    raise ValidationError(
                        message=f"Export {name} cannot be deleted as it is in use by {other.name}"
                    )

    def _exports_of(self, stack: Stack) -> list[str]:
        return [
            name
            for name, export in self.exports.items()
            if export.exporting_stack_id == stack.stack_id
        ]

    def _publish(self, stack: Stack) -> None:
        if stack.status.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")):
            for name in self._exports_of(stack):
                del self.exports[name]
            self.exports.update({export.name: export for export in stack.exports})


def outputs_differ(stack: Stack, template: Mapping[str, Any]) -> bool:
    """Whether only the outputs change, which AWS counts as a change too."""
    return bool(stack.template_dict.get("Outputs") != template.get("Outputs"))


def imports(stack: Stack) -> set[str]:
    """The names of the exports that a stack uses."""
    return set(_import_names(stack.template_dict.get("Resources", {}), stack))


def _import_names(value: Any, stack: Stack) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Fn::ImportValue":
                yield str(parsing.clean_json(item, stack.resource_map))
            else:
                yield from _import_names(item, stack)
    elif isinstance(value, list):
        for item in value:
            yield from _import_names(item, stack)
