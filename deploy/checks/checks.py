"""What ``steadyspot check`` looks at before anything is deployed; it changes nothing.

Each check is a function from a :class:`Looks` to findings. Where the account does not let us look,
or the target has no such service, that is a finding of its own and no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.stacks.config import Job, is_environment
from steadyspot.deploy.stacks.image_names import ECR, in_registry
from steadyspot.deploy.stacks.images import Engine, engine_here
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble

ROLE = "AWSServiceRoleForECS"
SPOT_QUOTA, ON_DEMAND_QUOTA, VPC_QUOTA = "L-36FBB829", "L-3032A538", "L-F678F1CE"
"""Codes of Service Quotas: Fargate Spot vCPU, Fargate On-Demand vCPU, VPCs per region."""
ACTIONS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:ExecuteChangeSet",
    "iam:CreateRole",
    "iam:PassRole",
    "ecs:RegisterTaskDefinition",
    "states:CreateStateMachine",
    "scheduler:CreateSchedule",
    "s3:CreateBucket",
    "dynamodb:CreateTable",
    "sns:CreateTopic",
    "sqs:CreateQueue",
)
"""One action of each kind that ``up`` needs; who may do these may do the others as a rule."""
_MAKE_ROLE = "Make it now: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
_NO_SECRET = ("ResourceNotFoundException", "InvalidRequestException")
"""What Secrets Manager says of a secret that is not there, or is marked for deletion."""
_SHORT_GRACE_SECONDS = 30
_INTERVALS = 50
"""Times of a schedule that are looked at for the shortest interval between two."""
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


class Level(StrEnum):
    """How bad a finding is; only ``BAD`` makes the check fail."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``what_to_do`` is empty where nothing is to be done."""

    about: str
    level: Level
    text: str
    what_to_do: str = ""


def _judged(about: str, good: bool, text: str, mend: str, otherwise: Level = Level.BAD) -> Finding:
    """Return what was looked at as good or as ``otherwise``, and only then how to mend it."""
    return Finding(about, Level.GOOD, text) if good else Finding(about, otherwise, text, mend)


class Looks:
    """What the checks look with."""

    def __init__(
        self,
        target: Target,
        jobs: list[Job],
        now: datetime | None = None,
        engine: Callable[[], Engine] = engine_here,
    ) -> None:
        self.target = target
        self.jobs = jobs
        self.now = now or datetime.now(UTC)
        self.engine = engine
        self.local = getattr(target.session, "switches", None) is not None

    def client(self, service: str) -> Any:
        """Return a client."""
        return self.target.client(service)


Check = Callable[[Looks], Iterator[Finding]]


def run(looks: Looks) -> Iterator[Finding]:
    """Yield all findings, in an order in which one would mend them.

    Who is asking comes first. AWS answers that to everybody, so an error there is not caught:
    credentials or region are wrong, and nothing else could be looked at.
    """
    yield from _identity(looks)
    for about, check in CHECKS:
        try:
            yield from check(looks)
        except (ClientError, BotoCoreError) as error:
            trouble = trouble_of(error)
            said = trouble.what if trouble else str(error)
            yield Finding(
                about,
                Level.NOTE,
                f"could not be checked: {said}",
                "" if looks.local else "Check with credentials that may look there.",
            )
        except Trouble as trouble:
            yield Finding(about, Level.BAD, trouble.what, trouble.what_to_do)


def _identity(looks: Looks) -> Iterator[Finding]:
    who = looks.client("sts").get_caller_identity()
    region = looks.target.session.region_name
    yield Finding("account", Level.GOOD, f"{who['Account']} in {region}, as {who['Arn']}")


def _schedules(looks: Looks) -> Iterator[Finding]:
    for job in looks.jobs:
        about = f"{job.name}: schedule"
        if job.schedule is None:
            yield Finding(about, Level.NOTE, "none: it runs only when started by hand")
            continue
        due = next_due(Timing(job.schedule, job.timezone, looks.now), None)
        if due is None:
            yield Finding(
                about,
                Level.BAD,
                f"{job.schedule} is never due again.",
                "Give it a time that is to come.",
            )
        else:
            rests = "" if job.enabled else ", but it rests (enabled = false)"
            shown = f"{due:%Y-%m-%d %H:%M} UTC"
            yield Finding(about, Level.GOOD, f"due next at {shown}{rests}")
            yield from _overlaps(job, about, due, looks.now)


def _overlaps(job: Job, about: str, due: datetime, now: datetime) -> Iterator[Finding]:
    """Yield a finding if some of the next runs begin before the one before them can be done."""
    timing = Timing(job.schedule or "", job.timezone, now)
    dues = [due]
    while len(dues) <= _INTERVALS and (later := next_due(timing, dues[-1])) is not None:
        dues.append(later)
    shortest = min(((b - a).total_seconds() / 60 for a, b in pairwise(dues)), default=None)
    if shortest is not None and shortest < job.expected_minutes:
        yield Finding(
            about,
            Level.NOTE,
            f"{job.schedule} is due {shortest:g} min after the time before, but a run takes "
            f"{job.expected_minutes:g} min: runs of several times will go on at once",
            "Let it be due less often, or correct expected_minutes in steadyspot.toml.",
        )


