"""What `check` finds in an account that is not ready, with what to do about each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from steadyspot.deploy.checks import checks
from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.checks.hardening import left_open
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.images import Engine
from tests.unit.deploy.fakes import Calls, refusal

NOW = datetime(2026, 11, 24, tzinfo=UTC)
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop"


def account(**services: Calls) -> dict[str, Calls]:
    """An account in which all is well, but for the services given."""
    arn = "arn:aws:sts::123456789012:assumed-role/Deployer/me"
    subnets = [
        {"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "eu-central-1a"},
        {"SubnetId": "subnet-2", "VpcId": "vpc-1", "AvailabilityZone": "eu-central-1b"},
    ]
    well = {
        "sts": Calls(get_caller_identity=lambda: {"Account": "123456789012", "Arn": arn}),
        "iam": Calls(
            get_role=lambda **_: {},
            simulate_principal_policy=lambda **_: {"EvaluationResults": []},
        ),
        "service-quotas": Calls(get_service_quota=lambda **_: {"Quota": {"Value": 5}}),
        "ec2": Calls(
            describe_availability_zones=lambda **_: {
                "AvailabilityZones": [{"ZoneName": name} for name in "abc"]
            },
            describe_subnets=lambda **_: {"Subnets": subnets},
            describe_vpcs=lambda: {"Vpcs": [{}]},
            describe_route_tables=lambda **_: routes("igw-1"),
        ),
        "ssm": Calls(get_parameter=lambda **_: {}),
        "ecs": Calls(describe_clusters=lambda **_: {"clusters": []}),
        **registry(),
    }
    return {**well, **services}


def routes(gateway: str = "", nat: str = "") -> dict[str, Any]:
    """The main route table of a VPC, with a route out if there is one."""
    out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway, "NatGatewayId": nat}
    main = {"RouteTableId": "rtb-1", "Associations": [{"Main": True}]}
    return {"RouteTables": [{**main, "Routes": [out] if gateway or nat else []}]}


def registry(
    *architectures: str,
    config: dict[str, Any] | None = None,
    denied: str = "",
    index: bool = True,
    url: str = "",
) -> dict[str, Calls]:
    """ECR with one image; an index of those for the architectures, or the first alone."""
    architectures = architectures or ("amd64", "arm64")
    config = config or {"Entrypoint": ["steadyspot-worker"], "Cmd": ["python", "job.py"]}
    listed = [{"digest": f"of-{a}", "platform": {"architecture": a}} for a in architectures]
    manifests: dict[str, Any] = {
        f"of-{a}": {"config": {"digest": f"config-{a}"}} for a in architectures
    }
    manifests["1"] = {"manifests": listed} if index else manifests[f"of-{architectures[0]}"]

    def batch_get_image(imageIds: list[dict[str, str]], **_: Any) -> dict[str, Any]:  # noqa: N803
        (which,) = imageIds
        found = manifests.get(next(iter(which.values())), manifests["1"])
        return {"images": [{"imageManifest": json.dumps(found)}]}

    def layer(layerDigest: str, **_: Any) -> dict[str, str]:  # noqa: N803
        if denied:
            raise refusal(denied)
        held = {"architecture": layerDigest.removeprefix("config-"), "config": config}
        return {"downloadUrl": url or f"data:application/json,{quote(json.dumps(held))}"}

    return {"ecr": Calls(batch_get_image=batch_get_image, get_download_url_for_layer=layer)}


def findings(
    services: dict[str, Calls], tmp_path: Path, stack: str = "", **settings: Any
) -> list[Finding]:
    platform = settings.pop("platform", Platform(mail="a@example.com"))
    job = Job(name="night", **{"image": f"{URI}:1", "schedule": "rate(1 hour)", **settings})
    config = Config(tmp_path / "steadyspot.toml", platform, {"night": job})
    target: Any = SimpleNamespace(
        session=SimpleNamespace(region_name="eu-central-1"),
        switches=None,
        config=config,
        client=services.__getitem__,
        platform_stack="shop",
        stacks=SimpleNamespace(
            exists=lambda _: False,
            refuse_names=lambda _: None,
            describe=lambda _: {"StackStatus": stack} if stack else None,
        ),
    )
    engine = Engine("docker", lambda *_: "")
    return list(checks.run(Looks(target, [job], NOW, lambda: engine)))


def bad(found: list[Finding]) -> list[tuple[str, str]]:
    assert all(one.what_to_do for one in found if one.level is Level.BAD)
    return [(one.about, one.text) for one in found if one.level is Level.BAD]


def test_a_good_account_has_nothing_bad(tmp_path: Path) -> None:
    assert bad(findings(account(), tmp_path)) == []


def denied(**_: Any) -> Any:
    return {
        "EvaluationResults": [{"EvalActionName": "iam:CreateRole", "EvalDecision": "implicitDeny"}]
    }


def allowed(**_: Any) -> Any:
    return {"EvaluationResults": []}


def absent(**_: Any) -> Any:
    raise refusal("NoSuchEntity")


CLUSTER = {"clusters": [{"status": "ACTIVE", "capacityProviders": ["FARGATE"]}]}
ONE_ZONE = [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "eu-central-1a"}]
OWN = Platform(vpc="vpc-1", subnets=("subnet-1",))


@pytest.mark.parametrize(
    ("services", "settings", "about", "text"),
    [
        (
            {"iam": Calls(get_role=lambda **_: {}, simulate_principal_policy=denied)},
            {},
            "permissions",
            "iam:CreateRole",
        ),
        ({"ecs": Calls(describe_clusters=lambda **_: CLUSTER)}, {}, "capacity", "FARGATE_SPOT"),
        (
            {
                "ec2": Calls(
                    describe_subnets=lambda **_: {"Subnets": ONE_ZONE},
                    describe_route_tables=lambda **_: routes("igw-1"),
                )
            },
            {"platform": OWN},
            "zones",
            "eu-central-1a",
        ),
        ({}, {"platform": Platform(vpc="vpc-2", subnets=("subnet-1",))}, "zones", "not in vpc-2"),
        (
            {"ecr": Calls(batch_get_image=lambda **_: {"images": []})},
            {},
            "night: image",
            "not there",
        ),
        (
            {"iam": Calls(get_role=absent, get_policy=absent, simulate_principal_policy=allowed)},
            {"platform": Platform(permissions_boundary="arn:aws:iam::1:policy/edge")},
            "boundary",
            "there is no policy arn:aws:iam::1:policy/edge",
        ),
        (
            {"iam": Calls(get_role=lambda **_: {"Role": {}}, simulate_principal_policy=allowed)},
            {"platform": Platform(service_role="arn:aws:iam::1:role/team/stacks")},
            "service role",
            "there is no role stacks that trusts cloudformation.amazonaws.com",
        ),
        ({}, {"vcpu": 8, "memory_gb": 16}, "quotas", "the largest job takes 8"),
        ({}, {"launch_minutes": 1}, "night: launches", "no longer than start_up_seconds = 60"),
        ({}, {"image": "night:1"}, "night: image", "not on this machine"),
    ],
    ids=[
        "role",
        "provider",
        "one zone",
        "stranger's subnet",
        "no image",
        "no boundary",
        "no service role",
        "quota",
        "launch",
        "not built",
    ],
)
def test_what_is_not_ready_is_found_and_told_what_to_do(
    tmp_path: Path, services: dict[str, Calls], settings: dict[str, Any], about: str, text: str
) -> None:
    found = bad(findings(account(**services), tmp_path, **settings))
    assert any(one == about and text in said for one, said in found), found


def of_schedule(found: list[Finding]) -> list[tuple[Level, str]]:
    return [(one.level, one.text) for one in found if one.about == "night: schedule"]


@pytest.mark.parametrize(
    ("schedule", "expected_minutes", "said"),
    [
        ("rate(5 minutes)", 60, "rate(5 minutes) is due 5 min after the time before, but a run t"),
        ("cron(*/20 * * * ? *)", 20.5, "cron(*/20 * * * ? *) is due 20 min after the time befor"),
        ("cron(0 2,3 * * ? *)", 90, "cron(0 2,3 * * ? *) is due 60 min after the time before, b"),
        ("cron(0 2,3 * * ? *)", 60, None),
        ("rate(1 hour)", 60, None),
        ("at(2027-01-31T02:00:00)", 600, None),
        ("cron(0 2 1 1 ? 2027)", 600, None),
    ],
)
def test_a_schedule_that_is_due_before_a_run_is_done_is_warned_of(
    tmp_path: Path, schedule: str, expected_minutes: float, said: str | None
) -> None:
    found = of_schedule(
        findings(account(), tmp_path, schedule=schedule, expected_minutes=expected_minutes)
    )
    assert found[0][0] is Level.GOOD
    assert [text.startswith(said or "") for _, text in found[1:]] == [True] * (said is not None)
    assert all(level is Level.WARN for level, _ in found[1:])


@pytest.mark.parametrize(
    ("overlap", "said"),
    [
        ("allow", "will go on at once"),
        ("skip", "are skipped"),
        ("queue", "wait for those before them"),
        ("replace", "stopped before they are done"),
    ],
)
def test_what_becomes_of_runs_that_meet_is_said(tmp_path: Path, overlap: str, said: str) -> None:
    given: dict[str, Any] = {
        "schedule": "rate(5 minutes)",
        "expected_minutes": 60,
        "overlap": overlap,
    }
    (_, (_, told)) = of_schedule(findings(account(), tmp_path, **given))
    assert said in told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"missed": "auto", "schedule": None}, "has no schedule"),
        ({"missed": 26, "schedule": None}, "has no schedule"),
        ({"missed": 26, "schedule": "cron(0 2 ? * MON-FRI *)"}, "rests for 72 h"),
        ({"missed": 26, "schedule": "rate(2 days)"}, "rests for 48 h"),
        ({"missed": 26, "schedule": "at(2099-01-31T02:00:00)"}, "due only once"),
        ({"missed": 26, "schedule": "cron(0 2 * * ? *)"}, ""),
        ({"missed": 1, "schedule": "rate(5 minutes)"}, ""),
        ({"missed": "auto", "schedule": "cron(0 2 1 * ? *)"}, ""),
        ({"missed": 0, "schedule": "cron(0 2 1 * ? *)"}, ""),
    ],
)
def test_an_alarm_for_missed_runs_that_would_ring_for_nothing_is_said(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    told = [one for one in findings(account(), tmp_path, **settings) if "missed" in one.about]
    assert [said in one.text and bool(one.what_to_do) for one in told] == [True] * bool(said)


@pytest.mark.parametrize(
    ("kept", "settings", "said"),
    [
        ({}, {}, ["kept for ever"]),
        ({"keep_runs_days": 30}, {}, ["before their outputs"]),
        ({"keep_runs_days": 30, "keep_outputs_days": 31}, {}, ["before their outputs"]),
        ({"keep_runs_days": 30, "keep_outputs_days": 30}, {}, ["go after 30 days"]),
        (
            {"keep_runs_days": 30, "keep_outputs_days": 30},
            {"schedule": "cron(0 2 ? * MON *)", "finish_within_minutes": 90},
            ["go after 30 days", "fewer than 5 runs"],
        ),
        (
            {"keep_runs_days": 36, "keep_outputs_days": 30},
            {"schedule": "cron(0 2 ? * MON *)", "finish_within_minutes": 90},
            ["go after 36 days"],
        ),
    ],
)
def test_what_goes_with_the_records_of_runs_is_said(
    tmp_path: Path, kept: dict[str, int], settings: dict[str, Any], said: list[str]
) -> None:
    platform = Platform(mail="a@example.com", **kept)  # type: ignore[arg-type]
    found = findings(account(), tmp_path, platform=platform, **settings)
    told = [one.text for one in found if "records" in one.about]
    assert [text in one for text, one in zip(said, told, strict=True)] == [True] * len(said)


@pytest.mark.parametrize(("days", "noted"), [(0, 0), (1, 1), (7, 1), (14, 0), (30, 0)])
def test_logs_that_go_before_a_parked_run_is_looked_at_are_noted(
    tmp_path: Path, days: int, noted: int
) -> None:
    found = [one for one in findings(account(), tmp_path, keep_logs=days) if "logs" in one.about]
    assert [one.level for one in found] == [Level.NOTE] * noted


@pytest.mark.parametrize(
    ("within", "level"), [(50, Level.BAD), (70, Level.NOTE), (120, Level.GOOD)]
)
def test_a_queue_in_which_deadlines_cannot_be_met_is_noted(
    tmp_path: Path, within: int, level: Level
) -> None:
    given: dict[str, Any] = {
        "schedule": "rate(2 hours)",
        "expected_minutes": 60,
        "finish_within_minutes": within,
    }
    found = findings(account(), tmp_path, overlap="queue", **given)
    assert [one.level for one in found if one.about == "night: queue"] == [level]


@pytest.mark.parametrize(
    ("settings", "level", "said"),
    [
        ({}, Level.GOOD, "runs start up to 30 min after their time, and their deadline"),
        ({"finish_within_minutes": 90}, Level.BAD, "the last of them are late: a run takes"),
        ({"finish_within_minutes": 92}, Level.NOTE, "the last of them have no time left for Spot"),
        ({"finish_within_minutes": 95}, Level.GOOD, "their deadline counts from that"),
        (
            {"finish_within_minutes": 92, "capacity": "on-demand-only"},
            Level.GOOD,
            "their deadline counts from that",
        ),
        ({"missed": 1}, Level.BAD, "and count as missed 1 h after it."),
        ({"missed": 24}, Level.GOOD, "their deadline counts from that"),
    ],
)
def test_a_spread_that_eats_the_time_of_the_last_runs_is_found(
    tmp_path: Path, settings: dict[str, Any], level: Level, said: str
) -> None:
    given = {"spread_minutes": 30, "schedule": "cron(0 2 * * ? *)", **settings}
    found = findings(account(), tmp_path, **given)
    (one,) = (one for one in found if one.about == "night: spread")
    assert (one.level, said in one.text) == (level, True)


@pytest.mark.parametrize(
    ("settings", "level", "said"),
    [
        ({}, Level.GOOD, "given up after 15 min"),
        ({"launch_minutes": 0}, Level.NOTE, "launch_minutes = 0: a launch that hangs"),
        ({"maximum_wait_minutes": 10}, Level.NOTE, "more than maximum_wait_minutes = 10"),
        ({"maximum_wait_minutes": 10, "finish_within_minutes": 120}, Level.GOOD, "15 min"),
        ({"launch_minutes": 2, "start_up_seconds": 120}, Level.BAD, "start_up_seconds = 120"),
        ({"capacity": "on-demand-only", "launch_minutes": 0}, Level.NOTE, "a launch that hangs"),
        ({"capacity": "on-demand-only", "launch_minutes": 90}, Level.GOOD, "after 90 min"),
    ],
)
def test_launches_are_given_up_neither_too_early_nor_too_late(
    tmp_path: Path, settings: dict[str, Any], level: Level | None, said: str
) -> None:
    found = [one for one in findings(account(), tmp_path, **settings) if "launches" in one.about]
    assert [(one.level, said in one.text) for one in found] == ([(level, True)] if level else [])


@pytest.mark.parametrize("schedule", ["at(2026-11-23T02:00:00)", "cron(0 2 30 2 ? *)"])
def test_a_schedule_that_is_never_due_is_found(tmp_path: Path, schedule: str) -> None:
    found = of_schedule(findings(account(), tmp_path, schedule=schedule))
    assert found == [(Level.BAD, f"{schedule} is never due again.")]


def test_every_saturday_is_due(tmp_path: Path) -> None:
    found = of_schedule(findings(account(), tmp_path, schedule="cron(0 2 ? * L *)"))
    assert found == [(Level.GOOD, "due next at 2026-11-28 02:00 UTC")]


@pytest.mark.parametrize("index", [True, False])
def test_an_image_for_another_architecture_is_found(tmp_path: Path, index: bool) -> None:
    ((about, text),) = bad(findings(account(**registry("arm64", index=index)), tmp_path))
    assert (about, "is for arm64, but the job runs on x86_64" in text) == ("night: image", True)


def of_stop(found: list[Finding]) -> list[tuple[Level, str]]:
    return [(one.level, one.text) for one in found if one.about == "night: stop"]


@pytest.mark.parametrize("index", [True, False])
def test_an_image_that_the_worker_can_stop_is_good(tmp_path: Path, index: bool) -> None:
    found = findings(account(**registry("arm64", index=index)), tmp_path, architecture="arm64")
    assert of_stop(found) == [(Level.GOOD, "SIGTERM goes to the worker, as it should")]


def test_an_image_without_the_worker_is_bad(tmp_path: Path) -> None:
    config = {"Entrypoint": ["/bin/sh", "-c", "python job.py"], "StopSignal": "SIGQUIT"}
    (bad_one, note) = of_stop(findings(account(**registry(config=config)), tmp_path))
    assert bad_one[0] is Level.BAD
    assert "nor ever be complete" in bad_one[1]
    assert note == (
        Level.NOTE,
        f"{URI}:1 has STOPSIGNAL SIGQUIT; the worker takes it as a stop",
    )


def test_an_image_that_may_not_be_read_is_a_note_and_still_there(tmp_path: Path) -> None:
    denied, gone = registry(denied="AccessDeniedException"), registry(url="file:///none/such")
    for services, why in ((denied, "AccessDeniedException"), (gone, "[Errno 2]")):
        found = findings(account(**services), tmp_path)
        ((level, text),) = of_stop(found)
        assert (level, f"could not be looked at: {why}" in text) == (Level.NOTE, True)
        assert (Level.GOOD, f"{URI}:1 is there, for x86_64") in [(f.level, f.text) for f in found]


def test_a_repository_that_is_not_there_is_as_an_image_that_is_not(tmp_path: Path) -> None:
    def none(**_: Any) -> Any:
        raise refusal("RepositoryNotFoundException")

    ((about, text),) = bad(findings(account(ecr=Calls(batch_get_image=none)), tmp_path))
    assert (about, text) == ("night: image", f"{URI}:1 is not there.")


SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:night-AbCdEf"


def secret(held: dict[str, Any] | str, tmp_path: Path) -> Finding:
    """What is found about a secret that holds this, or is refused with this code."""

    def get_secret_value(SecretId: str) -> dict[str, Any]:  # noqa: N803
        assert SecretId == SECRET
        if isinstance(held, str):
            raise refusal(held, "refused")
        return held

    secrets = Calls(get_secret_value=get_secret_value)
    found = findings(account(secretsmanager=secrets), tmp_path, secret=SECRET)
    (one,) = [one for one in found if "secret" in one.about]
    return one


def test_a_secret_that_a_job_can_use_is_good_and_none_of_it_is_shown(tmp_path: Path) -> None:
    good = secret({"SecretString": '{"TOKEN": "hush", "KEY": "hush"}'}, tmp_path)
    assert (good.level, good.about) == (Level.GOOD, "night: secret")
    assert "2 variables" in good.text
    assert "hush" not in good.text


@pytest.mark.parametrize(
    "held",
    [
        {"SecretString": "hush"},
        {"SecretString": '["hush"]'},
        {"SecretString": '{"HUSH": 1}'},
        {"SecretString": '{"no-name": "hush"}'},
        {"SecretString": '{"STEADYSPOT_JOB": "hush"}'},
        {"SecretBinary": b"hush"},
    ],
    ids=["text", "list", "number", "name", "ours", "binary"],
)
def test_a_secret_that_no_job_can_use_is_bad_and_none_of_it_is_shown(
    tmp_path: Path, held: dict[str, Any]
) -> None:
    one = secret(held, tmp_path)
    assert one.level is Level.BAD
    assert "JSON object" in one.text
    assert '{"NAME": "value"}' in one.what_to_do
    assert "hush" not in (one.text + one.what_to_do).lower()


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidRequestException"])
def test_a_secret_that_is_not_there_or_is_going_is_bad(tmp_path: Path, code: str) -> None:
    one = secret(code, tmp_path)
    assert (one.level, SECRET in one.text) == (Level.BAD, True)
    assert one.what_to_do


def test_a_secret_that_one_may_not_read_is_a_note(tmp_path: Path) -> None:
    assert secret("AccessDeniedException", tmp_path).level is Level.NOTE


def test_where_one_may_not_look_is_a_note_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    def refuse(**_: Any) -> Any:
        raise refusal("AccessDenied", "not allowed")

    quotas = Calls(get_service_quota=refuse)
    found = findings(account(**{"service-quotas": quotas}), tmp_path)
    (note,) = [one for one in found if one.about == "quotas"]
    assert (note.level, "could not be checked" in note.text) == (Level.NOTE, True)
    assert found[-1].about == "mail"


def test_the_role_of_ecs_that_is_missing_is_named_with_the_command_that_makes_it(
    tmp_path: Path,
) -> None:
    def missing(**_: Any) -> Any:
        raise refusal("NoSuchEntity")

    iam = Calls(get_role=missing, simulate_principal_policy=lambda **_: {"EvaluationResults": []})
    (note,) = [one for one in findings(account(iam=iam), tmp_path) if one.about == "role of ECS"]
    assert "create-service-linked-role" in note.what_to_do


def test_a_broken_stack_is_named(tmp_path: Path) -> None:
    found = findings(account(), tmp_path, stack="ROLLBACK_FAILED")
    assert any("ROLLBACK_FAILED" in one.text and "up settles" in one.what_to_do for one in found)


def test_a_container_that_may_more_than_it_needs_is_noted_key_by_key() -> None:
    closed = Job("night", "image", read_only_root=True, drop_capabilities=True, user="10001:10001")
    assert left_open(closed) == []
    assert left_open(replace(closed, user=None)) == ["user"]
    assert left_open(Job("night", "image")) == ["read_only_root", "drop_capabilities", "user"]


@pytest.mark.parametrize(("days", "level"), [(0, Level.NOTE), (30, Level.GOOD)])
def test_that_a_container_can_replace_past_outputs_is_noted(
    tmp_path: Path, days: int, level: Level
) -> None:
    found = findings(account(), tmp_path, platform=Platform(mail="a@b.example", version_days=days))
    (outputs,) = (one for one in found if one.about == "outputs")
    assert outputs.level is level
    assert bool(outputs.what_to_do) is (days == 0)


PRIVATE = Platform(vpc="vpc-1", subnets=("subnet-1", "subnet-2"), assign_public_ip=False)
EVERY = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "sts", "xray", "s3", "dynamodb")


def ways_out(
    tmp_path: Path,
    table: dict[str, Any],
    *endpoints: str,
    platform: Platform = PRIVATE,
    routed: str = "rtb-1",
    **job: Any,
) -> list[tuple[Level, str]]:
    gateways = ("s3", "dynamodb")
    there = [
        {
            "ServiceName": f"com.amazonaws.eu-central-1.{name}",
            "VpcEndpointType": "Gateway" if name in gateways else "Interface",
            "RouteTableIds": [routed] if name in gateways else [],
        }
        for name in endpoints
    ]
    ec2 = Calls(
        describe_subnets=account()["ec2"].describe_subnets,
        describe_route_tables=lambda **_: table,
        describe_vpc_endpoints=lambda **_: {"VpcEndpoints": there},
    )
    found = findings(account(ec2=ec2), tmp_path, platform=platform, **job)
    return [(one.level, one.text) for one in found if one.about == "way out"]


def test_private_subnets_behind_a_nat_need_no_endpoint(tmp_path: Path) -> None:
    assert ways_out(tmp_path, routes(nat="nat-1"))[0][0] is Level.GOOD


def test_the_endpoints_that_are_missing_are_named(tmp_path: Path) -> None:
    ((level, text),) = ways_out(tmp_path, routes(), "ecr.api", "logs", "s3")
    assert (level, "ecr.dkr, dynamodb." in text) == (Level.BAD, True)
    table = {"A": "arn:aws:ssm:eu-central-1:123456789012:parameter/a"}
    ((_, text),) = ways_out(tmp_path, routes("igw-1"), *EVERY[:4], secrets=table, debug=True)
    assert "lack the endpoints s3, dynamodb, ssm, ssmmessages." in text
    assert [level for level, _ in ways_out(tmp_path, routes(), *EVERY)] == [Level.GOOD]


def test_an_endpoint_of_another_route_table_is_none(tmp_path: Path) -> None:
    ((level, text),) = ways_out(tmp_path, routes(), *EVERY, routed="rtb-2")
    assert (level, "s3, dynamodb" in text) == (Level.BAD, True)


def test_without_endpoints_for_sts_and_traces_a_task_runs_all_the_same(tmp_path: Path) -> None:
    there = [one for one in EVERY if one not in ("sts", "xray")]
    for traced, named in ((True, "sts, xray"), (False, "sts")):
        found = ways_out(tmp_path, routes(), *there, tracing=traced)
        assert [level for level, _ in found] == [Level.GOOD, Level.NOTE]
        assert found[1][1].endswith(f" {named}.") or found[1][1].endswith(f" {named}")


def test_public_addresses_without_an_internet_gateway_lead_nowhere(tmp_path: Path) -> None:
    public = replace(PRIVATE, assign_public_ip=True)
    ((level, _),) = ways_out(tmp_path, routes(nat="nat-1"), platform=public)
    assert level is Level.BAD
    ((level, _),) = ways_out(tmp_path, routes("igw-1"), platform=public)
    assert level is Level.GOOD


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rerun": "never"}, 'rerun = "never" ends a shard with its first interruption'),
        ({"finish_within_minutes": 60, "shards_at_once": 100}, "take 100 min: more than"),
    ],
)
def test_shards_that_cannot_do_what_is_wanted_of_them_are_told(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    given = {"shards": 1000, "expected_minutes": 10, **settings}
    told = [one for one in findings(account(), tmp_path, **given) if one.about == "night: shards"]
    assert any(one.level is Level.BAD and said in one.text for one in told)


def test_of_shards_it_is_said_how_long_they_take(tmp_path: Path) -> None:
    given: dict[str, Any] = {"shards": 1000, "shards_at_once": 500, "expected_minutes": 10}
    (one,) = (one for one in findings(account(), tmp_path, **given) if one.about == "night: shards")
    assert one.level is Level.GOOD
    assert "1000, 500 at once: undisturbed about 21 min" in one.text
