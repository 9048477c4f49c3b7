"""The AWS CLI as a second client: what it deploys and reads is what the verbs do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.changes import states_that_change
from steadyspot.deploy.stacks.templates import TEMPLATES, job_template, platform_template
from tests.local.stacks import Stacks


def aws_cli(aws: LocalAws, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("aws")), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            **aws.address.environment(),
        },
    )


def test_the_cli_of_aws_packages_and_deploys_both_templates(
    local_aws: LocalAws, tmp_path: Path
) -> None:
    """As docs/how-to/deploy.md says it, by way of a bucket of one's own."""
    stacks = Stacks(local_aws)

    def cli(*words: str) -> str:
        done = aws_cli(local_aws, tmp_path, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    own = f"{stacks.platform}-own"
    cli("s3", "mb", f"s3://{own}")

    def deploy(template: str, *deployed: str) -> str:
        packaged = str(tmp_path / template)
        cli("cloudformation", "package", "--template-file", str(TEMPLATES / template),
            "--s3-bucket", own, "--output-template-file", packaged)  # fmt: skip
        return cli("cloudformation", "deploy", "--template-file", packaged,
                   "--capabilities", "CAPABILITY_IAM", *deployed)  # fmt: skip

    deploy("platform.yaml", "--stack-name", stacks.platform)
    platform = stacks.outputs(stacks.platform)
    job = ("--stack-name", f"{stacks.platform}-report", "--parameter-overrides", "Job=report",
           "Image=i", "ImageRepository=report", f"Platform={stacks.platform}",
           "--no-fail-on-empty-changeset")  # fmt: skip
    deploy("job.yaml", *job)
    job_outputs = stacks.outputs(f"{stacks.platform}-report")
    sfn = local_aws.session().client("stepfunctions")
    for template, name, arn in (
        (job_template(), "StateMachine", job_outputs["StateMachine"]),
        (platform_template(), "BeforeTheStart", platform["BeforeTheStart"]),
        (job_template(), "AtTheDeadline", job_outputs["AtTheDeadline"]),
        (job_template(), "AfterTheEnd", job_outputs["AfterTheEnd"]),
    ):
        shown = sfn.describe_state_machine(stateMachineArn=arn)["definition"]
        assert states_that_change(json.loads(shown), template.graph(name)) == ()
    assert "No changes to deploy" in deploy("job.yaml", *job)
