"""Tasks on the local Fargate: what a container gets, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from steadyspot.contract import Env
from steadyspot.contract.metrics import CAPACITY, JOB, NAMESPACE
from steadyspot.deploy.local.fargate import own_folders
from steadyspot.worker.telemetry import Values, embedded_metrics
from tests.local.bench import PYTHON, Bench, until
from tests.local.runs import ROOT

OWN_FOLDER = """
import sys, threading
from steadyspot.deploy.local.containers import Command, Container
place, ended = sys.argv[1], threading.Event()
def end(code, _out_of_memory):
    print(code, flush=True)
    ended.set()
script = f"touch {place}/x; echo {place}"
command = Command(["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, own=[place])
reason = Container(command, on_line=print, on_end=end).start()
assert not reason, reason
ended.wait(60)
"""


NO_INIT = """
import sys, tempfile
from steadyspot.deploy.local.containers import Command, Container
sys.executable, tempfile.tempdir = sys.argv[1:]
print(Container(Command(["true"], {}), on_line=print, on_end=print).start())
"""


@pytest.mark.parametrize(
    ("program", "folder", "why"),
    [("/nowhere/python", "", "/nowhere/python"), (sys.executable, "/nowhere", "/nowhere/steady")],
)
def test_a_container_that_this_machine_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, program: str, folder: str, why: str
) -> None:
    """A task whose thread had ended with it would be waited for, for ever."""
    ended = subprocess.run(
        [sys.executable, "-c", NO_INIT, program, folder or str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.stdout.startswith("[Errno ")
    assert why in ended.stdout
    assert (ended.stderr, list(tmp_path.iterdir())) == ("", [])


def test_a_container_sees_only_what_definition_override_and_image_say(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "x")
    bench.aws.images.register(
        "with-environment:1", entrypoint=["/bin/sh", "-c"], environment={"FROM_IMAGE": "i"}
    )
    definition = bench.define(
        bench.container(
            "env | sort",
            image="with-environment:1",
            environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        )
    )
    override = {"name": "worker", "environment": [{"name": "B", "value": "2"}]}
    arn = bench.run(definition, overrides={"containerOverrides": [override]})
    bench.stopped(arn)
    seen = dict(line.split("=", 1) for line in bench.lines(arn))
    given = {name: seen.pop(name) for name in ("A", "B", "FROM_IMAGE")}
    assert given == {"A": "1", "B": "2", "FROM_IMAGE": "i"}
    assert sorted(seen) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "ECS_CONTAINER_METADATA_URI_V4",
        "HOME",
        "PATH",
        "PWD",
        "TMPDIR",
    ]


def test_a_container_has_a_folder_of_its_own_which_goes_with_it(bench: Bench) -> None:
    definition = bench.define(bench.container("pwd; echo x > left; touch $TMPDIR/too; echo $HOME"))
    arn = bench.run(definition)
    bench.stopped(arn)
    folder, home = bench.lines(arn)
    assert folder == home
    assert not Path(folder).exists()


@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
def test_the_worker_s_folders_are_the_container_s_own(
    bench: Bench, tmp_path: Path, there: bool
) -> None:
    """Empty at each start, seen by nobody else on this machine, and gone at the end."""
    place = tmp_path / "work" / "checkpoint"
    if there:
        place.mkdir(parents=True)
        (place / "foreign").touch()
    before = sorted(tmp_path.rglob("*"))
    definition = bench.define(
        bench.container(
            f"ls {place}; echo kept > {place}/mine; cat {place}/mine; mkdir -m 0 {place}/shut",
            environment=[{"name": Env.CHECKPOINT_DIR, "value": str(place)}],
        )
    )
    for _ in range(2):
        arn = bench.run(definition)
        assert bench.stopped(arn)["containers"][0]["exitCode"] == 0
        assert bench.lines(arn) == ["kept"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("argv", "environment", "own"),
    [
        (["w", "--checkpoint-dir", "/a", "--output-dir=/b", "job"], {}, ["/a", "/b"]),
        (
            ["w", "--output-dir", "/a"],
            {Env.OUTPUT_DIR: "/b", Env.CHECKPOINT_DIR: "/c"},
            {"/a", "/c"},
        ),
        (["w", "job"], {Env.OUTPUT_DIR: ""}, []),
        (["w"], {Env.OPTIONS: f"{Env.OUTPUT_DIR}=/a\n{Env.CHECKPOINT_DIR}=\n"}, ["/a"]),
        (["w", "--output-dir"], {}, []),
    ],
)
def test_options_and_variables_say_which_folders_are_own(
    argv: list[str], environment: dict[str, str], own: list[str] | set[str]
) -> None:
    assert set(own_folders(argv, environment)) == set(own)


def test_a_container_s_own_folders_need_no_root() -> None:
    place = f"/{uuid.uuid4().hex}/output"
    search = "-all,+dac_read_search"  # The interpreter may lie where only root looks.
    capabilities = [f"--inh-caps={search}", f"--ambient-caps={search}"]
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *capabilities]
    ran = subprocess.run(
        [
            *(drop if os.getuid() == 0 else []),
            *(sys.executable, "-c", OWN_FOLDER, place),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == (f"{place}\n0\n", "")
    assert not Path(place).parent.exists()


def test_an_override_replaces_the_command(bench: Bench) -> None:
    arn = bench.run(
        bench.define(bench.container("echo one")),
        overrides={"containerOverrides": [{"name": "worker", "command": ["echo two; exit 9"]}]},
    )
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 9
    assert bench.lines(arn) == ["two"]


def test_an_image_says_where_a_container_works(bench: Bench, tmp_path: Path) -> None:
    bench.aws.images.register("at-work:1", entrypoint=["/bin/pwd"], workdir=str(tmp_path))
    container = bench.container("", image="at-work:1")
    del container["command"]
    arn = bench.run(bench.define(container))
    bench.stopped(arn)
    assert bench.lines(arn) == [str(tmp_path)]


def test_what_is_printed_lands_in_order_under_the_names_of_awslogs(bench: Bench) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; printf 'no end'"
    arn = bench.run(bench.define(bench.container(script)))
    bench.stopped(arn)
    expected = [line for i in range(1, 10) for line in (f"out {i}", f"err {i}")]
    assert bench.lines(arn) == [*expected, "no end"]
    streams = bench.logs.describe_log_streams(logGroupName=bench.log_group)["logStreams"]
    assert [one["logStreamName"] for one in streams] == [f"test/worker/{arn.rpartition('/')[2]}"]


def test_a_finished_task_reads_as_on_aws(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container("exit 3")), startedBy="me", group="g:1")
    task = bench.stopped(arn)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3
    assert task["containers"][0]["lastStatus"] == "STOPPED"
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert task["launchType"] == "FARGATE"
    assert task["desiredStatus"] == "STOPPED"
    assert task["availabilityZone"] in bench.zones
    assert (task["startedBy"], task["group"]) == ("me", "g:1")
    moments = [
        task[name]
        for name in (
            "createdAt",
            "connectivityAt",
            "pullStartedAt",
            "pullStoppedAt",
            "startedAt",
            "stoppingAt",
            "executionStoppedAt",
            "stoppedAt",
        )
    ]
    assert moments == sorted(moments)


def test_tasks_take_the_subnets_in_turn(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    zones = {bench.task(bench.run(definition))["availabilityZone"] for _ in range(2)}
    assert zones == set(bench.zones)


def test_events_tell_the_life_of_a_task(bench: Bench) -> None:
    queue = bench.queue_of_events(
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"group": [f"family:{bench.name}"]},
        }
    )
    arn = bench.run(bench.define(bench.container("exit 0")))
    events = bench.received(
        queue, lambda seen: any(event["detail"]["lastStatus"] == "STOPPED" for event in seen)
    )
    events.sort(key=lambda event: event["detail"]["version"])
    statuses = [event["detail"]["lastStatus"] for event in events]
    assert list(dict.fromkeys(statuses)) == [
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    last = events[-1]
    assert (last["source"], last["resources"], last["version"]) == ("aws.ecs", [arn], "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["time"])
    detail = last["detail"]
    assert detail["taskArn"] == arn
    assert detail["containers"][0]["exitCode"] == 0
    assert detail["capacityProviderName"] == "FARGATE_SPOT"
    assert detail["attachments"][0]["type"] == "eni"
    assert detail["attachments"][0]["status"] == "DELETED"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["stoppedAt"])
    versions = [event["detail"]["version"] for event in events]
    assert len(set(versions)) == len(versions)


def test_a_container_waits_for_the_success_of_another(bench: Bench) -> None:
    mark = f"/tmp/{bench.name}"
    first = bench.container(f"sleep 0.2; touch {mark}", name="first", essential=False)
    worker = bench.container(
        f"rm {mark}", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]
    )
    task = bench.stopped(bench.run(bench.define(worker, first)))
    assert [one["exitCode"] for one in task["containers"]] == [0, 0]


def test_an_unknown_image_cannot_be_pulled(bench: Bench) -> None:
    task = bench.stopped(bench.run(bench.define(bench.container("", image="no_such_image"))))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        "resolve ref docker.io/library/no_such_image:latest: pull access denied, repository does "
        "not exist or may require authorization: server message: insufficient_scope: "
        "authorization failed"
    )
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task
    assert "pullStartedAt" not in task


def test_a_sidecar_whose_image_is_missing_leaves_the_task_running(bench: Bench) -> None:
    sidecar = bench.container("", name="agent", image="no_such_image", essential=False)
    task = bench.stopped(bench.run(bench.define(bench.container("exit 0"), sidecar)))
    worker, agent = task["containers"]
    assert worker["exitCode"] == 0
    assert "exitCode" not in agent
    assert agent["reason"].startswith("CannotPullContainerError: ")
    assert task["stopCode"] == "EssentialContainerExited"


def test_a_missing_log_group_keeps_a_task_from_starting(bench: Bench) -> None:
    container = bench.container("exit 0")
    container["logConfiguration"]["options"]["awslogs-group"] = "/no/such/group"
    task = bench.stopped(bench.run(bench.define(container)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(
        "ResourceInitializationError: failed to initialize logging driver"
    )
    assert "exitCode" not in task["containers"][0]


def test_a_program_that_is_not_there_keeps_a_task_from_starting(bench: Bench) -> None:
    container = bench.container("exit 0", entryPoint=["/no/such/program"])
    task = bench.stopped(bench.run(bench.define(container)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: ")
    assert '"/no/such/program": No such file or directory' in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


def test_the_metadata_endpoint_tells_a_container_where_it_is(bench: Bench) -> None:
    script = """
import json, os, urllib.request
base = os.environ['ECS_CONTAINER_METADATA_URI_V4']
for path in ('', '/task'):
    print(urllib.request.urlopen(base + path).read().decode(), flush=True)
"""
    arn = bench.run(bench.define(bench.container(script, image=PYTHON)))
    task = bench.stopped(arn)
    container, whole = (json.loads(line) for line in bench.lines(arn))
    assert container["Name"] == "worker"
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    assert whole["TaskARN"] == arn
    assert whole["AvailabilityZone"] == task["availabilityZone"]
    assert whole["Family"] == bench.name
    assert whole["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert [one["Name"] for one in whole["Containers"]] == ["worker"]


@pytest.fixture
def secret(bench: Bench) -> str:
    """A secret of Secrets Manager; its ARN."""
    secrets = bench.aws.session().client("secretsmanager")
    return str(secrets.create_secret(Name=bench.name, SecretString='{"A": "hidden"}')["ARN"])


def test_a_container_gets_a_secret_whole_and_no_description_shows_it(
    bench: Bench, secret: str
) -> None:
    container = bench.container("echo $S | wc -c", secrets=[{"name": "S", "valueFrom": secret}])
    definition = bench.define(container)
    arn = bench.run(definition)
    task = bench.stopped(arn)
    assert bench.lines(arn) == [str(len('{"A": "hidden"}\n'))]
    shown = bench.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert secret in json.dumps(shown, default=str)
    assert "hidden" not in json.dumps([shown, task], default=str)


def test_a_secret_that_is_gone_keeps_a_task_from_starting(bench: Bench, secret: str) -> None:
    definition = bench.define(
        bench.container("exit 0", secrets=[{"name": "S", "valueFrom": secret}])
    )
    secrets = bench.aws.session().client("secretsmanager")
    for force, why in (
        (False, "InvalidRequestException: "),
        (True, "ResourceNotFoundException: Secrets Manager can't find the specified secret."),
    ):
        secrets.delete_secret(
            SecretId=secret,
            **({"ForceDeleteWithoutRecovery": True} if force else {"RecoveryWindowInDays": 7}),
        )
        task = bench.stopped(bench.run(definition))
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith(
            "ResourceInitializationError: unable to pull secrets or registry auth: "
        )
        assert (
            f"failed to fetch secret {secret} from secrets manager: {why}"
            in (task["stoppedReason"])
        )
        assert "exitCode" not in task["containers"][0]


def test_a_secret_that_is_no_text_keeps_a_task_from_starting(bench: Bench) -> None:
    secrets = bench.aws.session().client("secretsmanager")
    binary = secrets.create_secret(Name=bench.name, SecretBinary=b"hidden")["ARN"]
    container = bench.container("exit 0", secrets=[{"name": "S", "valueFrom": binary}])
    task = bench.stopped(bench.run(bench.define(container)))
    assert task["stoppedReason"].endswith("it holds no text")


EATS = """
import time
print('eating', flush=True)
eaten = b''.join(bytes(16 << 20) for _ in range(40))
time.sleep(60)
"""


def test_a_task_that_needs_more_memory_than_it_has_is_killed_as_on_ecs(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(EATS, image=PYTHON)))
    task = bench.stopped(arn)
    (container,) = task["containers"]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert task["stopCode"] == "EssentialContainerExited"
    assert bench.lines(arn) == ["eating"]


def test_the_largest_process_of_a_task_is_killed_first_and_it_is_said_all_the_same(
    bench: Bench,
) -> None:
    script = f'{sys.executable} -c "$EATS"; echo ended with $?; exit 7'
    environment = [{"name": "EATS", "value": EATS}]
    arn = bench.run(bench.define(bench.container(script, environment=environment)))
    (container,) = bench.stopped(arn)["containers"]
    assert container["exitCode"] == 7
    assert container["reason"].startswith("OutOfMemoryError: ")
    assert bench.lines(arn)[-1] == "ended with 137"


def test_memory_that_processes_share_counts_once(bench: Bench) -> None:
    script = """
import os, time
held = b'x' * (200 << 20)
for _ in range(3):
    if os.fork() == 0:
        time.sleep(0.5); os._exit(0)
while True:
    try: os.wait()
    except ChildProcessError: break
print('whole', flush=True)
"""
    arn = bench.run(bench.define(bench.container(script, image=PYTHON)))
    (container,) = bench.stopped(arn)["containers"]
    assert (container["exitCode"], bench.lines(arn)) == (0, ["whole"])


def test_metrics_in_what_a_container_prints_can_be_read(bench: Bench) -> None:
    dimensions = {JOB: bench.name, CAPACITY: "spot"}
    metrics: dict[tuple[str, ...], Values] = {(JOB, CAPACITY): {"RunSeconds": 61.0}}
    line = json.dumps(embedded_metrics(dimensions, metrics, time.time()))
    bench.stopped(bench.run(bench.define(bench.container(f"echo '{line}'; echo plain"))))
    now = datetime.now(UTC)
    cloudwatch = bench.aws.session().client("cloudwatch")

    def read(**dimensions: str) -> list[float]:
        metric = {
            "Namespace": NAMESPACE,
            "MetricName": "RunSeconds",
            "Dimensions": [{"Name": name, "Value": text} for name, text in dimensions.items()],
        }
        shown = cloudwatch.get_metric_data(
            MetricDataQueries=[
                {"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
            ],
            StartTime=now - timedelta(minutes=30),
            EndTime=now + timedelta(minutes=30),
        )
        return list(shown["MetricDataResults"][0]["Values"])

    assert read(Job=bench.name) == []
    assert read(Job=bench.name, Capacity="spot") == [61]
    assert read(Job=bench.name, Capacity="on-demand") == []


def test_a_folder_goes_with_its_container_however_deep_it_is(bench: Bench) -> None:
    deep = "d=$(printf 'd%.0s' $(seq 250)); for n in $(seq 17); do mkdir $d; cd -P $d; done"
    script = f"pwd; ({deep}; touch x); ln -s / away; mkdir closed; touch closed/x; chmod 0 closed"
    arn = bench.run(bench.define(bench.container(script)))
    bench.stopped(arn)
    (folder,) = bench.lines(arn)
    until(lambda: not Path(folder).exists())
