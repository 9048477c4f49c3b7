"""What a job has lists and tables of, written into its template before that is sent; pure.

A parameter of CloudFormation holds no structure. So ``job.yaml`` marks a place for each list with a
comment, ``# here: NAME``, and the entries that a job's keys come to are put there: one way for all
structured keys (volumes, sidecars, secrets, ulimits, schedules), and for what looks for missed
runs. A job without such keys is sent the template as it stands in the repository, which ``aws
cloudformation package`` takes as well; what was put in is shown by ``steadyspot diff`` and the
stack's template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from steadyspot.contract import OUTPUTS, WORKER_CONTAINER, Env, messages
from steadyspot.contract.keys import SCHEDULED_TIME_ATTRIBUTE
from steadyspot.deploy.schedules.looks import looks_after
from steadyspot.deploy.stacks.config import Egress, Job, Platform, Schedule, Sidecar, Volume
from steadyspot.deploy.stacks.image_names import ECR, lies_elsewhere
from steadyspot.deploy.stacks.notify import Notify
from steadyspot.deploy.stacks.notify_parts import heartbeats_of
from steadyspot.deploy.stacks.resources import arn_of, here

NOWHERE = Platform()
_PLACE = re.compile(r"^( *)# here: (.+)$", re.MULTILINE)
_WINDOW = {
    "Fn::If": [
        "IsSpread",
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": {"Ref": "SpreadMinutes"}},
        {"Mode": "OFF"},
    ]
}
_OF_HISTORY = {
    "Fn::If": [
        "HasHistoryKey",
        {"Type": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": {"Ref": "HistoryKey"}},
        {"Type": "AWS_OWNED_KEY"},
    ]
}


def with_parts(job: Job, text: str, home: Platform = NOWHERE, notify: Iterable[Notify] = ()) -> str:
    """Return a job's template with the entries of its structured keys in their places.

    ``home`` is the platform that the job is deployed on, as far as the file describes it;
    ``notify`` are all that are told of runs, since heartbeats of the job stand in its stack.
    """
    entries = {place: [*made] for place, made in _entries(job, home).items()}
    entries["who waits for heartbeats"] = [*heartbeats_of(job.name, notify)]

    def put(place: re.Match[str]) -> str:
        lines = [place[0], *(f"{place[1]}{line}" for line in entries.pop(place[2]))]
        return "\n".join(lines)

    whole = _PLACE.sub(put, text)
    assert not entries, f"job.yaml has no place for {', '.join(entries)}"
    return whole


def _entries(job: Job, home: Platform) -> dict[str, Iterable[str]]:
    """Return by place the lines that stand there."""
    return {
        "volumes": map(_item, _volumes(job.volumes)),
        "more of the worker": _of_worker(job),
        "mounts": map(_item, _mounts({name: one.path for name, one in job.volumes.items()}, job)),
        "secrets": map(_item, _secrets(job.secrets)),
        "log options": (
            f"{json.dumps(key)}: {json.dumps(value)}" for key, value in job.log_options.items()
        ),
        "sidecars": (_item(_sidecar(name, one, job)) for name, one in job.sidecars.items()),
        "more of the task's role": _of_task_role(job),
        "what starting the task needs": map(_item, _start_policies(job, home)),
        "schedules": (_schedule(name, one) for name, one in job.schedules.items()),
        "what looks for missed runs": _looks(job),
        "more of the environment": map(_item, _places_of_others(job)),
        "more of the workflow's role": map(_item, _runs_of_others(job)),
        "what starts it after others": _starts_after_others(job),
        "outputs": ["AfterItsTime: {Value: !Ref AfterItsTime}"] if _timings(job) else (),
    }


def with_egress(platform: Platform, text: str) -> str:
    """Return the platform's template with its rules of egress in their place."""
    place = "        # here: egress"
    assert text.count(place) == 1
    rules = (f"        {_item(_egress(one))}" for one in platform.egress)
    return text.replace(place, "\n".join([place, *rules]))


def _egress(rule: Egress) -> dict[str, Any]:
    kinds = {"pl-": "DestinationPrefixListId", "sg-": "DestinationSecurityGroupId"}
    return {
        "IpProtocol": rule.protocol,
        "FromPort": rule.port,
        "ToPort": rule.port,
        kinds.get(rule.to[:3], "CidrIp"): rule.to,
        "Description": "egress of steadyspot.toml",
    }


def _item(value: Any) -> str:
    return f"- {json.dumps(value)}"


def _volumes(volumes: Mapping[str, Volume]) -> Iterator[dict[str, Any]]:
    """Yield the volumes of the task; what lies on EFS goes there encrypted, in the task's role."""
    for name, volume in volumes.items():
        if volume.efs is None:
            yield {"Name": name}
            continue
        access = {"AccessPointId": volume.access_point} if volume.access_point else {}
        yield {
            "Name": name,
            "EFSVolumeConfiguration": {
                "FilesystemId": volume.efs,
                "TransitEncryption": "ENABLED",
                "AuthorizationConfig": {"IAM": "ENABLED", **access},
            },
        }


