"""What ECS takes from Secrets Manager and SSM into a container when it starts a task.

Read straight from moto's stores of this process. A definition names a whole secret by its ARN, one
of its keys with ``:KEY:STAGE:VERSION`` behind that, or a parameter; that the execution role may
read it is not asked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

_OF_A_SECRET = 7
"""Parts of a secret's ARN; key, stage and version are three more."""


class NoSecret(Exception):
    """A secret cannot be had; the text goes behind `ResourceInitializationError`."""


def secret_values(secrets: Sequence[Mapping[str, str]] | None, account_id: str) -> dict[str, str]:
    """The variables that a container definition's `secrets` come to.

    Raises
    ------
    NoSecret
        One of them is not there, is marked for deletion, or is no text.
    """
    return {one["name"]: secret_value(one["valueFrom"], account_id) for one in secrets or ()}


def secret_value(arn: str, account_id: str) -> str:
    """The value of one secret or parameter, as a container definition names it.

    Raises
    ------
    NoSecret
        It is not there, is marked for deletion, or is no text.
    """
    service, region = arn.split(":")[2:4]
    if service == "ssm":
        return _parameter(arn, account_id, region)
    parts = arn.split(":")
    secret = ":".join(parts[:_OF_A_SECRET])
    key, stage, version = [*parts[_OF_A_SECRET:], "", "", ""][:3]
    try:
        found = secretsmanager_backends[account_id][region].get_secret_value(
            secret, version, stage or "AWSCURRENT"
        )
        text = str(found["SecretString"])
        return str(json.loads(text)[key]) if key else text
    except SecretsManagerClientError as error:
        raise _not_fetched(arn, f"{error.error_type}: {error.message}") from error
    except (KeyError, TypeError, ValueError) as error:
        why = f"retrieved secret from Secrets Manager did not contain json key {key}"
        raise _not_fetched(arn, why if key else "it holds no text") from error


def _parameter(arn: str, account_id: str, region: str) -> str:
    name = arn.partition(":parameter")[2]
    for one in (name, name.removeprefix("/")):  # An ARN does not tell the two apart.
        found = ssm_backends[account_id][region].get_parameter(one)
        if found is not None:
            return str(found.response_object(decrypt=True)["Value"])
    raise NoSecret(
        "unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
        f"retrieve secrets from ssm: invalid parameters: {name}"
    )


def _not_fetched(arn: str, why: str) -> NoSecret:
    return NoSecret(
        "unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
        "retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
        f"secret {arn} from secrets manager: {why}"
    )
