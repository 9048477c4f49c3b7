"""Puts the types and the stacks of this package into moto.

moto keeps its list of types in caches and its stacks behind one class for all accounts; both are
replaced through the names that moto itself looks them up by.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack, cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, s3_backends

# Importing them defines the types, and that is what moto looks for.
from steadyspot.deploy.local.cloudformation import (  # noqa: F401
    messaging,
    network,
    storage,
    telling,
    workflow,
)
from steadyspot.deploy.local.cloudformation.backend import LocalCloudFormation
from steadyspot.deploy.local.cloudformation.text import SAFE_YAML, StoredText, parsed

_moto_validates = CloudFormationResponse._validate_different_update


def register() -> None:
    """Make moto's CloudFormation that of the embedded AWS. Safe to call more than once."""
    for cache in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cache.cache_clear()
    for module in (models, responses):
        module.yaml = SAFE_YAML  # type: ignore[attr-defined]
    cloudformation_backends.backend = LocalCloudFormation
    CloudFormationResponse._validate_different_update = (  # type: ignore[method-assign]
        _validate_different_update
    )
    CloudFormationResponse._get_stack_from_s3_url = (  # type: ignore[method-assign]
        _template_at
    )
    CloudFormationResponse.list_change_sets = (  # type: ignore[method-assign]
        _change_sets_of_the_stack
    )
    CloudFormationResponse.validate_template = (  # type: ignore[method-assign]
        _template_that_can_be_read
    )
    FakeBucket.get_permission = _not_enforced  # type: ignore[assignment, method-assign]


def _not_enforced(_bucket: FakeBucket, _action: str, _resource: str) -> PermissionResult:
    """Let everybody use a bucket: moto reads no conditions, "never without TLS" would be never."""
    return PermissionResult.NEUTRAL


def _change_sets_of_the_stack(self: CloudFormationResponse) -> ActionResult:
    """Those of the stack that is asked about; moto lists the account's."""
    named = self._get_param("StackName")
    found = [
        one
        for one in self.cloudformation_backend.list_change_sets()
        if named in (one.stack.name, one.stack.stack_id)
    ]
    return ActionResult({"Summaries": found})


def _template_that_can_be_read(self: CloudFormationResponse) -> ActionResult:
    """What AWS checks there; moto calls another program, which leaves a file where it runs."""
    address = self._get_param("TemplateURL")
    text = self._get_stack_from_s3_url(address) if address else self._get_param("TemplateBody")
    template = parsed(text or "")
    parameters = [
        {
            "ParameterKey": name,
            "DefaultValue": str(rule.get("Default", "")),
            "NoEcho": bool(rule.get("NoEcho", False)),
            "Description": str(rule.get("Description", "")),
        }
        for name, rule in template.get("Parameters", {}).items()
    ]
    return ActionResult({"Description": template.get("Description", ""), "Parameters": parameters})


def _template_at(self: CloudFormationResponse, template_url: str) -> str:
    """The text of a template in S3; moto does not know the address of a server on 127.0.0.1."""
    address = urlparse(template_url)
    host = str(address.hostname)
    bucket, _, key = address.path.lstrip("/").partition("/")
    if ".s3." in host:
        bucket, key = host.split(".s3.", maxsplit=1)[0], address.path.lstrip("/")
    stored = s3_backends[self.current_account][self.partition].get_object(bucket, key)
    if stored is None:
        raise ValidationError(message=f"S3 error: The specified key does not exist: {key}")
    return StoredText(stored.value.decode())


def _validate_different_update(
    self: CloudFormationResponse,
    incoming_params: list[dict[str, Any]] | None,
    stack_body: str,
    old_stack: Stack,
) -> None:
    """Refuse an update without changes; a change set without changes is made, and says so itself.

    ``aws cloudformation deploy`` looks for that in the change set's status.
    """
    if self._get_action() != "CreateChangeSet":
        _moto_validates(self, incoming_params, stack_body, old_stack)
