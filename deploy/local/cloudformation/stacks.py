"""A stack whose changes leave events and whose failures roll back, as in AWS.

moto keeps no events of resources and answers a failed creation with an error of the API. All that
happens to a stack happens within the one call, so that a stack never stays IN_PROGRESS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Change, ChangeSet, Event, Stack
from moto.cloudformation.parsing import Export

from steadyspot.deploy.local.cloudformation.parameters import plain
from steadyspot.deploy.local.cloudformation.preview import changes
from steadyspot.deploy.local.cloudformation.resources import Planned, Resources, sentence
from steadyspot.deploy.local.cloudformation.text import parsed

OUTPUTS_KNOWN = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class LocalStack(Stack):
    """A stack whose changes leave events and whose failures roll back."""

    resource_map: Resources
    _exports: Sequence[Export] = ()

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """A nested stack has no name of its own."""
        return ""

    def is_created(self) -> bool:
        """A stack is there once the call is answered."""
        return True

    def _create_resource_map(self) -> Resources:
        return self.resources_of(Resources, self.template_dict, self.parameters, self.tags)

    def resources_of(
        self,
        kind: type[Resources],
        template: dict[str, Any],
        parameters: dict[str, Any],
        tags: dict[str, str],
    ) -> Resources:
        """Resources of this stack for template, parameters and tags, with nothing made yet."""
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
        resources.start(self._report, tags)
        resources.load()
        return resources

    @staticmethod
    def parse_template(template: str) -> dict[str, Any]:
        """The template as data."""
        return parsed(template)

    @property
    def stack_parameters(self) -> dict[str, Any]:
        """All parameters with their values as text, as they were given or are by default."""
        return {key: plain(value) for key, value in self.resource_map.resolved_parameters.items()}

    @property
    def parameter_list(self) -> list[dict[str, Any]]:
        """The same, as moto's serializer shows them; a list there would read as Python's."""
        return [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in self.stack_parameters.items()
        ]

    @property
    def stack_name(self) -> str:
        """The name under which moto's serializer looks for a stack's name in a list."""
        return self.name

    @property
    def stack_status(self) -> str:
        """The name under which moto's serializer looks for a stack's status in a list."""
        return self.status

    @property
    def stack_resources(self) -> list[Any]:
        """The resources that are there."""
        return [self.resource_map.live(key) for key in self.resource_map.applied]

    @property
    def outputs(self) -> list[dict[str, Any]] | None:
        """What the stack puts out, once everything is there."""
        return super().outputs if self.status.endswith(OUTPUTS_KNOWN) else None

    @property
    def exports(self) -> list[Export]:
        """What the stack exports, as it was last put out: moto asks for all with each output."""
        return [*self._exports]

    def build(self) -> None:
        """Make everything; on a failure take back what was made."""
        self.move("CREATE_IN_PROGRESS", "User Initiated")
        try:
            self.resource_map.create(self.template_dict)
            self._put_out()
        except Exception as error:
            self.move("ROLLBACK_IN_PROGRESS", sentence(error))
            stuck = self.resource_map.remove_all()
            self.move("ROLLBACK_FAILED" if stuck else "ROLLBACK_COMPLETE")
        else:
            self.move("CREATE_COMPLETE")

    def rebuild(self, template: str, parameters: dict[str, Any]) -> None:
        """Change everything to a new template and parameters; on a failure go back to the old."""
        old_template, old_parameters = self.template, self.parameters
        self.move("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply(template, parameters)
        except Exception as error:
            self.move("UPDATE_ROLLBACK_IN_PROGRESS", sentence(error))
            try:
                self._apply(str(old_template), old_parameters)
            except Exception as again:
                self.move("UPDATE_ROLLBACK_FAILED", sentence(again))
            else:
                self.move("UPDATE_ROLLBACK_COMPLETE")
        else:
            self.move("UPDATE_COMPLETE")

    def _apply(self, template: str, parameters: dict[str, Any]) -> None:
        self.template = template
        self.parameters = parameters
        self._parse_template()
        self.description = self.template_dict.get("Description")
        self.resource_map.change(self.template_dict, parameters, self.tags)
        self._put_out()

    def _put_out(self) -> None:
        self.output_map = self._create_output_map()
        for output in self.output_map.values():  # each is worked out here, or fails here
            if output is not None and not str(output.value).strip():
                raise ValidationError(
                    message=f"Cannot export output {output.key}. "
                    "Exported values must not be empty or whitespace-only."
                )
        self._exports = self.output_map.exports

    def delete(self) -> None:
        """Remove everything that is not retained."""
        self.move("DELETE_IN_PROGRESS", "User Initiated")
        stuck = self.resource_map.remove_all()
        if stuck:
            self.move(
                "DELETE_FAILED",
                f"The following resource(s) failed to delete: [{', '.join(stuck)}]. ",
            )
        else:
            self.move("DELETE_COMPLETE")

    def move(self, status: str, reason: str | None = None) -> None:
        """Go to a status, and say so in an event."""
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

    def _parse_template(self) -> None:
        self.template_dict = parsed(self.template)

    def diff(self) -> list[Change]:
        """One change per resource that would be made, changed or removed."""
        stack = self.stack
        assert isinstance(stack, LocalStack)
        planned = stack.resources_of(
            Planned, self.template_dict, self.parameters, self.tags or stack.tags
        )
        assert isinstance(planned, Planned)
        return list(changes(stack.resource_map, planned))
