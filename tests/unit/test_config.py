"""A configuration is either typed and whole, or refused in one sentence to act on."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.contract import CapacityMode
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.stacks import config_file, consistency
from steadyspot.deploy.stacks.cloudformation import PAUSED
from steadyspot.deploy.stacks.config import (
    Backoff,
    Budgets,
    ConfigError,
    Health,
    Job,
    Platform,
    Retry,
)
from steadyspot.deploy.stacks.config_file import load, parse
from steadyspot.deploy.stacks.parameters import of_job, of_platform
from tests.unit.templates import TEMPLATES

CHECKOUT = Path(__file__).parents[2]
JOB = '[jobs.ab]\nimage = "x"\n'


NONE_BY_DEFAULT = {
    *("key", "cluster", "topic", "bucket", "bucket_prefix", "egress"),
    *("region", "account", "vpc", "subnets", "assign_public_ip"),
    *("permissions_boundary", "service_role", "tags", "security_groups"),
}
"""Keys of the platform whose example in the checkout is no default."""
LEFT_TO_THE_IMAGE = {
    *("tags", "parameters", "schedules", "secrets", "ulimits", "volumes", "sidecars", "tracing"),
    *("environment", "after", "log_group", "log_options"),
    "secret",
    "checkpoint_dir",
    "output_dir",
    "checkpoint_every_seconds",
    "marker",
    "output_ignore",
    "scratch_dir",
    "uploads",
    "patience_seconds",
    "drain_seconds",
    "on_stop",
    "on_stop_seconds",
    "signal",
    "signal_job",
    "forward",
}
"""Keys of a job that have no default of their own: left out, the image, worker or platform says."""


def keys_of_a_job() -> set[str]:
    renamed = {attribute: key for key, attribute in config_file.FIELDS.items()}
    return {renamed.get(name, name) for name in Job.__dataclass_fields__} - {"name"}


def refusals(text: str) -> list[tuple[int | None, str]]:
    """Return all that is wrong with a file: line, where it is told, and sentence."""
    with pytest.raises(ConfigError) as refused:
        parse(text, Path("some/steadyspot.toml"))
    lines = str(refused.value).splitlines()
    found = [re.fullmatch(r"some/steadyspot\.toml(?::([0-9]+))?: (.*\.)", line) for line in lines]
    assert all(found)
    return [(int(one[1]) if one[1] else None, one[2]) for one in found if one]


def refusal(text: str) -> str:
    return refusals(text)[0][1]


def test_the_example_in_the_checkout_is_right() -> None:
    example = load(CHECKOUT / "steadyspot.toml")
    job = example.job("tpch-q1")
    assert job.command[:3] == ("python", "-m", "examples.tpch_q1")
    assert example.job_stack(job) == "steadyspot-tpch-q1"


def test_what_the_example_calls_a_default_is_one() -> None:
    text = (CHECKOUT / "steadyspot.toml").read_text("utf-8")
    shown = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text)
    assert shown != text
    shown = re.sub(
        rf"(?m)^({'|'.join(NONE_BY_DEFAULT | LEFT_TO_THE_IMAGE)}) .*\n",
        "",
        shown,
    )
    shown_job, plain_job = parse(shown).job(), parse(text).job()
    assert shown_job == plain_job
    keys = tomllib.loads(shown)["jobs"]["tpch-q1"].keys() | LEFT_TO_THE_IMAGE
    assert keys == keys_of_a_job()
    example = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text.partition("[jobs.")[2])
    assert set(re.findall(r"(?m)^([a-z_]+) = ", example)) == keys
    assert parse(shown).platform == parse(text).platform
    named = set(re.findall(r"(?m)^(?:# )?([a-z_]+) = ", text.partition("[jobs.")[0]))
    assert named == set(Platform.__dataclass_fields__)


def test_what_is_left_out_has_a_default() -> None:
    assert parse(JOB).platform == Platform(name="steadyspot", region=None, mail=None)
    job = parse(JOB).job()
    assert job == Job(name="ab", image="x")
    assert (job.capacity, job.rerun, job.stop_timeout_seconds) == ("spot-first", "always", 120)


def test_every_key_arrives() -> None:
    text = """
        [platform]
        name = "night"
        region = "eu-central-1"
        account = "123456789012"
        mail = "a@b.example"
        vpc = "vpc-0a"
        subnets = ["subnet-1", "subnet-2"]
        assign_public_ip = false
        key = "arn:aws:kms:eu-central-1:123456789012:key/0a-1b"
        checkpoint_days = 16
        keep_outputs_days = 400
        keep_runs_days = 16
        version_days = 90
        lock_days = 365
        protect_table = true
        container_insights = "enhanced"
        prices = { vcpu_hour = 0.05, gb_hour = 0.005, spot_discount = 0.75, date = "2026-11" }
        [jobs.report-2]
        image = "registry/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        command = ["run", "it"]
        environment = { A = "1" }
        secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:night/db-AbCdEf"
        checkpoint_dir = "/c"
        output_dir = "/o"
        disk = 21
        read_only_root = true
        drop_capabilities = true
        user = "10001:0"
        cpu = 0.25
        memory = 0.5
        architecture = "arm64"
        stop_timeout = 30
        checkpoint_every_seconds = 0x1e
        marker = "/m"
        output_ignore = []
        scratch_dir = "/s"
        uploads = 3
        patience_seconds = 60
        drain_seconds = 0.5
        on_stop = "true"
        on_stop_seconds = 2
        signal = "group"
        signal_job = "INT"
        forward = ["USR1", "RTMIN+3"]
        schedule = "cron(0 2 * * ? *)"
        timezone = "Europe/Berlin"
        enabled = false
        finish_within_minutes = 90
        expected_minutes = 1.5
        maximum_wait_minutes = 0
        start_up_seconds = 0
        margin_seconds = 1
        capacity = "spot-only"
        rerun = "never"
        retry = { attempts = 0, age_minutes = 1 }
        budgets = { throttles = 2, infrastructure = 3 }
        backoff = { seconds = 1, cap_seconds = 2 }
        policies = ["arn:aws:iam::123456789012:policy/more"]
        missed = 26
        failed_alarm_mails = true
        keep_logs = 1
        tell_every_run = true
    """
    read = parse(text)
    assert read.platform == Platform(
        "night", "eu-central-1", "123456789012", "a@b.example", "vpc-0a",
        ("subnet-1", "subnet-2"), False,
        key="arn:aws:kms:eu-central-1:123456789012:key/0a-1b",
        checkpoint_days=16, keep_outputs_days=400, keep_runs_days=16,
        version_days=90, lock_days=365,
        protect_table=True,
        container_insights="enhanced",
        prices=Prices(0.05, 0.005, 0.75, "2026-11"),
    )  # fmt: skip
    assert read.job() == Job(
        name="report-2",
        image="registry/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        command=("run", "it"),
        environment={"A": "1"},
        secret="arn:aws:secretsmanager:eu-central-1:123456789012:secret:night/db-AbCdEf",
        checkpoint_dir="/c",
        output_dir="/o",
        disk_gb=21,
        read_only_root=True,
        drop_capabilities=True,
        user="10001:0",
        vcpu=0.25,
        memory_gb=0.5,
        architecture="arm64",
        stop_timeout_seconds=30,
        checkpoint_every_seconds=30,
        marker="/m",
        output_ignore=(),
        scratch_dir="/s",
        uploads=3,
        patience_seconds=60,
        drain_seconds=0.5,
        on_stop="true",
        on_stop_seconds=2,
        signal="group",
        signal_job="INT",
        forward=("USR1", "RTMIN+3"),
        schedule="cron(0 2 * * ? *)",
        timezone="Europe/Berlin",
        enabled=False,
        finish_within_minutes=90,
        expected_minutes=1.5,
        maximum_wait_minutes=0,
        start_up_seconds=0,
        margin_seconds=1,
        capacity=CapacityMode.SPOT_ONLY,
        rerun="never",
        retry=Retry(0, 1),
        budgets=Budgets(5, 2, 3, 0),
        backoff=Backoff(1, 2),
        policies=("arn:aws:iam::123456789012:policy/more",),
        missed=26,
        failed_alarm_mails=True,
        keep_logs=1,
        tell_every_run=True,
    )


def test_each_budget_arrives() -> None:
    budgets = "budgets = { interruptions = 1, throttles = 2, infrastructure = 3, failures = 4 }"
    assert parse(JOB + budgets).job().budgets == Budgets(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "jobs is missing: it must be a table with one table [jobs.NAME] for each job"),
        ("a = 1\nb =", "end of document is no TOML: Invalid value."),
        ("a =\nb = 1", "line 1 is no TOML: Invalid value."),
        ("[jobs]\n[jobs]", "line 2 is no TOML: Cannot declare [jobs] twice."),
        (JOB + "[jobs.ab]", "line 3 is no TOML: Cannot declare [jobs.ab] twice."),
        ("jobs = 3", "jobs is 3, but must be a table"),
        ("[jobs.ab]", "jobs.ab.image is missing: it must be the name of an image"),
        ("[platfrom]\n" + JOB, 'the file has no key "platfrom" (did you mean platform?); allowed:'),
        (JOB + 'capcity = "x"', 'jobs.ab has no key "capcity" (did you mean capacity?).'),
        (JOB + "budgets = {failure = 1}", 'jobs.ab.budgets has no key "failure" (did you mean fai'),
        (
            JOB + 'capacity = "spot"',
            'jobs.ab.capacity is "spot", but must be one of "spot-first", "spot-only", "on-dem',
        ),
        (JOB + 'command = "ls"', 'jobs.ab.command is "ls", but must be a list of texts'),
        (JOB + 'command = ["ls", 1]', "jobs.ab.command.1 is 1, but must be a text"),
        (JOB + 'command = [""]', "jobs.ab.command must name the program first"),
        (JOB + "environment = {A = 1}", "jobs.ab.environment.A is 1, but must be a text (numbers"),
        (
            JOB + 'environment = {STEADYSPOT_JOB = "x"}',
            'jobs.ab.environment has the name "STEADYSPOT_JOB", but it must be letters',
        ),
        (
            JOB + 'secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:night"',
            "jobs.ab.secret must be the whole ARN of a secret of Secrets Manager, with the six ",
        ),
        (JOB + f'command = ["{"x" * 4096}"]', "jobs.ab.command has 4,100 bytes as JSON, but at"),
        *(
            (JOB + f'{key} = "/{"x" * 4096}"', f"jobs.ab.{key} has 4,099 bytes as JSON, but at")
            for key in ("checkpoint_dir", "scratch_dir", "marker")
        ),
        (JOB + "cpu = 1024", "jobs.ab.cpu is 1024, but must be one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (JOB + "cpu = true", "jobs.ab.cpu is true, but must be one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (JOB + "memory = nan", "jobs.ab.memory is NaN, but must be a number of GB from 0.5 to 120"),
        (JOB + "memory = 1", "jobs.ab.memory is 1, but with cpu = 1 Fargate allows 2, 3, 4, 5, 6,"),
        (JOB + "cpu = 8\nmemory = 18", "jobs.ab.memory is 18, but with cpu = 8 Fargate allows 16"),
        (
            JOB + "stop_timeout = 300",
            "jobs.ab.stop_timeout is 300, but must be a whole number from",
        ),
        (JOB + "stop_timeout = 1", "jobs.ab.stop_timeout is 1, but must be a whole number from 2"),
        (JOB + "stop_timeout = 9.0", "jobs.ab.stop_timeout is 9.0, but must be a whole number"),
        (JOB + 'timezone = "Europe/Berln"', 'jobs.ab.timezone is "Europe/Berln", but it must be a'),
        (
            JOB + "finish_within_minutes = 5\nexpected_minutes = 6",
            "jobs.ab.finish_within_minutes is 5, but must be at least expected_minutes, which is 6",
        ),
        (
            JOB + "backoff = {seconds = 30, cap_seconds = 20}",
            "jobs.ab.backoff.cap_seconds is 20, but must be at least backoff.seconds, which i",
        ),
        (
            '[platform]\nvpc = "vpc-1"\n' + JOB,
            "platform.vpc needs platform.subnets beside it; without both a VPC is made",
        ),
        (
            '[platform]\nvpc = "vpc-1"\nsubnets = ["subnet-1"]\nvpc_prefix = "10.1"\n' + JOB,
            "platform.vpc_prefix is for the VPC that is made; with platform.vpc none is",
        ),
        (JOB + 'output_dir = "out"', 'jobs.ab.output_dir is "out", but must be the path of a fold'),
        (JOB + 'forward = ["TERM"]', 'jobs.ab.forward.0 is "TERM", but must be the name of a sig'),
        (JOB + 'signal_job = "KILL"', 'jobs.ab.signal_job is "KILL", but must be the name of a s'),
        (JOB + 'output_ignore = ["a/b"]', 'jobs.ab.output_ignore.0 is "a/b", but must be a patt'),
        (
            JOB + "keep_logs = 2",
            "jobs.ab.keep_logs is 2, but must be 0 (for ever) or the days until logs are del",
        ),
        (JOB + 'policies = ["mine"]', 'jobs.ab.policies.0 is "mine", but must be the ARN of a man'),
        ("[platform]\nassign_public_ip = true\n" + JOB, "platform.assign_public_ip needs platform"),
        ('[platform]\nname = "A"\n' + JOB, 'platform.name is "A", but must be 2 to 24 lower-case'),
        (
            "[platform]\nkeep_runs_days = 15\n" + JOB,
            "platform.keep_runs_days is 15, but must be 0 or a whole number from 16 to 3650",
        ),
        ('[platform]\nmail = "me"\n' + JOB, 'platform.mail is "me", but must be a mail address'),
        ('[jobs.Ab]\nimage = "x"', 'jobs has the name "Ab", but it must be 2 to 32 lower-case'),
        ('[jobs."ab\\n"]\nimage = "x"', 'jobs has the name "ab\\n", but it must be 2 to 32'),
        ('[jobs.a_b]\nimage = "x"', 'jobs has the name "a_b", but it must be 2 to 32'),
    ],
)
def test_a_wrong_key_or_value_gets_one_sentence(text: str, sentence: str) -> None:
    assert refusal(text).startswith(sentence)


def test_all_that_is_wrong_with_a_file_is_told_at_once_each_with_its_line() -> None:
    text = """
