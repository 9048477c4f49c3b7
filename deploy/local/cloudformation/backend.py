"""The API's backend: stacks and change sets by name, parameters, exports between stacks.

moto forgets the exports of a stack made by a change set, cannot import into one, and compares texts
of templates and not what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from moto.cloudformation import parsing, urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.utils import (
    generate_changeset_id,
    generate_stack_id,
    validate_create_change_set,
)

from steadyspot.deploy.local.cloudformation.parameters import check_parameters, plain
from steadyspot.deploy.local.cloudformation.stacks import LocalChangeSet, LocalStack
from steadyspot.deploy.local.cloudformation.text import check_size, parsed

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)


class Changing(dict[str, Any]):
    """What is looked through while other threads add to it and take from it: as it was at first."""

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))

    def keys(self) -> list[str]:  # type: ignore[override]
        return list(super().keys())

    def values(self) -> list[Any]:  # type: ignore[override]
        return list(super().values())

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        return list(super().items())


class LocalCloudFormation(CloudFormationBackend):
    """The API's backend, with stacks and change sets of ours."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.stacks, self.deleted_stacks = Changing(), Changing()
        self.exports, self.change_sets = Changing(), Changing()

    @property
    def _url_module(self) -> ModuleType:
        """Where moto looks for the addresses of the API: beside the backend's class, it thinks."""
        return urls

    def create_stack(  # noqa: PLR0913, PLR0917
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
        check_size(template)
        check_parameters(parsed(template), parameters)
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

    def create_change_set(  # noqa: PLR0913, PLR0917
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
        check_size(template)
        parameters = {key: plain(value) for key, value in parameters.items()}
        wanted = parsed(template)
        check_parameters(wanted, parameters)
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
        retagged = tags is not None and tags != stack.tags
        if change_set.changes or outputs_differ(stack, wanted) or retagged:
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
            refuse_if_busy(existing)
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
        stack.move("REVIEW_IN_PROGRESS", "User Initiated")
        return stack

    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = self.describe_change_set(change_set_name)
        if change_set is None or change_set.execution_status != "AVAILABLE":
            raise ValidationError(
                message=f"ChangeSet [{change_set_name}] cannot be executed in its current status."
            )
        stack = self.stacks[change_set.stack_id]
        refuse_if_busy(stack)
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

    def update_stack(
        self,
        name: str,
        template: str,
        role_arn: str | None,
        parameters: list[dict[str, Any]],
        tags: dict[str, str] | None,
    ) -> Stack:
        stack = self.get_stack(name)
        refuse_if_busy(stack)
        assert isinstance(stack, LocalStack)
        check_size(template)
        given = {
            one["ParameterKey"]: stack.stack_parameters[one["ParameterKey"]]
            if one.get("UsePreviousValue")
            else plain(one["ParameterValue"])
            for one in parameters
        }
        check_parameters(parsed(template), given)
        stack.tags = tags if tags is not None else stack.tags
        stack.rebuild(template, given)
        self._publish(stack)
        return stack

    def delete_stack(self, name_or_stack_id: str) -> None:
        for stack in list(self.stacks.values()):
            if name_or_stack_id in (stack.name, stack.stack_id):
                refuse_if_busy(stack)
                self._refuse_while_imported(stack)
                stack.delete()
                if stack.status == "DELETE_COMPLETE":
                    for name in self._exports_of(stack):
                        del self.exports[name]
                    for one in [s for s in self.change_sets.values() if s.stack is stack]:
                        del self.change_sets[one.change_set_id]
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
            for one in stack.exports:
                self.exports[one.name] = parsing.Export(
                    one.exporting_stack_id, one.name, plain(one.value)
                )


def refuse_if_busy(stack: Stack) -> None:
    """Let only one change a stack at a time, which is the lock that everybody relies on.

    Raises
    ------
    ValidationError
        Someone else's change is under way.
    """
    if stack.status.endswith("IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        raise ValidationError(
            message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
        )


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