def _mounts(paths: Mapping[str, str], job: Job) -> Iterator[dict[str, Any]]:
    for name, path in paths.items():
        read_only = job.volumes[name].read_only
        yield {"SourceVolume": name, "ContainerPath": path, "ReadOnly": read_only}


def _secrets(secrets: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, arn in secrets.items():
        yield {"Name": name, "ValueFrom": arn}


def _of_worker(job: Job) -> Iterator[str]:
    """Yield properties of the worker's container."""
    if job.ulimits:
        limits = [
            {"Name": name, "SoftLimit": soft, "HardLimit": hard}
            for name, (soft, hard) in job.ulimits.items()
        ]
        yield f"Ulimits: {json.dumps(limits)}"
    needs = [_need(name, job) for name, one in job.sidecars.items() if one.start == "before"]
    if needs:
        yield f"DependsOn: {json.dumps(needs)}"


def _need(sidecar: str, job: Job) -> dict[str, str]:
    healthy = job.sidecars[sidecar].health is not None
    return {"ContainerName": sidecar, "Condition": "HEALTHY" if healthy else "START"}


def _sidecar(name: str, sidecar: Sidecar, job: Job) -> dict[str, Any]:
    """Return a container beside the worker, whose end does not end the task."""
    needs = [_need(other, job) for other in sidecar.after]
    if sidecar.start == "after":
        needs.append({"ContainerName": WORKER_CONTAINER, "Condition": "START"})
    environment = sidecar.environment.items()
    optional: dict[str, Any] = {
        "Command": list(sidecar.command),
        "Environment": [{"Name": key, "Value": value} for key, value in environment],
        "Secrets": [*_secrets(sidecar.secrets)],
        "MountPoints": [*_mounts(sidecar.volumes, job)],
        "DependsOn": needs,
        "Memory": sidecar.memory_mb,
        "User": sidecar.user,
        "HealthCheck": None,
        "FirelensConfiguration": sidecar.log_router and {"Type": sidecar.log_router},
    }
    if sidecar.health is not None:
        optional["HealthCheck"] = {
            "Command": list(sidecar.health.command),
            "Interval": sidecar.health.interval_seconds,
            "Timeout": sidecar.health.timeout_seconds,
            "Retries": sidecar.health.retries,
            "StartPeriod": sidecar.health.start_seconds,
        }
    return {
        "Name": name,
        "Image": sidecar.image,
        "Essential": False,
        "StopTimeout": {"Ref": "StopTimeout"},
        "ReadonlyRootFilesystem": sidecar.read_only_root,
        **{key: value for key, value in optional.items() if value},
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": {"Fn::If": ["OwnLog", {"Ref": "Log"}, {"Ref": "LogGroup"}]},
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-stream-prefix": "sidecar",
            },
        },
    }


