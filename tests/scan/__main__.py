"""Holds every policy of every role against parliament's rules.

The stacks are deployed on the embedded AWS, so that policies are read as IAM would get them, every
function of CloudFormation resolved. The scanner runs from an environment of its own beside this
file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config import Config, Job, Platform, Sidecar, Volume
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.notify import Notify
from steadyspot.deploy.stacks.parameters import of_platform
from steadyspot.deploy.stacks.templates import Template
from steadyspot.deploy.stacks.up import platform_of, stack_of
from steadyspot.deploy.target import Target

PARLIAMENT = Path(__file__).parent / ".venv" / "bin" / "parliament"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:job-AbCdEf"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/job"
SIDECAR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tools/beside:1"
EXPLAINED = {
    # X-Ray's segments, the registry's log-in and the channels of ECS Exec know no resources.
    "RESOURCE_STAR": "",
    # parliament knows the ARNs of express executions only; ours are Standard.
    "RESOURCE_MISMATCH": "states:DescribeExecution",
}


def main() -> int:
    """Print each finding; the exit code is 1 if there is one."""
    found = list(policies())
    findings = [line for name, policy in found for line in judged(name, policy)]
    for line in findings:
        print(line)
    print(f"{len(findings)} findings in {len(found)} policies of the roles")
    return 1 if findings else 0


def policies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every policy that the two stacks give to roles, under the role's or its own name."""
    platform = Platform(name="scan", key=KEY)
    job = Job(
        name="job",
        image="image",
        schedule="rate(1 hour)",
        secret=SECRET,
        secrets={"ONE": f"{SECRET}:key::", "TWO": PARAMETER},
        volumes={"models": Volume("/models", efs="fs-0a", access_point="fsap-0b")},
        sidecars={"beside": Sidecar(SIDECAR)},
        debug=True,
        encrypt_history=True,
        log_group="/scan/job",
    )
    with LocalAws() as aws:
        key = json.dumps({"key": "value"})
        made = aws.session().client("secretsmanager").create_secret(Name="told", SecretString=key)
        told = (
            Notify(mail="a@example.com", sender="b@example.com"),
            Notify(webhook="pagerduty", secret=made["ARN"]),
        )
        target = Target(Config(Path("steadyspot.toml"), platform, {}, None, told), aws.session())
        create(target, "scan", platform_of(target).template, of_platform(platform))
        stack = stack_of(target, job)
        create(target, stack.stack, stack.template, dict(stack.parameters))
        iam = aws.session().client("iam")
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                found = iam.get_role_policy(RoleName=name, PolicyName=policy)
                yield name.rpartition("-")[0], found["PolicyDocument"]
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            version = iam.get_policy_version(
                PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
            )
            if "LogDelivery" not in policy["PolicyName"]:  # Step Functions wants it on everything.
                yield policy["PolicyName"], version["PolicyVersion"]["Document"]


def create(target: Target, name: str, template: Template, parameters: dict[str, str]) -> None:
    """Deploy a stack as ``steadyspot up`` does."""
    upload(target, template)
    target.stacks.deploy(name, template.text, parameters, lambda _event: None)


def judged(name: str, policy: dict[str, Any]) -> Iterator[str]:
    """Yield what parliament finds in a policy."""
    run = subprocess.run(
        [str(PARLIAMENT), "--string", json.dumps(policy), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode and not run.stdout:
        raise SystemExit(f"parliament failed: {run.stderr}")
    for line in run.stdout.splitlines():
        finding = json.loads(line)
        if EXPLAINED.get(finding["issue"], "no such text") not in str(finding["detail"]):
            yield f"{name}: {finding['severity']} {finding['issue']}: {finding['detail']}"


if __name__ == "__main__":
    sys.exit(main())
