"""The embedded AWS with a real image: tasks run under podman instead of as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.engine import IMAGE

pytestmark = pytest.mark.timeout(300)

CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
"""
"""What makes podman work where the kernel has hybrid cgroups."""

SERVER = """
import json, sys, time
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.engines import engine_for

image = sys.argv[1]
with LocalAws(engine=engine_for("podman")) as aws:
    session = aws.session()
    ecs, logs = session.client('ecs'), session.client('logs')
    subnet = session.client('ec2').describe_subnets()['Subnets'][0]['SubnetId']
    ecs.create_cluster(clusterName='c')
    logs.create_log_group(logGroupName='g')
    options = {'awslogs-group': 'g', 'awslogs-region': aws.region, 'awslogs-stream-prefix': 'p'}

    def run(script, stop=False, image=image):
        ecs.register_task_definition(
            family='f', requiresCompatibilities=['FARGATE'], networkMode='awsvpc', cpu='256',
            memory='512', containerDefinitions=[{
                'name': 'w', 'image': image, 'entryPoint': ['python3', '-c'], 'command': [script],
                'logConfiguration': {'logDriver': 'awslogs', 'options': options},
            }],
        )
        arn = ecs.run_task(
            cluster='c', taskDefinition='f', launchType='FARGATE',
            networkConfiguration={'awsvpcConfiguration': {'subnets': [subnet]}},
        )['tasks'][0]['taskArn']
        while True:
            task = ecs.describe_tasks(cluster='c', tasks=[arn])['tasks'][0]
            if task['lastStatus'] == 'STOPPED':
                break
            if stop and lines(arn):
                ecs.stop_task(cluster='c', task=arn)
            time.sleep(0.1)
        container = task['containers'][0]
        shown = {'code': container.get('exitCode'), 'lines': lines(arn)}
        shown['why'] = container.get('reason') or task.get('stoppedReason')
        print(json.dumps(shown), flush=True)

    def lines(arn):
        stream = 'p/w/' + arn.rpartition('/')[2]
        there = logs.describe_log_streams(logGroupName='g', logStreamNamePrefix=stream)
        if not there['logStreams']:
            return []
        found = logs.get_log_events(logGroupName='g', logStreamName=stream, startFromHead=True)
        return [event['message'] for event in found['events']]

    run('''
import os, urllib.request
print(os.environ['AWS_ACCESS_KEY_ID'] != '', os.path.exists('/usr/bin/python3'))
print(urllib.request.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4']).status)
raise SystemExit(3)
''')
    run('''
import signal, time
signal.signal(signal.SIGTERM, lambda *_: exit(143))
print('ready', flush=True)
time.sleep(60)
''', stop=True)
    run('print(1)', image='localhost/no-such-image:1')
"""


def test_a_task_runs_the_image_that_it_names_is_stopped_and_tells_what_cannot_be_pulled(
    image: None, tmp_path: Path
) -> None:
    configuration = tmp_path / "containers.conf"
    configuration.write_text(CONFIGURATION)
    done = subprocess.run(
        [sys.executable, "-c", SERVER, IMAGE],
        env={**os.environ, "CONTAINERS_CONF": str(configuration)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, stopped, missing = (json.loads(line) for line in done.stdout.splitlines())
    assert (told["code"], told["lines"]) == (3, ["True True", "200"])
    assert (stopped["code"], stopped["lines"]) == (143, ["ready"])
    assert missing["code"] is None
    assert missing["why"].startswith("CannotPullContainerError: ")
