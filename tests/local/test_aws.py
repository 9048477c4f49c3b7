"""The embedded AWS as a whole: it starts, ends, and leaves nothing behind, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steadyspot.deploy.local.aws import AlreadyRunning, LocalAws
from tests.local.bench import is_alive, until

OWNER = """
import sys, time
from steadyspot.deploy.local.aws import LocalAws

aws = LocalAws().start()
aws.images.register('shell', entrypoint=['/bin/sh', '-c'])
session = aws.session()
ecs = session.client('ecs')
subnet = session.client('ec2').describe_subnets()['Subnets'][0]['SubnetId']
ecs.create_cluster(clusterName='c')
script = '(setsid sleep 600 & echo $! > "$0.away"); echo $$ > "$0.me"; pwd > "$0.folder"; sleep 600'
ecs.register_task_definition(
    family='f', requiresCompatibilities=['FARGATE'], networkMode='awsvpc', cpu='256', memory='512',
    containerDefinitions=[{'name': 'w', 'image': 'shell', 'command': [script, sys.argv[1]]}],
)
ecs.run_task(
    cluster='c', taskDefinition='f', launchType='FARGATE',
    networkConfiguration={'awsvpcConfiguration': {'subnets': [subnet]}},
)
try:
    open(sys.argv[1] + '.up', 'w').close()  # within a call, a Ctrl-C may get lost in a finalizer
    time.sleep(600)
finally:
    if sys.argv[2] == 'tidy':
        aws.stop()
"""


def content(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """Where the task says who it is; what is still there after the test is killed."""
    yield tmp_path / "task"
    for name in ("owner", "away", "me"):
        number = content(tmp_path / f"task.{name}")
        if number and is_alive(int(number)):
            os.kill(int(number), signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "manner"),
    [
        (signal.SIGINT, "tidy"),
        (signal.SIGINT, "careless"),
        (signal.SIGTERM, "careless"),
        (signal.SIGKILL, "careless"),
    ],
    ids=["Ctrl-C", "Ctrl-C without stop", "SIGTERM", "crash"],
)
def test_nothing_is_left_of_tasks_whose_owner_is_gone(
    mark: Path, how: signal.Signals, manner: str
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(mark), manner],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    mark.with_suffix(".owner").write_text(str(owner.pid))
    folder = Path(until(lambda: content(mark.with_suffix(".folder"))))
    until(mark.with_suffix(".up").exists)
    processes = [int(content(mark.with_suffix(f".{name}"))) for name in ("me", "away")]
    assert all(is_alive(process) for process in processes)
    owner.send_signal(how)
    output, _ = owner.communicate(timeout=90)
    until(lambda: not any(is_alive(process) for process in processes))
    until(lambda: not folder.exists())
    expected = b"KeyboardInterrupt" if how is signal.SIGINT else b""
    assert output.strip().endswith(expected)
    if not expected:
        assert output == b""


def test_a_second_one_in_the_same_process_is_refused(local_aws: LocalAws) -> None:
    with pytest.raises(AlreadyRunning):
        LocalAws().start()
    assert local_aws.start() is local_aws


TWICE = """
from steadyspot.deploy.local.aws import LocalAws

for _ in range(2):
    with LocalAws() as aws:
        queues = aws.session().client('sqs')
        assert queues.list_queues().get('QueueUrls', []) == []
        queues.create_queue(QueueName='left-over')
    aws.stop()
print('twice')
"""


def test_it_starts_empty_again_after_it_was_stopped_beside_another_copy(
    local_aws: LocalAws,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=False, timeout=110
    )
    assert (done.stdout, done.stderr, done.returncode) == ("twice\n", "", 0)
    assert local_aws.session().client("sqs").list_queues()["ResponseMetadata"]


def test_clients_of_a_session_reach_it_and_can_be_sent_elsewhere(local_aws: LocalAws) -> None:
    session = local_aws.session()
    assert session.client("sts").get_caller_identity()["Account"] == local_aws.account_id
    assert session.client("s3").meta.endpoint_url == local_aws.endpoint_url
    elsewhere = session.client("s3", endpoint_url="http://127.0.0.1:9")
    assert elsewhere.meta.endpoint_url == "http://127.0.0.1:9"
    assert session.resource("s3").meta.client.meta.endpoint_url == local_aws.endpoint_url
