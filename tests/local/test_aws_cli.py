"""The AWS CLI as a second client: what it deploys and reads is what the verbs do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from steadyspot.deploy.local.aws import LocalAws
from tests.local.stacks import TEMPLATES, Stacks


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
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_DEFAULT_REGION": aws.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        },
    )


def test_the_cli_of_aws_deploys_both_templates(local_aws: LocalAws, tmp_path: Path) -> None:
    stacks = Stacks(local_aws)

    def deploy(name: str, template: str, *more: str) -> subprocess.CompletedProcess[str]:
        where = ("--stack-name", name, "--template-file", str(TEMPLATES / template))
        return aws_cli(
            local_aws, tmp_path, "cloudformation", "deploy", *where,
            "--capabilities", "CAPABILITY_IAM", *more,
        )  # fmt: skip

    done = deploy(stacks.platform, "platform.yaml")
    assert done.returncode == 0, done.stderr
    job = f"{stacks.platform}-report"
    given = ("Job=report", "Image=i", f"Platform={stacks.platform}")
    done = deploy(job, "job.yaml", "--parameter-overrides", *given)
    assert done.returncode == 0, done.stderr
    assert "StateMachine" in stacks.outputs(job)
    again = deploy(job, "job.yaml", "--no-fail-on-empty-changeset")
    assert again.returncode == 0, again.stderr
    assert "No changes to deploy" in again.stdout
