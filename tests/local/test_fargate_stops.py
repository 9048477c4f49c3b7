"""How tasks on the local Fargate stop: reclaimed, by hand, by their end; and in what order."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from steadyspot.deploy.local.market import Market
from tests.local.bench import LISTENS, PYTHON, Bench, is_alive, until

DEAF = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: print('told to stop', flush=True))
away = subprocess.Popen(['setsid', 'sleep', '600'])
print('away', away.pid, flush=True)
print('me', os.getpid(), flush=True)
print('ready', flush=True)
while True: time.sleep(60)
"""


def number_after(word: str, lines: list[str]) -> int:
    return int(next(line.split()[1] for line in lines if line.startswith(f"{word} ")))


def test_a_reclaim_warns_first_and_stops_with_the_spot_reason(bench: Bench, market: Market) -> None:
    queue = bench.queue_of_events(
        {"source": ["aws.ecs"], "detail": {"stoppedReason": ["Your Spot Task was interrupted."]}}
    )
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    assert market.reclaim(arn)
    task = bench.stopped(arn)
    assert task["stopCode"] == "SpotInterruption"
    assert task["stoppedReason"] == "Your Spot Task was interrupted."
    assert task["containers"][0]["exitCode"] == 143
    assert bench.lines(arn) == ["ready", "told to stop"]
    events = bench.received(
        queue, lambda seen: any(event["detail"]["lastStatus"] == "STOPPED" for event in seen)
    )
    warning = min((event["detail"] for event in events), key=lambda detail: detail["version"])
    assert (warning["lastStatus"], warning["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert warning["stopCode"] == "SpotInterruption"
    assert "exitCode" not in warning["containers"][0]
    assert not market.reclaim(arn)


@pytest.mark.parametrize("code", ["SpotInterruption", "TerminationNotice", None])
def test_a_reclaim_carries_each_of_the_stop_codes_seen_on_aws(
    bench: Bench, market: Market, code: str | None
) -> None:
    market.reclaim_stop_code = code
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    market.reclaim(arn)
    task = bench.stopped(arn)
    assert task.get("stopCode") == code
    assert task["stoppedReason"] == "Your Spot Task was interrupted."


def test_a_stop_by_hand_keeps_its_reason(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON)))
    bench.printed(arn, "ready")
    answer = bench.ecs.stop_task(cluster=bench.cluster, task=arn, reason="I had to")["task"]
    assert answer["desiredStatus"] == "STOPPED"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn, reason="once more")
    task = bench.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "I had to")
    assert task["containers"][0]["exitCode"] == 143


@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGUSR1", "SIGRTMIN"])
def test_an_images_own_stopsignal_is_what_is_sent(bench: Bench, name: str) -> None:
    number = getattr(signal, name)
    bench.aws.images.register("stops:1", entrypoint=["/bin/sh", "-c"], stop_signal=number)
    script = (
        f"trap 'echo came; exit 3' {int(number)}; trap 'echo TERM' TERM; echo ready;"
        " while :; do sleep 0.05; done"
    )
    arn = bench.run(bench.define(bench.container(script, image="stops:1")))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 3
    assert bench.lines(arn) == ["ready", "came"]


def test_worker_below_another_stopsignal_stops_as_by_sigterm(bench: Bench) -> None:
    bench.aws.images.register("inherits:1", stop_signal=signal.SIGQUIT)
    container = bench.container(LISTENS, image="inherits:1")
    arn = bench.run(bench.define({**container, "command": [sys.executable, "-c", LISTENS]}))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 143
    assert "told to stop" in "".join(bench.lines(arn))


def test_sigterm_goes_to_the_first_process_only(bench: Bench) -> None:
    child = "trap 'echo child was told' TERM; while :; do sleep 0.05; done"
    script = f"""
import signal, subprocess, sys, time
child = subprocess.Popen(['/bin/sh', '-c', {child!r}])
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))
print('ready', flush=True)
while True: time.sleep(60)
"""
    arn = bench.run(bench.define(bench.container(script, image=PYTHON)))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)
    assert bench.lines(arn) == ["ready"]