def _schedule(name: str, schedule: Schedule) -> str:
    """Return a schedule beside the first, which rests when that does."""
    given = {messages.PARAMETERS: dict(schedule.parameters)} if schedule.parameters else {}
    start = {messages.SCHEDULED_TIME: SCHEDULED_TIME_ATTRIBUTE, **given}
    properties = _properties(
        ("ScheduleGroup", f".{name}"),
        "Runs of ${Platform}-${Job}",
        schedule.schedule,
        schedule.timezone,
        machine="StateMachine",
        start=start,
    )
    properties["Target"]["DeadLetterConfig"] = {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    properties["FlexibleTimeWindow"] = _WINDOW
    resource = {
        "Type": "AWS::Scheduler::Schedule",
        "DependsOn": ["BrokenEnd", "QueuePolicy", "QueueAlarm", "FailedAlarm"],
        "Properties": properties,
    }
    return f"Schedule{name.title()}: {json.dumps(resource)}"


def _properties(
    place: tuple[str, str],
    description: str,
    expression: str,
    zone: str,
    *,
    machine: str,
    start: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the properties of a schedule, which rests when the job's first does.

    ``place`` is its group at the platform, and what its name has behind the job's. A schedule and
    the one that looks after it have all in common that is changed with the job, so that a rate
    begins anew in both.
    """
    return {
        "Name": {"Fn::Sub": f"${{Job}}{place[1]}"},
        "GroupName": {"Fn::ImportValue": {"Fn::Sub": f"${{Platform}}-{place[0]}"}},
        "Description": {"Fn::Sub": description},
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": {"Fn::If": ["IsPaused", "DISABLED", {"Ref": "ScheduleState"}]},
        "Target": {
            "Arn": {"Ref": machine},
            "RoleArn": {"Fn::ImportValue": {"Fn::Sub": "${Platform}-SchedulerRole"}},
            "Input": json.dumps(start),
            "RetryPolicy": {
                "MaximumRetryAttempts": {"Ref": "StartRetries"},
                "MaximumEventAgeInSeconds": {"Ref": "StartRetrySeconds"},
            },
        },
    }


def _machine(name: str, file: str, *substitutions: str) -> Iterator[str]:
    """Yield a small machine of the job, in the role of its workflow; no job has such a name."""
    yield from f"""\
{name}:
  Type: AWS::StepFunctions::StateMachine
  Properties:
    StateMachineName: !Sub ${{Platform}}-${{Job}}-{name}
    StateMachineType: STANDARD
    Tags: [{{Key: Platform, Value: !Ref Platform}}]
    RoleArn: !GetAtt StateMachineRole.Arn
    LoggingConfiguration:
      Level: ALL
      IncludeExecutionData: false
      Destinations: [{{CloudWatchLogsLogGroup: {{LogGroupArn: !GetAtt StatesLog.Arn}}}}]
    EncryptionConfiguration: {json.dumps(_OF_HISTORY)}
    TracingConfiguration: {{Enabled: !Ref Tracing}}
    DefinitionS3Location: ../../statemachines/rendered/{file}.asl.yaml
    DefinitionSubstitutions:
      Table: {{Fn::ImportValue: !Sub "${{Platform}}-Table"}}""".splitlines()
    yield from (f"      {line}" for line in substitutions)


_SPARE_MINUTES = 15
"""Between the last moment at which Scheduler tries a start, and the look for its run."""


def _timings(job: Job) -> dict[str, tuple[str, str]]:
    """Return expression and zone of the schedules that are looked after, the first without name."""
    if job.missed != "auto":
        return {}
    return {name: (one.schedule, one.timezone) for name, one in job.all_schedules.items()}


def _looks(job: Job) -> Iterator[str]:
    """Yield what looks for missed runs: a machine, and a schedule beside each of the job's."""
    timings = _timings(job)
    if timings:
        yield from _machine(
            "AfterItsTime",
            "after-its-time",
            "Job: !Ref Job",
            "Region: !Ref AWS::Region",
            'Topic: {Fn::ImportValue: !Sub "${Platform}-Topic"}',
            "ZoneOffsets: !Ref ZoneOffsets",
        )
    after = job.spread_minutes + job.retry.age_minutes + _SPARE_MINUTES
    for name, (expression, zone) in timings.items():
        looks = looks_after(expression)
        start = {
            messages.SCHEDULED_TIME: SCHEDULED_TIME_ATTRIBUTE,
            messages.LOOK_AFTER_MINUTES: after,
            **({messages.EVERY_MINUTES: looks.every_minutes} if looks.every_minutes else {}),
        }
        properties = _properties(
            ("LookGroup", f".{name}" if name else ""),
            "Looks for missed runs of ${Platform}-${Job}",
            looks.expression,
            zone,
            machine="AfterItsTime",
            start=start,
        )
        resource = {
            "Type": "AWS::Scheduler::Schedule",
            "DependsOn": [f"Schedule{name.title()}"],
            "Properties": properties,
        }
        yield f"Look{name.title()}: {json.dumps(resource)}"


def _starts_after_others(job: Job) -> Iterator[str]:
    """Yield the machine that starts the job after others, and the rule that starts the machine."""
    if not job.after:
        return
    yield from _machine(
        "AfterOthers",
        "after-others",
        "StateMachine: !Ref StateMachine",
        "Queue: !Ref Queue",
        f"After: {','.join(job.after)}",
    )
    machines = [here("states", f"stateMachine:${{Platform}}-{other}") for other in job.after]
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": machines,
            "status": ["SUCCEEDED"],
            "output": [{"wildcard": '*"finished"*'}],
        },
    }
    target = {
        "Id": "after-others",
        "Arn": {"Ref": "AfterOthers"},
        "RoleArn": {"Fn::ImportValue": {"Fn::Sub": "${Platform}-RuleRole"}},
        "InputPath": "$.detail",
    }
    rule = {
        "Type": "AWS::Events::Rule",
        # Last: no run starts before somebody watches how it ends.
        "DependsOn": ["BrokenEnd", "QueuePolicy", "QueueAlarm", "FailedAlarm"],
        "Properties": {
            "Description": {"Fn::Sub": "Runs that ${Platform}-${Job} comes after"},
            "State": {"Fn::If": ["IsPaused", "DISABLED", {"Ref": "ScheduleState"}]},
            "EventPattern": pattern,
            "Targets": [target],
        },
    }
    yield f"OthersFinished: {json.dumps(rule)}"


