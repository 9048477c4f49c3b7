"""What `check` looks at in a job's secret: that it is there and holds environment variables.

No value is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.stacks.config_file import is_environment

NO_SECRET = ("ResourceNotFoundException", "InvalidRequestException")
"""What Secrets Manager says of a secret that is not there, or is marked for deletion."""


def secrets(looks: Looks) -> Iterator[Finding]:
    """Yield whether each secret holds variables."""
    for job in looks.jobs:
        if job.secret:
            yield _secret(looks, f"{job.name}: secret", job.secret)
        for table in (job.secrets, *(one.secrets for one in job.sidecars.values())):
            for variable, arn in table.items():
                yield _single(looks, f"{job.name}: secret {variable}", arn)


def _single(looks: Looks, about: str, arn: str) -> Finding:
    """Return whether what one variable is fetched from is there; its value is not fetched."""
    try:
        if ":ssm:" in arn:
            looks.client("ssm").get_parameter(Name=arn)
        else:
            looks.client("secretsmanager").describe_secret(SecretId=":".join(arn.split(":")[:7]))
    except ClientError as error:
        if error.response["Error"]["Code"] not in (*NO_SECRET, "ParameterNotFound"):
            raise
        return Finding(
            about, Level.BAD, f"{arn} is not there.", "Create it, or correct secrets in the file."
        )
    return Finding(about, Level.GOOD, f"{arn} is there")


def _secret(looks: Looks, about: str, arn: str) -> Finding:
    """Return whether a secret holds variables, of which nothing but their number is shown."""
    try:
        held = looks.client("secretsmanager").get_secret_value(SecretId=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NO_SECRET:
            raise
        return Finding(
            about,
            Level.BAD,
            f"{arn} is not there, or is marked for deletion.",
            "Create or restore it, or correct secret in steadyspot.toml.",
        )
    variables = _variables(held.get("SecretString", ""))
    return judged(
        about,
        variables is not None,
        f"{arn} is not a JSON object of environment variables."
        if variables is None
        else f"{arn} holds {len(variables)} variable{'s' * (len(variables) != 1)}",
        'Write it like {"NAME": "value"}, all values in quotes, no STEADYSPOT_ before a name.',
    )


def _variables(text: str) -> dict[str, str] | None:
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if is_environment(found) else None
