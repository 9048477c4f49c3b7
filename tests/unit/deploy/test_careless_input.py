"""What a careless person types, line by line: two sentences each, an exit code, no traceback.

What AWS, a proxy or a planted record makes of a command is in tests/local.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from steadyspot.deploy.cli.main import main
from steadyspot.deploy.trouble import USAGE
from tests.unit.deploy.test_golden import faults_of

ROOT = Path(__file__).parents[3]
JOB = '[jobs.night]\nimage = "night:1"\n'

FILES = [
    # no file that can be read as one
    "",
    "\n\n# nothing\n",
    "jobs",
    "[jobs",
    "[jobs.night\nimage = 'x'",
    "jobs = 1",
    "jobs = []",
    "jobs = {}",
    "[jobs]\nnight = 1",
    '{"jobs": {}}',
    "jobs:\n  night:\n    image: x\n",
    JOB + "cpu = ",
    JOB + "cpu = 1\ncpu = 2",
    JOB + JOB,
    JOB + "command = [\"a\", 'b'",
    JOB + 'command = "python job.py',
    "\x00",
    # keys that there are not
    "[job.night]\nimage = 'x'",
    "[plattform]\n" + JOB,
    "[platform]\nnam = 'x'\n" + JOB,
    '[platform]\n"" = 1\n' + JOB,
    "[jobs.night]\nimmage = 'x'",
    "[jobs.night]\nImage = 'x'",
    JOB + "comand = ['x']",
    JOB + "shedule = 'rate(1 hour)'",
    JOB + "finish_within = 10",
    JOB + "retries = 3",
    JOB + "[jobs.night.retry]\nattempt = 1",
    JOB + "budgets = { interruption = 1 }",
    JOB + "backoff = { second = 1 }",
    # names
    "[jobs.Night]\nimage = 'x'",
    "[jobs.n]\nimage = 'x'",
    '[jobs."night job"]\nimage = "x"',
    '[jobs."nïght"]\nimage = "x"',
    "[jobs.1night]\nimage = 'x'",
    f"[jobs.{'n' * 33}]\nimage = 'x'",
    '[jobs."ni\\nght"]\nimage = "x"',
    '[platform]\nname = "Shop"\n' + JOB,
    '[platform]\nname = ""\n' + JOB,
    '[platform]\nname = "a_b"\n' + JOB,
    f'[platform]\nname = "{"a" * 25}"\n' + JOB,
    # the platform
    '[platform]\nregion = "Frankfurt"\n' + JOB,
    '[platform]\nregion = "eu-central-1a"\n' + JOB,
    '[platform]\nregion = ""\n' + JOB,
    '[platform]\nmail = "team"\n' + JOB,
    '[platform]\nmail = "a@b"\n' + JOB,
    '[platform]\nmail = "a b@example.com"\n' + JOB,
    '[platform]\nmail = ["a@example.com"]\n' + JOB,
    '[platform]\nvpc = "vpc"\n' + JOB,
    '[platform]\nvpc = "vpc-0a"\n' + JOB,
    '[platform]\nsubnets = ["subnet-0a"]\n' + JOB,
    '[platform]\nvpc = "vpc-0a"\nsubnets = []\n' + JOB,
    '[platform]\nvpc = "vpc-0a"\nsubnets = ["subnet-0a", "subnet-0a"]\n' + JOB,
    '[platform]\nvpc = "vpc-0a"\nsubnets = "subnet-0a"\n' + JOB,
    '[platform]\nvpc = "vpc-0a"\nsubnets = ["subnet-0a"]\nvpc_prefix = "10.1"\n' + JOB,
    "[platform]\nassign_public_ip = false\n" + JOB,
    '[platform]\nassign_public_ip = "no"\n' + JOB,
    '[platform]\nvpc_prefix = "300.1"\n' + JOB,
    '[platform]\nvpc_prefix = "10.256"\n' + JOB,
    '[platform]\nvpc_prefix = "10.0.0.0/16"\n' + JOB,
    "[platform]\nvpc_prefix = 10.74\n" + JOB,
    '[platform]\nvpc_prefix = "8.8"\n' + JOB,
    "[platform]\ncheckpoint_days = 1\n" + JOB,
    "[platform]\ncheckpoint_days = 30.5\n" + JOB,
    '[platform]\ncontainer_insights = "on"\n' + JOB,
    "[platform]\nprices = { vcpu_hour = -1 }\n" + JOB,
    "[platform]\nprices = { spot_discount = 70 }\n" + JOB,
    '[platform]\nprices = { date = "June" }\n' + JOB,
    "[platform]\nprices = { gb_hour = nan }\n" + JOB,
    # what runs
    "[jobs.night]",
    '[jobs.night]\nimage = ""',
    '[jobs.night]\nimage = "bad image"',
    '[jobs.night]\nimage = "Night:1"',
    '[jobs.night]\nimage = "night:"',
    '[jobs.night]\nimage = "https://registry.example.com/night"',
    '[jobs.night]\nimage = "night@sha256:abc"',
    '[jobs.night]\nimage = "night:1 "',
    f'[jobs.night]\nimage = "{"a" * 256}"',
    "[jobs.night]\nimage = 1",
    JOB + "command = []",
    JOB + 'command = ["", "x"]',
    JOB + 'command = "python job.py"',
    JOB + 'command = ["sleep", 5]',
    JOB + 'command = ["a\\u0000"]',
    JOB + f'command = ["{"x" * 5000}"]',
    JOB + 'environment = { DB_PASSWORD = "hunter2" }',
    JOB + 'environment = { AWS_SECRET_ACCESS_KEY = "hunter2" }',
    JOB + 'environment = { AWS_ACCESS_KEY_ID = "hunter2" }',
    JOB + 'environment = { STEADYSPOT_JOB = "x" }',
    JOB + "environment = { THREADS = 4 }",
    JOB + 'environment = { "A B" = "x" }',
    JOB + 'environment = { "1A" = "x" }',
    JOB + 'environment = ["A=B"]',
    JOB + 'secret = "night"',
    JOB + 'secret = "arn:aws:secretsmanager:eu-central-1:1:secret:night"',
    JOB + 'checkpoint_dir = "work"',
    JOB + 'checkpoint_dir = "/"',
    JOB + 'output_dir = "/.."',
    JOB + 'output_dir = "~/out"',
    JOB + 'checkpoint_dir = "/work"\noutput_dir = "/work"',
    JOB + 'checkpoint_dir = "/work/out/kept"\noutput_dir = "/work/out"',
    JOB + 'checkpoint_dir = "/work"\noutput_dir = "/work/out/"',
    JOB + "checkpoint_every_seconds = 0",
    JOB + 'output_ignore = ["a/b"]',
    JOB + 'marker = ""',
    JOB + "uploads = 0",
    JOB + "patience_seconds = -1",
    JOB + "patience_seconds = inf",
    # its size
    JOB + "cpu = 3",
    JOB + 'cpu = "1"',
    JOB + "cpu = 0",
    JOB + "memory = 1",
    JOB + "cpu = 4\nmemory = 4",
    JOB + "memory = 2048",
    JOB + "memory = nan",
    JOB + "disk = 10",
    JOB + "disk = 500",
    JOB + "disk = 20.5",
    JOB + 'architecture = "amd64"',
    # its end
    JOB + "stop_timeout = 1",
    JOB + "stop_timeout = 600",
    JOB + 'stop_timeout = "120s"',
    JOB + "stop_timeout = 30\ndrain_seconds = 60",
    JOB + "on_stop_seconds = 5",
    JOB + 'on_stop = " "',
    JOB + 'signal = "all"',
    JOB + 'signal_job = "KILL"',
    JOB + 'signal_job = "SIGTERM"',
    JOB + 'forward = ["TERM"]',
    # its times
    JOB + 'schedule = "hourly"',
    JOB + 'schedule = ""',
    JOB + "schedule = 5",
    JOB + 'schedule = "rate(0 hours)"',
    JOB + 'schedule = "rate(1.5 hours)"',
    JOB + 'schedule = "rate(1 week)"',
    JOB + 'schedule = "cron(0 2 * * *)"',
    JOB + 'schedule = "cron(0 2 * * * *)"',
    JOB + 'schedule = "cron(60 2 * * ? *)"',
    JOB + 'schedule = "cron(0 24 * * ? *)"',
    JOB + 'schedule = "cron(0 2 30 2 ? *)"',
    JOB + 'schedule = "cron(0 2 31 4,6 ? *)"',
    JOB + 'schedule = "cron(0 2 31W 2 ? *)"',
    JOB + 'schedule = "cron(0 2 29 2 ? 2027)"',
    JOB + 'schedule = "cron(0 2 ? 2 MON#5 2027)"',
    JOB + 'schedule = "at(2027-02-30T02:00:00)"',
    JOB + 'schedule = "at(2027-02-28)"',
    JOB + 'schedule = "at(2027-02-28T02:00:00Z)"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = "Berlin"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = "CEST"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = ""',
    JOB + 'schedule = "rate(1 hour)"\ntimezone = "Europe/Berlin"',
    JOB + 'enabled = "yes"',
    JOB + "enabled = 1",
    JOB + "expected_minutes = 0",
    JOB + 'expected_minutes = "10"',
    JOB + "expected_minutes = 120\nfinish_within_minutes = 60",
    JOB + "finish_within_minutes = -5",
    JOB + "finish_within_minutes = 1e9",
    JOB + "maximum_wait_minutes = -1",
    JOB + "launch_minutes = -1",
    JOB + "limit_minutes = -1",
    JOB + "expected_minutes = 30\nlimit_minutes = 20",
    JOB + "start_up_seconds = 1.5",
    JOB + "margin_seconds = -1",
    # how much trouble it may take
    JOB + 'capacity = "spot"',
    JOB + 'capacity = "Spot-First"',
    JOB + 'rerun = "no"',
    JOB + "rerun = false",
    JOB + "retry = 3",
    JOB + "retry = { attempts = 200 }",
    JOB + "retry = { age_minutes = 0 }",
    JOB + "budgets = { failures = -1 }",
    JOB + "budgets = { interruptions = 1.5 }",
    JOB + "backoff = { seconds = 0 }",
    JOB + "backoff = { seconds = 600, cap_seconds = 60 }",
    JOB + 'policies = "AdministratorAccess"',
    JOB + 'policies = ["AdministratorAccess"]',
    JOB + "missed = -1",
    JOB + "keep_logs = 31",
    JOB + 'tell_every_run = "true"',
]

LINES = [
    ["rnu"],
    ["Run"],
    ["RUNS"],
    ["stopp"],
    [""],
    ["run", "night", "more"],
    ["runs", "night", "--most"],
    ["runs", "--most", "0"],
    ["runs", "--most", "many"],
    ["runs", "--most", "1e3"],
    ["--config"],
    ["--verbose"],
    ["run", "--verbose"],
    ["run", "--inptu", "{}"],
    ["run", "-x"],
    ["run", "nigth", "--local"],
    ["run", "night ", "--local"],
    ["run", "--local", "--region", "eu-central-1"],
    ["run", "--local", "--profile", "x"],
    ["run", "--region", ""],
    ["run", "--region", "Frankfurt"],
    ["run", "--region", "eu-central-1\n"],
    ["run", "--input", ""],
    ["run", "--input", "{"],
    ["run", "--input", "[]"],
    ["run", "--input", "null"],
    ["run", "--input", "NaN"],
    ["run", "--input", "{'capacity': 'spot-only'}"],
    ["run", "--input", '{"capacity": "cheap"}'],
    ["run", "--input", '{"capacityy": "spot-only"}'],
    ["run", "--input", '{"scheduledTime": "2026-02-30T02:00:00Z"}'],
    ["run", "--input", '{"scheduledTime": "yesterday"}'],
    ["run", "--input", '{"command": "ls"}'],
    ["run", "--input", '{"command": [""]}'],
    ["run", "--input", '{"environment": {"A": "B"}}'],
    ["run", "--input", '{"finishWithinMinutes": -1}'],
    ["run", "--input", "[" * 100_000],
    ["explain", "night", ""],
    ["explain", "night", " "],
    ["explain", "night", "a b"],
    ["explain", "night", "a\nb"],
    ["explain", "night", "\x1b[31m"],
    ["explain", "night", "x" * 81],
    ["explain", "night", "2026-02-30T02:00:00Z"],
    ["logs", "night", "<key>"],
    ["logs", "--since", "soon"],
    ["logs", "--tail", "-1"],
    ["logs", "--attempt", "0"],
    ["watch", "night", "a/b"],
    ["watch", "night", "arn:aws:states:eu-central-1:123456789012:stateMachine:night"],
    ["redrive", "--from", "monday"],
    ["redrive", "--from", "2026-02-30"],
    ["redrive", "--from", "2026-13-01"],
    ["redrive", "--from", ""],
    ["redrive", "--from", "24.11.2026"],
    ["redrive", "--from", "2026-11-24T25:00:00Z"],
    ["redrive", "--from", "2026-11-24", "--to", "soon"],
    ["redrive", "--at-once", "0"],
    ["drill"],
    ["drill", "interupt"],
    ["drill", "INTERRUPT"],
    ["cost", "--days", "0"],
    ["cost", "--days", "-1"],
    ["up", "--image", "bad image"],
    ["up", "--image", ""],
    ["up", "--image", "a:b:c"],
    ["up", "--image", "Night"],
    ["up", "--image", "night@sha256:zz"],
    ["local", "--port", "99999"],
    ["local", "--port", "-1"],
    ["local", "--port", "http"],
    ["demo", "now"],
    ["run", "nig\udcffht"],
    ["run", "--profile", "\udcff"],
]


def steadyspot(folder: Path, *words: str, **environment: str) -> Result:
    given = {
        **{name: None for name in os.environ if name.startswith("AWS_")},
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        **environment,
    }
    return CliRunner(env=given).invoke(main, words)


def is_told_in_two_sentences(result: Result) -> str:
    """What was said: what is wrong, and what to do, a line or more each."""
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (1, USAGE), result.output
    assert "Traceback" not in result.output
    what, _, step = result.output.rstrip().rpartition("\n")
    assert what.startswith("Error: "), result.output
    assert what.rstrip().endswith((".", "?")), result.output
    assert step.endswith("."), result.output
    assert len(step) > 10, result.output
    return result.output


@pytest.mark.parametrize("text", FILES)
def test_a_careless_file_is_told_in_two_sentences(tmp_path: Path, text: str) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(text)
    said = is_told_in_two_sentences(steadyspot(tmp_path, "run", "--config", str(path)))
    assert "hunter2" not in said
    assert f"{path}:" in said


@pytest.mark.parametrize("words", LINES, ids=lambda words: ascii(" ".join(words))[:60])
def test_a_careless_line_is_told_in_two_sentences(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "steadyspot.toml").write_text(JOB)
    where = (
        [] if words[0] in ("demo", "--config") else ["--config", str(tmp_path / "steadyspot.toml")]
    )
    result = steadyspot(tmp_path, *words, *where, AWS_DEFAULT_REGION="eu-central-1")
    said = is_told_in_two_sentences(result)
    assert "credentials" not in said  # what is wrong is told before AWS is looked for


def test_there_are_two_hundred_of_them() -> None:
    assert len(set(FILES)) + len({tuple(words) for words in LINES}) >= 200


def test_all_errors_of_a_file_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(
        '[platform]\nmail = "x"\n[jobs.night]\nimage = "bad image"\ncpu = 3\nshedule = "x"\n'
    )
    said = is_told_in_two_sentences(steadyspot(tmp_path, "check", "--config", str(path)))
    flat = said.replace("\n", "")
    for line, key in ((2, "platform.mail"), (5, "jobs.night.cpu"), (6, "jobs.night has no key")):
        assert f"{path}:{line}: {key}" in flat


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["rnu"], "'run'"), (["exlpain"], "'explain'"), (["drill", "interupt"], "interrupt?"),
     (["run", "--inptu", "x"], "'--input'"), (["run", "nigth", "--local"], "night?")],
)  # fmt: skip
def test_what_is_nearly_right_is_asked_for(tmp_path: Path, words: list[str], meant: str) -> None:
    (tmp_path / "steadyspot.toml").write_text(JOB)
    assert "id you mean" in (said := steadyspot_in(tmp_path, *words).output)
    assert meant in said


def steadyspot_in(folder: Path, *words: str) -> Result:
    return steadyspot(folder, *words, "--config", str(folder / "steadyspot.toml"))


def test_trouble_is_one_object_for_a_machine(tmp_path: Path) -> None:
    (tmp_path / "steadyspot.toml").write_text(JOB)
    for words, code in ((["run", "noon"], 1), (["run", "--most", "1"], USAGE)):
        result = steadyspot_in(tmp_path, *words, "--json")
        told = json.loads(result.stderr)
        assert (result.exit_code, told["exit_code"], result.stdout) == (code, code, "")
        assert faults_of("error", told) == []


def process(*words: str, stdout: int | None = None, **environment: str) -> tuple[int, str]:
    """Run the command line as a shell does, with a terminal that may be none of UTF-8."""
    with Path(os.devnull).open() as nothing:
        done = subprocess.run(
            [sys.executable, "-m", "steadyspot", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=nothing,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["runs", "--help"], ["--version"]], ids=" ".join)
def test_a_full_disk_behind_the_output_is_a_sentence(words: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, said = process(*words, stdout=full)
    finally:
        os.close(full)
    assert (code, said.count("\n")) == (1, 2), said
    assert said.startswith("Error: This machine refused: No space left on device.")


def test_a_terminal_that_is_not_utf_8_shows_what_it_can(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text('[jobs.night]\nimage = "nïght"\n', "utf-8")
    code, said = process("check", "--config", str(path), PYTHONIOENCODING="ascii:strict")
    assert code == 1
    assert 'jobs.night.image is "n\\xefght"' in said
    assert "Traceback" not in said
