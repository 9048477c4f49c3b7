"""What `steadyspot init` writes: it fits, it runs, and nothing of anybody's is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner, Result

from steadyspot.deploy.cli.main import main
from steadyspot.deploy.scaffold.copilot import schedule_from
from steadyspot.deploy.scaffold.files import as_toml
from steadyspot.deploy.scaffold.wishes import COMMANDS, KINDS, name_from
from steadyspot.deploy.stacks.config import Health, Volume
from steadyspot.deploy.stacks.config_file import load

ROOT = Path(__file__).resolve().parents[3]
COPILOT = """
name: report
type: Scheduled Job
image:
  build: ./report/Dockerfile
cpu: 256
memory: 512
on:
  schedule: "*/10 8-18 * * 1-5"
retries: 3
timeout: 1h30m
platform: linux/arm64
variables:
  LOG_LEVEL: info
  API_TOKEN: hunter2
secrets:
  GITHUB_TOKEN: GH_TOKEN
"""
TASK_DEFINITION: dict[str, Any] = {
    "family": "Nightly_ETL",
    "cpu": "512",
    "memory": "1024",
    "taskRoleArn": "arn:aws:iam::123456789012:role/etl",
    "runtimePlatform": {"cpuArchitecture": "ARM64"},
    "ephemeralStorage": {"sizeInGiB": 50},
    "containerDefinitions": [
        {"name": "router", "image": "fluent-bit", "essential": False},
        {
            "name": "etl",
            "image": "registry.example.com/etl:7",
            "entryPoint": ["python"],
            "command": ["etl.py", "--all", 'say "hi"'],
            "environment": [
                {"name": "STAGE", "value": "prod"},
                {"name": "DB_PASSWORD", "value": "hunter2"},
            ],
            "secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:x"}],
            "stopTimeout": 90,
        },
    ],
}


def init(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, arguments)])


def test_without_an_answer_it_writes_a_job_in_python(tmp_path: Path) -> None:
    folder = tmp_path / "Night Report"

    done = init(folder)

    assert done.exit_code == 0, done.output
    (job,) = load(folder / "steadyspot.toml").jobs.values()
    assert (job.name, job.command) == ("night-report", ("python3", "job.py"))
    assert "steadyspot drill interrupt --local" in done.output
    assert (folder / ".gitignore").read_text() == ".steadyspot/\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pipeline", ["none", "github", "gitlab"])
def test_what_it_writes_fits_for_every_kind(tmp_path: Path, kind: str, pipeline: str) -> None:
    done = init(tmp_path / "job", "--kind", kind, "--ci", pipeline, "--schedule", "rate(1 hour)")

    assert done.exit_code == 0, done.output
    (job,) = load(tmp_path / "job" / "steadyspot.toml").jobs.values()
    assert (job.schedule, job.missed) == ("rate(1 hour)", "auto")
    dockerfile = (tmp_path / "job" / "Dockerfile").read_text()
    assert "STOPSIGNAL SIGTERM" in dockerfile
    copied = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("COPY job")]
    assert all((tmp_path / "job" / name).is_file() for name in copied)
    workflows = [*(tmp_path / "job").rglob("*.yml")]
    assert len(workflows) == (pipeline != "none")
    assert all(yaml.safe_load(path.read_text()) for path in workflows)


@pytest.mark.parametrize(("kind", "program"), [("shell", "sh"), ("node", "node")])
def test_a_job_it_writes_goes_on_where_it_stopped(tmp_path: Path, kind: str, program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"there is no {program} here")
    init(tmp_path, "--kind", kind)
    # Of its twelve parts of half a second it does none when each is done in a checkpoint.
    name = COMMANDS[kind][1]  # type: ignore[index]
    job = (tmp_path / name).read_text().replace("sleep 0.5", "sleep 0").replace("(500)", "(0)")
    (tmp_path / name).write_text(job)

    def ran() -> list[str]:
        done = subprocess.run(
            [program, name], cwd=tmp_path, check=True, text=True, stdout=subprocess.PIPE
        )
        return done.stdout.splitlines()

    assert len(ran()) == 12
    whole = sorted(path.read_bytes() for path in (tmp_path / "output").iterdir())
    assert ran() == []
    assert sorted(path.read_bytes() for path in (tmp_path / "output").iterdir()) == whole


def test_the_job_in_python_runs_by_itself(tmp_path: Path) -> None:
    init(tmp_path, "--kind", "python")
    job = (tmp_path / "job.py").read_text().replace("sleep(0.5)", "sleep(0)")
    (tmp_path / "job.py").write_text(job)

    done = subprocess.run(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.count("is done") == 12


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    mine = {
        "Dockerfile": "FROM mine\n",
        "job.py": "print(1)\n",
        ".dockerignore": ".git\n.steadyspot",
    }
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".gitignore").write_bytes(b"data \xff")

    done = init(tmp_path, "--kind", "python")

    assert done.exit_code == 0, done.output
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert (tmp_path / ".gitignore").read_bytes() == b"data \xff\n.steadyspot/\n"
    assert 'ENTRYPOINT ["steadyspot-worker"]' in done.output


def test_a_folder_with_a_configuration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "steadyspot.toml").write_text("# mine\n")

    done = init(tmp_path)

    assert done.exit_code == 1
    assert "is there already" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["steadyspot.toml"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--schedule", "cron(0 25 * * ? *)"),
        ("--name", "Night Report"),
        ("--mail", "nobody"),
        ("--command", "  "),
        ("--command", "sh 'open"),
        ("--kind", "python", "--command", "node x"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    done = init(tmp_path / "new", *wrong)

    assert done.exit_code in (1, 2), done.output
    assert not isinstance(done.exception, ValueError)
    assert not (tmp_path / "new").exists()


def test_a_job_of_copilot_is_taken_over(tmp_path: Path) -> None:
    manifest = tmp_path / "copilot" / "report"
    manifest.mkdir(parents=True)
    (manifest / "manifest.yml").write_text(COPILOT)

    done = init(tmp_path, "--from-copilot", manifest)

    assert done.exit_code == 0, done.output
    (job,) = load(tmp_path / "steadyspot.toml").jobs.values()
    assert (job.name, job.vcpu, job.memory_gb, job.architecture) == ("report", 0.25, 0.5, "arm64")
    assert (job.schedule, job.finish_within_minutes) == ("cron(0/10 8-18 ? * 2-6 *)", 90)
    assert (job.budgets.failures, job.environment) == (3, {"LOG_LEVEL": "info"})
    for what in ("secrets:", "API_TOKEN, a secret", "image.build: ./report/Dockerfile"):
        assert what in done.output.replace("\n", " ")
    assert "hunter2" not in done.output + (tmp_path / "steadyspot.toml").read_text()


@pytest.mark.parametrize("form", [TASK_DEFINITION, {"taskDefinition": TASK_DEFINITION}])
def test_a_task_definition_is_taken_over(tmp_path: Path, form: dict[str, Any]) -> None:
    (tmp_path / "td.json").write_text(json.dumps(form))

    done = init(tmp_path, "--from-task-definition", tmp_path / "td.json")

    assert done.exit_code == 0, done.output
    (job,) = load(tmp_path / "steadyspot.toml").jobs.values()
    assert job.command == ("python", "etl.py", "--all", 'say "hi"')
    assert (job.name, job.vcpu, job.memory_gb, job.disk_gb) == ("nightly-etl", 0.5, 1, 50)
    assert (job.stop_timeout_seconds, job.environment) == (90, {"STAGE": "prod"})
    assert "FROM registry.example.com/etl:7\n" in (tmp_path / "Dockerfile").read_text()
    assert job.sidecars["router"].image == "fluent-bit"
    for what in ("its task role", "the secret KEY: put its whole ARN", "DB_PASSWORD, a secret"):
        assert what in " ".join(done.output.split())
    assert "hunter2" not in done.output + (tmp_path / "steadyspot.toml").read_text()


SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:password::"
WITH_PARTS: dict[str, Any] = {
    "family": "night",
    "volumes": [
        {"name": "Models", "efsVolumeConfiguration": {"fileSystemId": "fs-0a"}},
        {"name": "host", "host": {"sourcePath": "/var/run"}},
    ],
    "containerDefinitions": [
        {
            "name": "night",
            "image": "night:7",
            "command": ["run"],
            "secrets": [{"name": "DB_PASSWORD", "valueFrom": SECRET}],
            "user": "1000:1000",
            "readonlyRootFilesystem": True,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
            "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
            "mountPoints": [
                {"sourceVolume": "Models", "containerPath": "/models", "readOnly": True},
                {"sourceVolume": "host", "containerPath": "/host"},
            ],
            "dependsOn": [
                {"containerName": "otel", "condition": "HEALTHY"},
                {"containerName": "seed", "condition": "SUCCESS"},
            ],
            "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "datadog"}},
        },
        {"name": "log_router", "image": "fb:1", "firelensConfiguration": {"type": "fluentbit"}},
        {
            "name": "otel",
            "image": "otel:1",
            "command": ["--config", "x"],
            "environment": [{"name": "LEVEL", "value": "info"}],
            "healthCheck": {"command": ["CMD", "/healthy"], "retries": 3},
            "mountPoints": [{"sourceVolume": "Models", "containerPath": "/shared"}],
            "memory": 256,
        },
        {"name": "seed", "image": "seed:1", "essential": False},
    ],
}


def test_what_lies_beside_the_command_of_a_task_definition_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "td.json").write_text(json.dumps(WITH_PARTS))

    done = init(tmp_path, "--from-task-definition", tmp_path / "td.json")

    assert done.exit_code == 0, done.output
    (job,) = load(tmp_path / "steadyspot.toml").jobs.values()
    assert job.secrets == {"DB_PASSWORD": SECRET}
    assert (job.user, job.read_only_root, job.drop_capabilities) == ("1000:1000", True, True)
    assert job.ulimits == {"nofile": (1024, 4096)}
    assert job.volumes == {"models": Volume("/models", efs="fs-0a", read_only=True)}
    otel = job.sidecars["otel"]
    assert (otel.command, otel.environment) == (("--config", "x"), {"LEVEL": "info"})
    assert (otel.volumes, otel.memory_mb) == ({"models": "/shared"}, 256)
    assert otel.health == Health(("CMD", "/healthy"), retries=3)
    assert job.sidecars["log-router"].log_router == "fluentbit"
    assert job.log_options == {"Name": "datadog"}
    said = " ".join(done.output.split())
    for what in (
        "the volume host, of a folder of its own",
        "seed: the condition SUCCESS of its start",
        "Linux parameters beside dropped capabilities",
    ):
        assert what in said


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"containerDefinitions": []}', "\0"])
@pytest.mark.parametrize("option", ["--from-copilot", "--from-task-definition"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, option: str, text: str) -> None:
    (tmp_path / "file").write_text(text)

    done = init(tmp_path / "new", option, tmp_path / "file")

    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("@daily", "cron(0 0 * * ? *)"),
        ("@every 1h30m", "rate(90 minutes)"),
        ("@every 1m", "rate(1 minute)"),
        ("0 2 * * *", "cron(0 2 * * ? *)"),
        ("0 2 1 * *", "cron(0 2 1 * ? *)"),
        ("0 2 * * 0", "cron(0 2 ? * 1 *)"),
        ("0 2 * * 7", "cron(0 2 ? * 1 *)"),
        ("*/15 * * * MON-FRI", "cron(0/15 * ? * MON-FRI *)"),
        ("0 0 */2 * *", "cron(0 0 1/2 * ? *)"),
        ("cron(0 2 * * ? *)", "cron(0 2 * * ? *)"),
        ("0 2 1 * 1", None),
        ("99 2 * * *", None),
        ("@every 5s", None),
        ("@reboot", None),
        ("now and then", None),
    ],
)
def test_schedules_of_copilot(theirs: str, ours: str | None) -> None:
    assert schedule_from(theirs) == ours


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Night Report", "night-report"),
        ("2026_etl", "etl"),
        ("x", "job"),
        ("日本", "job"),
        ("a" * 40, "a" * 32),
        ("--", "job"),
    ],
)
def test_a_name_is_made_of_any_text(text: str, name: str) -> None:
    assert name_from(text) == name


@pytest.mark.parametrize(
    "value", ['say "hi"\n\\ \x7f \x00 ü 🙂', 1, 0.25, True, ["a", "b"], {"a b": "c", "d": ["e"]}]
)
def test_values_come_back_from_toml(value: Any) -> None:
    assert tomllib.loads(f"key = {as_toml(value)}") == {"key": value}


def test_config_shows_each_key_once_with_where_it_comes_from(tmp_path: Path) -> None:
    init(tmp_path, "--kind", "shell", "--schedule", "rate(1 hour)")
    path = tmp_path / "steadyspot.toml"

    done = CliRunner().invoke(main, ["config", "--config", str(path), "--json"])

    shown = {(one["table"], one["key"]): one for one in json.loads(done.output)}
    schedule = shown[f"jobs.{name_from(tmp_path.name)}", "schedule"]
    assert schedule["value"] == "rate(1 hour)"
    assert path.read_text().splitlines()[schedule["line"] - 1].startswith("schedule = ")
    assert shown["platform", "checkpoint_days"]["value"] == 30
    assert shown["platform", "checkpoint_days"]["line"] is None


def test_the_schema_that_editors_get_is_the_one_that_is_checked_by(tmp_path: Path) -> None:
    init(tmp_path)

    done = CliRunner().invoke(main, ["config", "--schema"])

    assert json.loads(done.output) == json.loads((tmp_path / "steadyspot.schema.json").read_text())


@pytest.mark.parametrize("name", ["Ü b", "", 'a"b', "a.b", "x\ny", "Night"])
def test_a_name_that_no_job_may_have_is_named_itself_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    done = init(tmp_path / "here", "--name", name)
    assert done.exit_code == 1
    assert "jobs has the name" in done.output
    assert "2 to 32 lower-case letters" in done.output
    assert not (tmp_path / "here").exists()


def test_a_full_disk_leaves_no_half_file_and_is_told_with_the_files_name(tmp_path: Path) -> None:
    typed = f"ulimit -f 8; exec {sys.executable} -m steadyspot init here"
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", typed], cwd=tmp_path, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("Error: here/steadyspot.schema.json can't be written: ")
    assert list((tmp_path / "here").iterdir()) == []
