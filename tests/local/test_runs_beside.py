"""Runs of jobs with what a company puts into a task: single secrets, volumes, sidecars."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable

import pytest

from steadyspot.deploy.checks.checks import run
from steadyspot.deploy.checks.findings import Level, Looks
from steadyspot.deploy.stacks.config import Sidecar, Volume
from tests.local.runs import Place, Work

WORDS = {"PASSWORD": "hush-1-hush", "TOKEN": "hush-2-hush"}
DIGEST = hashlib.sha256("".join(WORDS.values()).encode()).hexdigest()


@pytest.fixture
def secrets(place: Place) -> dict[str, str]:
    """A key of a secret, and a parameter that is encrypted: their ARNs by variable."""
    name = f"night/{uuid.uuid4().hex[:8]}"
    manager, ssm = place.session.client("secretsmanager"), place.session.client("ssm")
    arn = manager.create_secret(Name=name, SecretString=f'{{"word":"{WORDS["PASSWORD"]}"}}')["ARN"]
    ssm.put_parameter(Name=f"/{name}", Value=WORDS["TOKEN"], Type="SecureString")
    parameter = ssm.get_parameter(Name=f"/{name}")["Parameter"]["ARN"]
    return {"PASSWORD": f"{arn}:word::", "TOKEN": str(parameter)}


def logged(work: Work) -> str:
    events = work.logs.filter_log_events(logGroupName=work.outputs["LogGroup"])["events"]
    return "\n".join(event["message"] for event in events)


def test_a_job_has_its_single_secrets_and_its_sidecar_runs_beside_it(
    place: Place, secrets: dict[str, str]
) -> None:
    work = place.job(
        *("sh", "-c", 'printf %s "$PASSWORD$TOKEN" | sha256sum'),
        secrets=secrets,
        volumes={"cache": Volume("/cache")},
        sidecars={
            "beside": Sidecar(
                "steadyspot-worker:local",
                command=("sh", "-c", 'echo "beside $LEVEL"; exec sleep 600'),
                environment={"LEVEL": "2"},
                volumes={"cache": "/shared"},
            )
        },
    )
    work.succeeded(work.start())
    said = logged(work)
    assert DIGEST in said
    assert "beside 2" in said
    (task,) = work.tasks()
    codes = {one["name"]: one.get("exitCode") for one in work.task(task)["containers"]}
    assert codes["worker"] == 0
    assert codes["beside"] is not None


@pytest.mark.parametrize("spoil", ["secret", "parameter"])
def test_a_single_secret_that_is_not_there_stops_the_run_as_one_that_is_missing(
    place: Place, secrets: dict[str, str], spoil: str
) -> None:
    gone: Callable[[str], str] = {
        "secret": lambda arn: arn.replace(":word::", ":other::"),
        "parameter": lambda arn: arn.replace(":parameter/night", ":parameter/no"),
    }[spoil]
    work = place.job("true", secrets={name: gone(arn) for name, arn in secrets.items()})
    found = {
        one.about.rpartition(" ")[2]: one.level
        for one in run(Looks(work.target, [work.job]))
        if one.about.startswith(f"{work.name}: secret ")
    }
    assert found == {
        "PASSWORD": Level.GOOD,  # The secret is there: its keys are not looked at.
        "TOKEN": Level.BAD if spoil == "parameter" else Level.GOOD,
    }
    assert work.failed(work.start())["error"] == "Steadyspot.Misconfigured"
    assert work.parked()["cause"] == "secret-missing"