def test_after_the_stop_timeout_everything_is_killed_wherever_it_went(bench: Bench) -> None:
    arn = bench.run(bench.define(bench.container(DEAF, image=PYTHON, stopTimeout=2)))
    lines = bench.printed(arn, "ready")
    away, me = number_after("away", lines), number_after("me", lines)
    assert is_alive(away)
    assert is_alive(me)
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    task = bench.stopped(arn)
    assert task["containers"][0]["exitCode"] == 137
    assert (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds() >= 2
    assert not is_alive(away)
    assert not is_alive(me)
    assert "told to stop" in "".join(bench.lines(arn))


def test_a_frozen_first_process_is_killed_after_the_stop_timeout(bench: Bench) -> None:
    script = LISTENS.replace("print('ready'", "import os; print('me', os.getpid()); print('ready'")
    arn = bench.run(bench.define(bench.container(script, image=PYTHON, stopTimeout=2)))
    os.kill(number_after("me", bench.printed(arn, "ready")), 19)
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 137


def test_pid_1_without_a_handler_does_not_notice_sigterm(bench: Bench) -> None:
    container = bench.container("echo ready; while :; do sleep 0.05; done", stopTimeout=2)
    arn = bench.run(bench.define(container))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 137


def test_with_an_init_in_the_container_sigterm_ends_a_process_without_a_handler(
    bench: Bench,
) -> None:
    container = bench.container(
        "echo ready; exec sleep 600", linuxParameters={"initProcessEnabled": True}
    )
    arn = bench.run(bench.define(container))
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 143


def test_when_the_first_process_ends_nothing_of_its_container_is_left(bench: Bench) -> None:
    script = "setsid sleep 600 & echo away $!; exit 0"
    arn = bench.run(bench.define(bench.container(script)))
    assert bench.stopped(arn)["containers"][0]["exitCode"] == 0
    assert not is_alive(number_after("away", bench.lines(arn)))


def test_the_end_of_an_essential_container_stops_the_others(bench: Bench) -> None:
    sidecar = bench.container(LISTENS, image=PYTHON, name="sidecar", essential=False)
    waits = "echo start; while [ ! -e /tmp/{0} ]; do sleep 0.02; done; rm /tmp/{0}"
    worker = bench.container(waits.format(bench.name))
    arn = bench.run(bench.define(worker, sidecar))
    bench.printed(arn, "ready", "sidecar")
    Path(f"/tmp/{bench.name}").touch()
    task = bench.stopped(arn)
    assert {one["name"]: one["exitCode"] for one in task["containers"]} == {
        "worker": 0,
        "sidecar": 143,
    }
    assert task["stopCode"] == "EssentialContainerExited"


def test_the_end_of_a_sidecar_does_not_stop_the_task(bench: Bench) -> None:
    sidecar = bench.container("exit 137", name="sidecar", essential=False)
    arn = bench.run(bench.define(bench.container(LISTENS, image=PYTHON), sidecar))
    bench.printed(arn, "ready")
    until(lambda: bench.task(arn)["containers"][1].get("exitCode") == 137)
    assert bench.task(arn)["lastStatus"] == "RUNNING"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)


def test_who_depends_on_another_starts_later_and_is_stopped_first(bench: Bench) -> None:
    def says(name: str) -> str:
        return LISTENS.replace("'told to stop'", f"'told', time.monotonic(), '{name}'")

    sidecar = bench.container(says("sidecar"), image=PYTHON, name="sidecar", essential=False)
    worker = bench.container(
        says("worker"),
        image=PYTHON,
        dependsOn=[{"containerName": "sidecar", "condition": "START"}],
    )
    arn = bench.run(bench.define(worker, sidecar))
    bench.printed(arn, "ready")
    bench.printed(arn, "ready", "sidecar")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    bench.stopped(arn)

    def told(container: str) -> float:
        return float(bench.lines(arn, container)[-1].split()[1])

    assert told("worker") < told("sidecar")


def test_on_demand_capacity_is_never_taken_back(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    arn = bench.run(definition, launchType="FARGATE")
    bench.printed(arn, "ready")
    assert not market.reclaim(arn)
    assert bench.task(arn)["desiredStatus"] == "RUNNING"
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