def _places_of_others(job: Job) -> Iterator[dict[str, Any]]:
    """Yield the variable that says where the jobs before this one publish."""
    if job.after:
        places = {other: f"s3://${{Bucket}}/{OUTPUTS}{other}/" for other in job.after}
        yield {"Name": Env.AFTER, "Value": _with_export(json.dumps(places), "Bucket")}


def _with_export(text: str, name: str) -> dict[str, Any]:
    """Return a text in which an export of the platform is put in for its name."""
    return {"Fn::Sub": [text, {name: {"Fn::ImportValue": {"Fn::Sub": f"${{Platform}}-{name}"}}}]}


# --- what that needs of rights ------------------------------------------------------------------


def _runs_of_others(job: Job) -> Iterator[dict[str, Any]]:
    """Yield the policy by which it is seen whether runs of the jobs before have finished."""
    if job.after:
        table = arn_of("dynamodb", "table/${Table}")
        statement = {
            "Sid": "RunsOfOthers",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": _with_export(table, "Table"),
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(job.after)},
            },
        }
        yield _policy("others", [statement])


def _of_task_role(job: Job) -> Iterator[str]:
    """Yield the policies by which the task mounts volumes on EFS and reads outputs before its own.

    Each volume is mounted by its access point.
    """
    statements = [
        {
            "Sid": f"Mount{number}",
            "Effect": "Allow",
            "Action": [
                "elasticfilesystem:ClientMount",
                *([] if volume.read_only else ["elasticfilesystem:ClientWrite"]),
            ],
            "Resource": here("elasticfilesystem", f"file-system/{volume.efs}"),
            **_through(volume.access_point),
        }
        for number, volume in enumerate(one for one in job.volumes.values() if one.efs)
    ]
    policies = [_policy("volumes", statements)] if statements else []
    if job.after:
        objects = [
            f"arn:${{AWS::Partition}}:s3:::${{Bucket}}/{OUTPUTS}{one}/*" for one in job.after
        ]
        read = {
            "Sid": "OutputsOfOthers",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [_with_export(one, "Bucket") for one in objects],
        }
        policies.append(_policy("others", [read]))
    if policies:
        yield f"Policies: {json.dumps(policies)}"


def _through(access_point: str | None) -> dict[str, Any]:
    if access_point is None:
        return {}
    arn = here("elasticfilesystem", f"access-point/{access_point}")
    return {"Condition": {"ArnEquals": {"elasticfilesystem:AccessPointArn": arn}}}


def _start_policies(job: Job, home: Platform) -> Iterator[dict[str, Any]]:
    """Yield the policies by which ECS fetches single secrets, and images from ECR.

    A secret may be encrypted with any key of the account that lets it; the key is used for that
    very secret alone, which AWS names in the encryption context.
    """
    tables = (job.secrets, *(one.secrets for one in job.sidecars.values()))
    arns = sorted({_whole(arn) for table in tables for arn in table.values()})
    statements: list[dict[str, Any]] = []
    for service, action, context in (
        ("secretsmanager", "secretsmanager:GetSecretValue", "SecretARN"),
        ("ssm", "ssm:GetParameters", "PARAMETER_ARN"),
    ):
        of_service = [arn for arn in arns if arn.split(":")[2] == service]
        if not of_service:
            continue
        statements += [
            {
                "Sid": f"Fetch{service.title()}",
                "Effect": "Allow",
                "Action": action,
                "Resource": of_service,
            },
            {
                "Sid": f"Decrypt{service.title()}",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": here("kms", "key/*"),
                "Condition": {
                    "StringEquals": {
                        f"kms:EncryptionContext:{context}": of_service,
                        "kms:ViaService": {"Fn::Sub": f"{service}.${{AWS::Region}}.amazonaws.com"},
                    }
                },
            },
        ]
    if statements:
        yield _policy("secrets", statements)
    if pulls := [*_pulls(job, home)]:
        yield _policy("images", pulls)


def _whole(arn: str) -> str:
    """Return the ARN of a secret without the key, stage and version that may stand behind it."""
    return ":".join(arn.split(":")[:7]) if ":secretsmanager:" in arn else arn


def _pulls(job: Job, home: Platform) -> Iterator[dict[str, Any]]:
    """Yield what ECS pulls beside an image of the job's own account, which a tag names."""
    foreign = [job.image] if lies_elsewhere(job.image, home) else []
    found = map(ECR.fullmatch, [*foreign, *(one.image for one in job.sidecars.values())])
    places = sorted({(one["region"], one["account"], one["repository"]) for one in found if one})
    if places:
        yield {
            "Sid": "Images",
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
            ],
            "Resource": [
                {"Fn::Sub": f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{name}"}
                for region, account, name in places
            ],
        }


def _policy(name: str, statements: list[dict[str, Any]]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": statements}
    return {"PolicyName": name, "PolicyDocument": document}
