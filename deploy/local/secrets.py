"""What ECS takes from Secrets Manager into a container when it starts a task.

Read straight from moto's secrets of this process. A definition may name a whole secret by its ARN,
as the template does; that the execution role may read it is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import secretsmanager_backends


class NoSecret(Exception):
    """A secret cannot be had; the text goes behind `ResourceInitializationError`."""


def secret_values(secrets: Sequence[Mapping[str, str]] | None, account_id: str) -> dict[str, str]:
    """The variables that a container definition's `secrets` come to.

    Raises
    ------
    NoSecret
        One of them is not there, is marked for deletion, or is no text.
    """
    return {one["name"]: _value(one["valueFrom"], account_id) for one in secrets or ()}


def _value(arn: str, account_id: str) -> str:
    region = arn.split(":")[3]
    try:
        found = secretsmanager_backends[account_id][region].get_secret_value(arn, "", "AWSCURRENT")
        return str(found["SecretString"])
    except SecretsManagerClientError as error:
        raise _not_fetched(arn, f"{error.error_type}: {error.message}") from error
    except KeyError as error:
        raise _not_fetched(arn, "it holds no text") from error


def _not_fetched(arn: str, why: str) -> NoSecret:
    return NoSecret(
        "unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
        "retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
        f"secret {arn} from secrets manager: {why}"
    )