def _grace(looks: Looks) -> Iterator[Finding]:
    for job in looks.jobs:
        yield _judged(
            f"{job.name}: grace",
            job.stop_timeout_seconds >= _SHORT_GRACE_SECONDS,
            f"{job.stop_timeout_seconds} s from SIGTERM to SIGKILL; a reclaim leaves 120",
            "Raise stop_timeout unless a unit of work is that short.",
            Level.NOTE,
        )


def _zones(looks: Looks) -> Iterator[Finding]:
    platform, ec2 = looks.target.config.platform, looks.client("ec2")
    if platform.vpc is None:
        found = ec2.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
        )
        zones = {zone["ZoneName"] for zone in found["AvailabilityZones"]}
        yield _judged(
            "zones",
            len(zones) >= 3,
            f"a network of its own, in three of {len(zones)} zones",
            "Take a region with three zones, or name vpc and subnets.",
        )
        return
    subnets = ec2.describe_subnets(SubnetIds=list(platform.subnets))["Subnets"]
    strangers = [s["SubnetId"] for s in subnets if s["VpcId"] != platform.vpc]
    if strangers:
        yield Finding(
            "zones",
            Level.BAD,
            f"{', '.join(strangers)} are not in {platform.vpc}.",
            "Name subnets of that VPC in steadyspot.toml.",
        )
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    yield _judged(
        "zones",
        len(zones) >= 2,
        f"subnets in {', '.join(sorted(zones))}",
        "Name subnets in two zones or more: Spot runs out by zone.",
    )


def _providers(looks: Looks) -> Iterator[Finding]:
    name = looks.target.platform_stack
    clusters = looks.client("ecs").describe_clusters(clusters=[name])["clusters"]
    alive = [cluster for cluster in clusters if cluster["status"] == "ACTIVE"]
    if not alive:
        yield Finding("capacity", Level.GOOD, "the cluster will be made, with FARGATE_SPOT")
        return
    providers = set(alive[0].get("capacityProviders", []))
    missing = {"FARGATE", "FARGATE_SPOT"} - providers
    yield _judged(
        "capacity",
        not missing,
        f"the cluster lacks {', '.join(sorted(missing))}."
        if missing
        else "FARGATE and FARGATE_SPOT are associated with the cluster",
        "Run steadyspot up, which associates them again.",
    )


def _linked_role(looks: Looks) -> Iterator[Finding]:
    try:
        looks.client("iam").get_role(RoleName=ROLE)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        yield Finding(
            "role of ECS",
            Level.NOTE,
            f"{ROLE} is not there yet; the first cluster makes it, if you may",
            "" if looks.local else _MAKE_ROLE,
        )
    else:
        yield Finding("role of ECS", Level.GOOD, f"{ROLE} is there")


