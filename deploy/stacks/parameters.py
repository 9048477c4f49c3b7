"""From the configuration to the parameters of the two templates; pure."""

from __future__ import annotations

import json

from steadyspot.deploy.schedules.zones import offsets_of
from steadyspot.deploy.stacks.config import Job, Platform, is_traced
from steadyspot.deploy.stacks.image_names import repository_in

Parameters = dict[str, str]


def of_platform(platform: Platform) -> Parameters:
    """Return the parameters of ``platform.yaml``; what is left out keeps the template's default."""
    parameters = {
        "MailAddress": platform.mail or "",
        "ClusterName": platform.cluster or "",
        "TopicArn": platform.topic or "",
        "BucketPlace": f"{platform.bucket or ''}/{platform.below}".strip("/"),
        "OutToEverywhere": _yes(not platform.egress),
        "VpcPrefix": platform.vpc_prefix,
        "CheckpointDays": str(platform.checkpoint_days),
        "KeepOutputsDays": str(platform.keep_outputs_days),
        "KeepRunsDays": str(platform.keep_runs_days),
        "VersionDays": str(platform.version_days),
        "LockDays": str(platform.lock_days),
        "ProtectTable": _yes(platform.protect_table),
        "ContainerInsights": platform.container_insights,
        **_of_both(platform),
    }
    if platform.vpc:
        parameters["VpcId"] = platform.vpc
        parameters["SubnetIds"] = ",".join(platform.subnets)
        parameters["SecurityGroupIds"] = ",".join(platform.security_groups)
        parameters["AssignPublicIp"] = "ENABLED" if platform.assign_public_ip else "DISABLED"
    return parameters


def of_job(platform: Platform, job: Job) -> Parameters:
    """Return the parameters of ``job.yaml``."""
    return {
        "Platform": platform.name,
        "Job": job.name,
        "Image": job.image,
        "ImageRepository": repository_in(job.image) or "none",
        "Command": json.dumps(job.command),
        "Environment": json.dumps(dict(job.environment)),
        "Secret": job.secret or "",
        "CheckpointDir": job.checkpoint_dir or "",
        "OutputDir": job.output_dir or "",
        "CheckpointEverySeconds": _number_or_none(job.checkpoint_every_seconds),
        "Marker": job.marker or "",
        "OutputIgnore": "" if job.output_ignore is None else json.dumps(job.output_ignore),
        "ScratchDir": job.scratch_dir or "",
        "Uploads": _number_or_none(job.uploads),
        "PatienceSeconds": _number_or_none(job.patience_seconds),
        "Cpu": str(round(job.vcpu * 1024)),
        "MemoryGb": _number(job.memory_gb),
        "DiskGb": str(job.disk_gb),
        "Architecture": job.architecture.upper(),
        "ReadOnlyRoot": _yes(job.read_only_root),
        "DropCapabilities": _yes(job.drop_capabilities),
        "User": job.user or "",
        "StopTimeout": str(job.stop_timeout_seconds),
        "DrainSeconds": _number_or_none(job.drain_seconds),
        "OnStop": job.on_stop or "",
        "OnStopSeconds": _number_or_none(job.on_stop_seconds),
        "Signal": job.signal or "",
        "SignalJob": job.signal_job or "",
        "Forward": ",".join(job.forward),
        "ScheduleExpression": job.schedule or "",
        "TimeZone": job.timezone,
        "ZoneOffsets": offsets_of(job.timezone),
        "ScheduleState": "ENABLED" if job.enabled else "DISABLED",
        "SpreadMinutes": str(job.spread_minutes),
        "StartRetries": str(job.retry.attempts),
        "StartRetrySeconds": str(job.retry.age_minutes * 60),
        "Rerun": job.rerun,
        "Overlap": job.overlap,
        "QueueAtMost": str(job.queue_at_most),
        "Shards": str(job.shards),
        "ShardsAtOnce": str(job.shards_at_once),
        "Capacity": job.capacity,
        "ExpectedMinutes": _number(job.expected_minutes),
        "FinishWithinMinutes": _number(job.finish_within_minutes or 0),
        "MaximumWaitMinutes": _number(job.maximum_wait_minutes),
        "LaunchMinutes": _number(job.launch_minutes),
        "LimitMinutes": _number(job.limit_minutes),
        "BackoffSeconds": str(job.backoff.seconds),
        "BackoffCapSeconds": str(job.backoff.cap_seconds),
        "Interruptions": str(job.budgets.interruptions),
        "Throttles": str(job.budgets.throttles),
        "Infrastructure": str(job.budgets.infrastructure),
        "Failures": str(job.budgets.failures),
        "StartUpSeconds": str(job.start_up_seconds),
        "MarginSeconds": str(job.margin_seconds),
        "SpotDiscount": _number(platform.prices.spot_discount),
        "VcpuHourPrice": _number(platform.prices.of(job.architecture).vcpu_hour),
        "GbHourPrice": _number(platform.prices.of(job.architecture).gb_hour),
        "PriceDate": platform.prices.date,
        "KeepRunsDays": str(platform.keep_runs_days),
        "TaskPolicyArns": ",".join(job.policies),
        "MissedAfterHours": "0" if job.missed == "auto" else str(job.missed),
        "FailedAlarmMails": _yes(job.failed_alarm_mails),
        "KeepLogs": str(job.keep_logs),
        "LogGroup": job.log_group or "none",
        "LogDriver": "awsfirelens" if is_routed(job) else "awslogs",
        "TellEveryRun": _yes(job.tell_every_run),
        "CommandOverride": _yes(job.command_override),
        "Debug": _yes(job.debug),
        "HistoryKey": (platform.key or "") if job.encrypt_history else "",
        "Tracing": _yes(is_traced(platform, job)),
        "Parameters": json.dumps(declared(job)) if job.parameters else "",
        **_of_both(platform),
    }


def is_routed(job: Job) -> bool:
    """Return whether a sidecar takes what the job prints."""
    return any(one.log_router for one in job.sidecars.values())


def declared(job: Job) -> dict[str, dict[str, object]]:
    """Return the types and defaults of a job's parameters, as they are checked by."""
    return {
        name: {"type": one.type, "default": one.default} for name, one in job.parameters.items()
    }


def _of_both(platform: Platform) -> Parameters:
    """Return what both templates take: the terms on which an account lets things be made."""
    return {
        "Key": platform.key or "",
        "PermissionsBoundary": platform.permissions_boundary or "",
        "RolePath": platform.role_path,
    }


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _number_or_none(value: float | None) -> str:
    """Return a number, or what the template takes for none."""
    return "" if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:g}"