[platform]
nam = "x"
vpc_prefix = "300.1"

[jobs.ab]
image = "x"
cpu = 3
schedule = "hourly"

[jobs."cd"] # the second
image = "x"
schedule = "hourly"
retry.attempts = -1

[jobs.ef]
schedule = "hourly"

[jobs.gh]
image = "x"
schedule = "hourly"
timezone = "Europe/Berln"
backoff = { seconds = 9, cap_seconds = 3 }
"""
    found = [(line, sentence.partition(" is ")[0]) for line, sentence in refusals(text)]
    assert found[0][0] == 3
    assert found[0][1].startswith('platform has no key "nam" (did you mean name?)')
    assert sorted(found[1:], key=lambda one: one[0] or 0) == [
        (4, "platform.vpc_prefix"),
        (8, "jobs.ab.cpu"),
        (14, "jobs.cd.retry.attempts"),
        (16, "jobs.ef.image"),
        (21, "jobs.gh.schedule"),
        (22, "jobs.gh.timezone"),
        (23, "jobs.gh.backoff.cap_seconds"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (JOB + "command = []", "jobs.ab.command is [], but must be a list of texts, the program f"),
        (JOB + 'command = ["a\\u0000"]', "jobs.ab.command.0 is "),
        (
            JOB + 'checkpoint_dir = "/work"\noutput_dir = "/work/./"',
            'jobs.ab.checkpoint_dir is "/work", but must lie apart from output_dir',
        ),
        (
            JOB + 'checkpoint_dir = "/work/out/kept"\noutput_dir = "/work/out"',
            'jobs.ab.checkpoint_dir is "/work/out/kept", but must lie apart from output_dir',
        ),
        (
            JOB + 'checkpoint_dir = "//work"\noutput_dir = "/work/a/../out"',
            'jobs.ab.checkpoint_dir is "//work", but must lie apart from output_dir',
        ),
        (
            JOB + 'output_dir = "/tmp"',
            'jobs.ab.output_dir is "/tmp", but must not hold the worker\'s own files, which lie in',
        ),
        (
            JOB + 'checkpoint_dir = "/work"\nscratch_dir = "/work/scratch"',
            'jobs.ab.checkpoint_dir is "/work", but must not hold the worker\'s own files',
        ),
        (
            JOB + "stop_timeout = 30\ndrain_seconds = 31",
            "jobs.ab.drain_seconds is 31, but must be at most stop_timeout, which is 30",
        ),
        (JOB + "on_stop_seconds = 5", "jobs.ab.on_stop_seconds needs on_stop beside it"),
        (JOB + 'output_dir = "/.."', 'jobs.ab.output_dir is "/..", but must be a folder below /'),
        ('[platform]\nvpc_prefix = "300.1"\n' + JOB, 'platform.vpc_prefix is "300.1", but must'),
        ('[platform]\nvpc_prefix = "10.256"\n' + JOB, 'platform.vpc_prefix is "10.256", but'),
        ('[platform]\nvpc_prefix = "10.07"\n' + JOB, 'platform.vpc_prefix is "10.07", but'),
        ('[platform]\nvpc_prefix = "8.8"\n' + JOB, 'platform.vpc_prefix is "8.8", but'),
    ],
)
def test_what_cannot_be_meant_gets_one_sentence(text: str, sentence: str) -> None:
    assert refusal(text).startswith(sentence)


def test_folders_side_by_side_and_private_addresses_are_taken() -> None:
    folders = 'checkpoint_dir = "/work/out-kept"\noutput_dir = "/work/out"'
    for prefix in ("10.0", "10.255", "172.16", "172.31", "192.168"):
        assert (
            parse(f'[platform]\nvpc_prefix = "{prefix}"\n{JOB}{folders}').platform.vpc_prefix
            == prefix
        )


SIDECAR = 'sidecars = { cd = { image = "x", start = "after", health = { command = ["CMD", "a"] } }'
WITHOUT_EFFECT = {
    "enabled = false": "without a schedule",
    "spread_minutes = 5": "without a schedule",
    "retry = { attempts = 3 }": "without a schedule",
    'missed = "auto"': 'as "auto" without a schedule',
    'schedule = "rate(1 hour)"\ntimezone = "Europe/Berlin"': "beside a rate",
    'schedules.cd = { schedule = "rate(1 hour)", timezone = "Asia/Tokyo" }': "beside a rate",
    "queue_at_most = 5": 'without overlap = "queue"',
    'overlap = "skip"\nqueue_at_most = 5': 'without overlap = "queue"',
    "shards_at_once = 5": "without shards",
    'signal = "none"\nsignal_job = "INT"': 'beside signal = "none"',
    'rerun = "never"\nbudgets = { interruptions = 6 }': 'beside rerun = "never"',
    'rerun = "never"\nbudgets = { failures = 1, throttles = 2 }': 'beside rerun = "never"',
    SIDECAR + " }": "where nobody waits for that sidecar",
}
WITH_EFFECT = (
    "enabled = true\nspread_minutes = 0\nqueue_at_most = 100\nmissed = 0",
    'schedule = "rate(1 hour)"\nenabled = false\nspread_minutes = 5\nretry = { attempts = 3 }',
    'schedules.cd = { schedule = "cron(0 2 * * ? *)", timezone = "UTC" }\nmissed = "auto"',
    "missed = 5",
    'overlap = "queue"\nqueue_at_most = 5',
    "shards = 6\nshards_at_once = 5",
    'signal = "group"\nsignal_job = "INT"',
    'rerun = "never"\nbudgets = { throttles = 2 }',
    SIDECAR + ', ef = { image = "x", start = "after", after = ["cd"] } }',
)


@pytest.mark.parametrize("text", WITHOUT_EFFECT)
def test_key_without_effect_is_refused(text: str) -> None:
    assert f" is of no use {WITHOUT_EFFECT[text]}" in refusal(JOB + text)


@pytest.mark.parametrize("text", WITH_EFFECT)
def test_key_with_an_effect_is_taken(text: str) -> None:
    assert parse(JOB + text).jobs


def test_environment_may_leave_a_key_without_effect_that_it_cannot_take_away() -> None:
    text = JOB + 'overlap = "queue"\nqueue_at_most = 5\n[environments.dev.jobs.ab]\n'
    assert parse(text + 'overlap = "skip"\n').jobs
    assert parse(text.replace("queue", "skip", 1) + 'overlap = "queue"\n').jobs
    sentence = refusal(text + 'overlap = "skip"\nqueue_at_most = 6\n')
    assert "in environment dev, jobs.ab.queue_at_most is of no use" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("db_passwd", "hunter2"),
        ("AWS_ACCESS_KEY_ID", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_SESSION_TOKEN", "hunter2"),
        ("GITHUB_TOKEN", "hunter2"),
        ("STRIPE_API_KEY", "hunter2"),
        ("OPTIONS", f"--key {'AKIA' + 'EXAMPLE0' * 2} hunter2"),
    ],
)
def test_a_secret_in_the_environment_is_refused_and_not_shown(name: str, value: str) -> None:
    sentence = refusal(f'{JOB}environment = {{ {name} = "{value}" }}')
    assert sentence.startswith(f"jobs.ab.environment.{name} looks like a secret")
    assert "hunter2" not in sentence
    assert "AKIA" not in sentence


@pytest.mark.parametrize(
    "name", ["PASSWORD_FILE", "SECRET_NAME", "TOKENIZERS_PARALLELISM", "AWS_REGION", "KEY"]
)
def test_a_name_that_only_sounds_like_a_secret_is_taken(name: str) -> None:
    assert parse(f'{JOB}environment = {{ {name} = "x" }}').job().environment == {name: "x"}


def test_what_platform_keys_must_have_in_common_is_looked_at_whatever_is_wrong_elsewhere() -> None:
    alone = '[platform]\nvpc = "vpc-0a"\n'
    assert [line for line, _ in refusals(alone + JOB + "memroy = 1\n")] == [5, 2]
    assert [told for _, told in refusals(f"platform = 5\n{JOB}")] == [
        "platform is 5, but must be a table: what the jobs share."
    ]


@pytest.mark.parametrize("wrong", ["environments = 5\n", 'platform = { nam = "x" }\n'])
def test_what_jobs_must_have_in_common_is_looked_at_whatever_is_wrong_elsewhere(wrong: str) -> None:
    sentences = [told for _, told in refusals(wrong + JOB + 'after = "ab"\n')]
    assert "jobs.ab.after leads back to itself." in sentences


def test_where_the_platform_is_wrong_nothing_more_is_said_of_it() -> None:
    told = refusals(f'[platform]\nvpc = "vpc-0a"\nsubnets = 5\n{JOB}')
    assert [line for line, _ in told] == [3]


def test_a_sidecar_is_asked_every_five_seconds_whether_it_is_ready() -> None:
    before = SIDECAR.replace('start = "after", ', "")
    (sidecar,) = parse(JOB + before + " }").job().sidecars.values()
    assert sidecar.health == Health(
        ("CMD", "a"), interval_seconds=5, timeout_seconds=5, retries=10, start_seconds=0
    )


def test_a_mark_at_the_start_of_the_file_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(JOB, "utf-8-sig")
    assert load(path).job().name == "ab"


def test_a_misspelt_key_is_told_before_what_is_missing_for_it() -> None:
    assert "did you mean image?" in refusal('[jobs.ab]\nimmage = "x"')


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(12 hours)",
        "cron(0 2 * * ? *)",
        "cron(0/15 8-18 ? * MON-FRI *)",
        "cron(0 6 L * ? 2027-2030)",
        "at(2028-02-29T23:59:59)",
    ],
)
def test_schedules_of_aws_are_taken(expression: str) -> None:
    assert parse(f'{JOB}schedule = "{expression}"').job().schedule == expression


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("hourly", 'it must be "rate(1 hour)"'),
        ("0 2 * * *", 'it must be "rate(1 hour)"'),
        ("rate(0 hours)", "a rate is a positive whole number"),
        ("rate(1 month)", "a rate is a positive whole number"),
        ("cron(0 2 * * *)", "it has 5 fields: a cron expression of AWS is minutes hours"),
        ("cron(0 2 * * * *)", "exactly one of its day-of-month and day-of-week must be ?"),
        ("cron(99 2 * * ? *)", "its minute field is '99', where 0-59 is allowed"),
        ("at(2027-02-29T00:00:00)", "the time must be one, written as in"),
        ("at(2027-02-28T00:00:00Z)", "the time must be one, written as in"),
        ("rate(1 hour)\\n", 'it must be "rate(1 hour)"'),
    ],
)
def test_other_schedules_are_refused(expression: str, said: str) -> None:
    sentence = refusal(f'{JOB}schedule = "{expression}"')
    assert sentence.startswith("jobs.ab.schedule is ")
    assert said in sentence


def test_a_secret_typed_where_its_arn_belongs_is_not_shown() -> None:
    assert "hunter2" not in refusal(JOB + 'secret = "hunter2"')


def test_a_file_that_cannot_be_read_gets_one_sentence(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path, said in [
        (tmp_path / "absent.toml", "there is no such file"),
        (tmp_path, "can't be read: Is a directory"),
        (binary, "must be text in UTF-8"),
    ]:
        with pytest.raises(ConfigError, match=said) as refused:
            load(path)
        assert str(refused.value).startswith(f"{path}: ")


def test_each_refusal_says_what_to_do_about_it(tmp_path: Path) -> None:
    two = parse(JOB + '[jobs.report]\nimage = "x"\n')
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: load(tmp_path / "absent.toml"), "--config"),
        (lambda: parse(JOB, environment="prod"), "--env"),
        (lambda: parse("[jobs"), "Correct it"),
        (two.job, "Name one of them"),
        (lambda: two.job("nobody"), "Name one that it has"),
    ]
    for asked, step in refusals:
        with pytest.raises(ConfigError) as refused:
            asked()
        assert step in refused.value.what_to_do


def test_of_many_jobs_the_one_that_may_be_meant_is_named_alone() -> None:
    many = parse("".join(f'[jobs.job-{n}]\nimage = "x"\n' for n in range(10, 60)))
    with pytest.raises(ConfigError, match=r'has no job "job-111" \(did you mean job-11\?\)\.$'):
        many.job("job-111")
    with pytest.raises(ConfigError, match=r'has no job "x"; allowed: job-10, '):
        many.job("x")


def test_a_job_is_found_by_name_or_as_the_only_one() -> None:
    two = parse(JOB + '[jobs.report]\nimage = "x"\n')
    assert two.job("report").name == "report"
    with pytest.raises(ConfigError, match="has several jobs: ab, report"):
        two.job()
    with pytest.raises(ConfigError, match=r"did you mean report\?"):
        two.job("reprot")


@pytest.mark.parametrize(
    ("cpu", "allowed"),
    [
        (0.25, "0.5, 1, 2"),
        (0.5, "1, 2, 3, 4"),
        (1, "2, 3, 4, 5, 6, 7, 8"),
        (2, "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16"),
        (4, ", ".join(str(size) for size in range(8, 31))),
        (8, "16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60"),
        (16, "32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120"),
    ],
)
def test_memory_with_each_number_of_vcpus_is_what_fargate_gives(cpu: float, allowed: str) -> None:
    """AWS: Amazon ECS Developer Guide, task size."""
    assert f"Fargate allows {allowed} (GB)" in refusal(f"{JOB}cpu = {cpu}\nmemory = 0.75")


@given(st.sampled_from(sorted(consistency._MEMORY_GB)), st.sampled_from([0.5, *range(1, 121)]))
def test_memory_fits_the_cpu_as_fargate_says(cpu: float, memory: float) -> None:
    text = f"{JOB}cpu = {cpu}\nmemory = {memory}"
    per_cpu = memory / cpu
    if memory in consistency._MEMORY_GB[cpu]:
        # AWS: from 2 GB for each vCPU to 8 (to 7.5 for 4 and 8 vCPU).
        assert 2 <= per_cpu <= 8
        assert parse(text).job().memory_gb == memory
    else:
        assert "Fargate allows" in refusal(text)


values = st.one_of(
    st.booleans(),
    st.integers(-1, 10**6),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from(["spot-first", "always", "arm64", "UTC", "cron(0 2 * * ? *)", "rate(1 hour)"]),
)


def as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08X}" for character in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return repr(value)


@given(st.dictionaries(st.sampled_from(sorted(keys_of_a_job())), values, max_size=4))
def test_whatever_a_job_says_it_is_typed_or_refused(table: dict[str, object]) -> None:
    lines = [f"{key} = {as_toml(value)}" for key, value in {"image": "x", **table}.items()]
    text = "\n".join(["[jobs.ab]", *lines])
    try:
        job = parse(text, Path("some/steadyspot.toml")).job()
    except ConfigError:
        refusal(text)
    else:
        assert 2 <= job.stop_timeout_seconds <= 120
        assert job.memory_gb in consistency._MEMORY_GB[job.vcpu]
        assert job.expected_minutes <= (job.finish_within_minutes or job.expected_minutes)


MADE_OF_OTHERS = {"VpcId", "SubnetIds", "AssignPublicIp"}
"""Parameters that are only given where the configuration names a network."""


@pytest.mark.parametrize(
    ("template", "given"),
    [
        ("platform", of_platform(Platform(vpc="vpc-1", subnets=("subnet-1",)))),
        ("job", of_job(Platform(), Job("ab", "x"))),
    ],
)
def test_every_parameter_of_a_template_is_reached_from_the_configuration(
    template: str, given: dict[str, str]
) -> None:
    declared = TEMPLATES[template]["Parameters"]
    assert set(given) == set(declared) - {PAUSED}  # It is the business of pause and resume.
    for name in set(given) - MADE_OF_OTHERS:
        if "Default" in declared[name]:
            assert given[name] == str(declared[name]["Default"]), name


def test_every_key_of_the_schema_is_a_field_and_the_other_way_round() -> None:
    properties = json.loads((CHECKOUT / "deploy/stacks/config.schema.json").read_text())
    assert set(properties["$defs"]["job"]["properties"]) == keys_of_a_job()
    platform = properties["properties"]["platform"]["properties"]
    assert set(platform) == set(Platform.__dataclass_fields__)