def _permissions(looks: Looks) -> Iterator[Finding]:
    arn = looks.client("sts").get_caller_identity()["Arn"]
    if ":assumed-role/" in arn:
        account, role = arn.split(":")[4], arn.split("/")[1]
        arn = f"arn:aws:iam::{account}:role/{role}"
    if looks.local:
        yield Finding("permissions", Level.NOTE, "the embedded AWS does not ask for any")
        return
    found = looks.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=list(ACTIONS)
    )
    denied = [
        result["EvalActionName"]
        for result in found["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]
    yield _judged(
        "permissions",
        not denied,
        f"you may not: {', '.join(denied)}." if denied else "enough to deploy",
        "Ask for them, or use another --profile.",
    )


def _quotas(looks: Looks) -> Iterator[Finding]:
    if looks.local:
        yield Finding("quotas", Level.NOTE, "the embedded AWS has none")
        return
    quotas = looks.client("service-quotas")
    wants = max((job.vcpu for job in looks.jobs), default=0)
    for name, code in (("Spot", SPOT_QUOTA), ("on-demand", ON_DEMAND_QUOTA)):
        value = quotas.get_service_quota(ServiceCode="fargate", QuotaCode=code)["Quota"]["Value"]
        yield _judged(
            "quotas",
            value >= wants,
            f"{value:g} vCPUs of Fargate {name} at a time; the largest job takes {wants:g}",
            "Ask for more: aws service-quotas request-service-quota-increase --service-code "
            f"fargate --quota-code {code} --desired-value {max(16, 4 * wants):g}",
        )
    new = not looks.target.stacks.exists(looks.target.platform_stack)
    if new and looks.target.config.platform.vpc is None:
        most = quotas.get_service_quota(ServiceCode="vpc", QuotaCode=VPC_QUOTA)["Quota"]["Value"]
        there = len(looks.client("ec2").describe_vpcs()["Vpcs"])
        yield _judged(
            "quotas",
            there < most,
            f"{there} of {most:g} VPCs are in use",
            "Raise that quota, or name vpc and subnets in steadyspot.toml.",
        )


def _images(looks: Looks) -> Iterator[Finding]:
    for job in looks.jobs:
        yield _image(looks, job)


def _image(looks: Looks, job: Job) -> Finding:
    about = f"{job.name}: image"
    if looks.local:
        return Finding(about, Level.GOOD, f"{job.image}: a name of this machine's set-up")
    if not in_registry(job.image):
        return _image_here(looks, job, about)
    found = ECR.fullmatch(job.image)
    if not found:
        return Finding(
            about, Level.NOTE, f"{job.image} is not in ECR: whether it is there was not looked up"
        )
    which = (
        {"imageDigest": found["digest"]}
        if found["digest"]
        else {"imageTag": found["tag"] or "latest"}
    )
    shown = looks.client("ecr").batch_get_image(
        registryId=found["account"], repositoryName=found["repository"], imageIds=[which]
    )
    if not shown["images"]:
        return Finding(
            about, Level.BAD, f"{job.image} is not there.", "Push it, or correct its name."
        )
    return _for_architecture(job, about, architectures(shown["images"][0]["imageManifest"]))


def _image_here(looks: Looks, job: Job, about: str) -> Finding:
    engine = looks.engine()
    if (looks.target.config.path.parent / "Dockerfile").is_file():
        return Finding(about, Level.GOOD, f"{job.image} will be built and pushed")
    if not engine.has(job.image):
        return Finding(
            about,
            Level.BAD,
            f"{job.image} is not on this machine.",
            "Build it under that name, or name one in a registry.",
        )
    return _for_architecture(job, about, {engine.about(job.image)[1]})


def _for_architecture(job: Job, about: str, found: set[str]) -> Finding:
    names = {_ARCHITECTURES.get(name, name) for name in found}
    if names and job.architecture not in names:
        return Finding(
            about,
            Level.BAD,
            f"{job.image} is for {', '.join(sorted(names))}, "
            f"but the job runs on {job.architecture}.",
            f"Build it for {job.architecture}, or set architecture in steadyspot.toml.",
        )
    return Finding(about, Level.GOOD, f"{job.image} is there, for {job.architecture}")


def architectures(manifest: str) -> set[str]:
    """Return what an image is built for, from the manifest of ECR; empty where it does not say."""
    import json

    listed = json.loads(manifest).get("manifests", [])
    return {
        one["platform"]["architecture"]
        for one in listed
        if one.get("platform", {}).get("architecture", "unknown") != "unknown"
    }


def _secrets(looks: Looks) -> Iterator[Finding]:
    for job in looks.jobs:
        if job.secret:
            yield _secret(looks, f"{job.name}: secret", job.secret)


def _secret(looks: Looks, about: str, arn: str) -> Finding:
    """Return whether a secret holds variables, of which nothing but their number is shown."""
    try:
        held = looks.client("secretsmanager").get_secret_value(SecretId=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_SECRET:
            raise
        return Finding(
            about,
            Level.BAD,
            f"{arn} is not there, or is marked for deletion.",
            "Create or restore it, or correct secret in steadyspot.toml.",
        )
    variables = _variables(held.get("SecretString", ""))
    return _judged(
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


def _mail(looks: Looks) -> Iterator[Finding]:
    mail = looks.target.config.platform.mail
    if mail is None:
        yield Finding(
            "mail", Level.NOTE, "nobody is told of trouble", "Set mail in steadyspot.toml."
        )
        return
    if not looks.target.stacks.exists(looks.target.platform_stack):
        yield Finding("mail", Level.GOOD, f"{mail} will be asked by AWS to confirm")
        return
    topic = looks.target.platform["Topic"]
    found = looks.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arns = [s["SubscriptionArn"] for s in found if s["Endpoint"] == mail]
    confirmed = any(arn.startswith("arn:") for arn in arns)
    yield _judged(
        "mail",
        confirmed,
        f"{mail} is told" if confirmed else f"{mail} has not confirmed yet, and is told nothing",
        "Click the link in AWS's mail; steadyspot up sends none again while it is pending.",
        Level.NOTE,
    )


def _stacks(looks: Looks) -> Iterator[Finding]:
    target = looks.target
    for name in (target.platform_stack, *map(target.config.job_stack, looks.jobs)):
        stack = target.stacks.describe(name)
        status = stack["StackStatus"] if stack else "not there yet"
        yield _judged(
            f"stack {name}",
            not status.endswith("FAILED") and status != "ROLLBACK_COMPLETE",
            status,
            "steadyspot up settles that before it changes anything.",
            Level.NOTE,
        )


CHECKS: tuple[tuple[str, Check], ...] = (
    ("permissions", _permissions),
    ("role of ECS", _linked_role),
    ("quotas", _quotas),
    ("zones", _zones),
    ("capacity", _providers),
    ("images", _images),
    ("secrets", _secrets),
    ("schedules", _schedules),
    ("grace", _grace),
    ("mail", _mail),
    ("stacks", _stacks),
)
