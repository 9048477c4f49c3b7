"""Types of what is called by HTTP or shows a chat: connection, API destination, pipe, channel.

moto has their records but not as types. A reference to a secret is resolved when the resource is
made, as CloudFormation does; chats are records alone, since nobody here shows them.
"""

from __future__ import annotations

import json
import re
from typing import Any, Self

from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.events.models import events_backends
from moto.pipes.models import pipes_backends

from steadyspot.deploy.local.cloudformation.resource import Place, Properties, Resource
from steadyspot.deploy.local.secrets import NoSecret, secret_value

_REFERENCE = re.compile(r"\{\{resolve:secretsmanager:(arn:[^{}]+):SecretString:([^:{}]+)[:{}]*\}\}")


def with_secrets(place: Place, value: Any) -> Any:
    """The same value with each reference to a secret's key replaced by what that holds.

    Raises
    ------
    ValidationError
        A secret is not there, or has no such key.
    """

    def put(reference: re.Match[str]) -> str:
        try:
            found = secret_value(f"{reference[1]}:{reference[2]}::", place.account_id)
        except NoSecret as error:
            raise ValidationError(message=f"Could not resolve {reference[0]}: {error}") from error
        return json.dumps(found)[1:-1]

    return json.loads(_REFERENCE.sub(put, json.dumps(value)))


class ConnectionResource(Resource, CloudFormationModel):
    """By which key something is called."""

    TYPE = "AWS::Events::Connection"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn", "SecretArn")
    REPLACED_BY = ("Name",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        auth = with_secrets(place, properties["AuthParameters"])
        kind = properties["AuthorizationType"]
        connection = events_backends[place.account_id][place.region].create_connection(
            name, properties.get("Description", ""), kind, auth
        )
        return cls(name, properties, Arn=connection.arn, SecretArn=connection.secret_arn)

    def _change(self, place: Place, properties: Properties) -> None:
        events_backends[place.account_id][place.region].update_connection(
            name=self.physical_resource_id,
            auth_parameters=with_secrets(place, properties["AuthParameters"]),
        )

    def _remove(self, place: Place) -> None:
        backend = events_backends[place.account_id][place.region]
        if self.physical_resource_id in backend.connections:
            backend.delete_connection(self.physical_resource_id)


class ApiDestinationResource(Resource, CloudFormationModel):
    """What is called by HTTP."""

    TYPE = "AWS::Events::ApiDestination"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("Name",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        made = events_backends[place.account_id][place.region].create_api_destination(
            name=name,
            description=properties.get("Description", ""),
            connection_arn=properties["ConnectionArn"],
            invocation_endpoint=with_secrets(place, properties["InvocationEndpoint"]),
            invocation_rate_limit_per_second=str(properties.get("InvocationRateLimitPerSecond", 0)),
            http_method=properties["HttpMethod"],
        )
        return cls(name, properties, Arn=made["ApiDestinationArn"])

    def _change(self, place: Place, properties: Properties) -> None:
        events_backends[place.account_id][place.region].update_api_destination(
            name=self.physical_resource_id,
            connection_arn=properties["ConnectionArn"],
            invocation_endpoint=with_secrets(place, properties["InvocationEndpoint"]),
            http_method=properties["HttpMethod"],
        )

    def _remove(self, place: Place) -> None:
        backend = events_backends[place.account_id][place.region]
        backend.destinations.pop(self.physical_resource_id, None)


class PipeResource(Resource, CloudFormationModel):
    """What moves messages; ``deploy.local.pipes`` does it."""

    TYPE = "AWS::Pipes::Pipe"
    NAME_PROPERTY = "Name"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("Name", "Source")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        pipe = pipes_backends[place.account_id][place.region].create_pipe(
            name=name,
            description=properties.get("Description"),
            desired_state=properties.get("DesiredState"),
            source=properties["Source"],
            source_parameters=properties.get("SourceParameters"),
            enrichment=properties.get("Enrichment"),
            enrichment_parameters=properties.get("EnrichmentParameters"),
            target=properties["Target"],
            target_parameters=properties.get("TargetParameters"),
            role_arn=properties["RoleArn"],
            tags=properties.get("Tags"),
            log_configuration=properties.get("LogConfiguration"),
            kms_key_identifier=properties.get("KmsKeyIdentifier"),
        )
        return cls(name, properties, Arn=pipe.arn)

    def _change(self, place: Place, properties: Properties) -> None:
        pipe = pipes_backends[place.account_id][place.region].pipes[self.physical_resource_id]
        pipe.target = properties["Target"]
        pipe.target_parameters = properties.get("TargetParameters")

    def _remove(self, place: Place) -> None:
        backend = pipes_backends[place.account_id][place.region]
        backend.pipes.pop(self.physical_resource_id, None)


class _Channel(Resource):
    """A channel of a chat, as a record."""

    NAME_PROPERTY = "ConfigurationName"
    ATTRIBUTES = ("Arn",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        arn = f"arn:{place.partition}:chatbot::{place.account_id}:chat-configuration/{name}"
        return cls(arn, properties, Arn=arn)

    def _change(self, place: Place, properties: Properties) -> None:
        """Nothing reads it."""

    def _remove(self, place: Place) -> None:
        """Nothing holds it."""


class SlackChannelResource(_Channel, CloudFormationModel):
    """A channel of Slack."""

    TYPE = "AWS::Chatbot::SlackChannelConfiguration"
    REPLACED_BY = ("ConfigurationName", "SlackWorkspaceId")


class TeamsChannelResource(_Channel, CloudFormationModel):
    """A channel of Teams."""

    TYPE = "AWS::Chatbot::MicrosoftTeamsChannelConfiguration"
    REPLACED_BY = ("ConfigurationName", "TeamId")
