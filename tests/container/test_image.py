"""The image as ECS runs it: the worker is PID 1, not root, on a read-only root file system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.image_config import remarks
from steadyspot.deploy.stacks.images import Engine
from steadyspot.examples.tpch_q1 import answer
from steadyspot.examples.tpch_q1.job import RESULT
from tests.container import engine
from tests.container.conftest import Start
from tests.local.worker.kit import Bench

PARTS = """
from steadyspot import current_run
run = current_run()
for part in run.remaining(range(6)):
    print("part", part, "attempt", run.attempt, flush=True)
    with run.output(f"part-{part}") as path:
        path.write_text(f"part {part}")
    if part == 2 and HELD:
        run.stopping.wait(120)
"""
pytestmark = pytest.mark.timeout(300)
"""Whichever comes first makes a system and the image; for one, libraries are fetched."""

READ_ONLY = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL"]


def job(*, held: bool) -> list[str]:
    """The job's command; where it is held, it waits in the midst for the stop."""
    return ["python3", "-c", PARTS.replace("HELD", str(held))]


def test_image_is_small_not_root_and_starts_the_worker_without_a_shell(image: None) -> None:
    found = engine.image()
    assert found["Config"]["Entrypoint"] == ["steadyspot-worker"]
    assert found["Config"]["User"] == "10001:10001"
    assert found["Size"] - engine.base_size() < 15e6


def test_what_a_stop_does_is_read_of_the_real_image_and_of_one_made_from_it(
    image: None, tmp_path: Path
) -> None:
    podman, job = Engine("podman"), Job(name="night", image=engine.IMAGE, command=("python",))
    assert remarks(podman.about(engine.IMAGE), job) == []

    text = f"FROM {engine.IMAGE}\nSTOPSIGNAL SIGQUIT\nENTRYPOINT python job.py\n"
    made = engine.derive(tmp_path, text, "stops")
    said = [remark.text for remark in remarks(podman.about(made), job)]
    assert "holds the worker, but starts /bin/sh in its place" in said[0]
    assert "STOPSIGNAL SIGQUIT; the worker takes it" in said[1]


FOREIGN = """
import pathlib
files = [p for p in pathlib.Path("/opt/steadyspot").rglob("*") if p.is_file()]
print(len(files) > 100, [str(p) for p in files if p.open("rb").read(4) == b"\x7fELF"])
"""


def test_image_holds_no_machine_code_of_its_own_so_it_is_the_same_on_arm64(start: Start) -> None:
    container = start("python3", "-c", FOREIGN)

    assert container.end() == 0
    assert "True []" in container.logs()


@pytest.mark.timeout(600)  # All of it runs in an emulator.
def test_the_image_for_arm64_is_interrupted_and_resumes_too(
    arm64_image: str, bench: Bench, start: Start
) -> None:
    assert engine.image(arm64_image)["Architecture"] == "arm64"
    first = start(
        *job(held=True), environment=bench.environment(), image=arm64_image, options=READ_ONLY
    )
    first.wait_for("part 2", 120)
    first.stop(20)

    assert first.exit_code() == 143, first.logs()
    assert int(bench.item()["checkpoint"]["units_done"]) in (2, 3)

    # This time not as PID 1, where the worker asks more of the system.
    command = ["sh", "-c", 'uname -m; steadyspot-worker "$@"; echo "ended with $?"', "sh"]
    second = start(
        *command, *job(held=False), environment=bench.environment(), image=arm64_image,
        options=[*READ_ONLY, "--entrypoint="],
    )  # fmt: skip
    assert second.end() == 0, second.logs()
    assert "aarch64" in second.logs()
    assert "ended with 0" in second.logs()
    assert len(bench.objects()) == 7


@pytest.mark.parametrize("number", [0, 1], ids=["from the image", "copied into one's own"])
def test_dockerfiles_of_the_page_make_images_whose_runs_complete(
    number: int, bench: Bench, start: Start, tmp_path: Path
) -> None:
    page = (engine.ROOT / "docs/how-to/images.md").read_text()
    found = re.findall(r"```dockerfile\n(.*?)```", page, re.DOTALL)
    assert len(found) == 2
    dockerfile = re.sub(r"python:\S+", engine.BASE, found[number])
    dockerfile = re.sub(r"(FROM |--from=)steadyspot-worker", rf"\1{engine.IMAGE}", dockerfile)
    (tmp_path / "job.py").write_text(PARTS.replace("HELD", "False"))
    image = engine.derive(tmp_path, dockerfile.replace('"python"', '"python3"'), str(number))

    container = start(environment=bench.environment(), image=image)

    assert container.end() == 0, container.logs()
    assert len(bench.objects()) == 7


def test_the_demo_s_image_gives_the_published_answer(
    bench: Bench, start: Start, tmp_path: Path
) -> None:
    image = engine.build_demo(tmp_path)

    # Its CMD, but that Debian has no python without a 3.
    command = ["python3", "-m", "examples.tpch_q1"]
    container = start(*command, environment=bench.environment(), image=image, options=READ_ONLY)

    assert container.end() == 0, container.logs()
    assert bench.item()["status"] == "complete"
    result = tmp_path / RESULT
    result.write_bytes(bench.objects()[RESULT])
    assert answer.compare(answer.read(result), answer.published()) == []


def test_interrupted_container_leaves_with_143_and_the_next_resumes(
    bench: Bench, start: Start
) -> None:
    first = start(*job(held=True), environment=bench.environment(), options=READ_ONLY)
    first.wait_for("part 2")
    first.stop(20)

    assert first.exit_code() == 143, first.logs()
    done = int(bench.item()["checkpoint"]["units_done"])
    assert done in (2, 3)
    assert bench.item()["stop_report"]["reason"] == "interrupted"

    second = start(*job(held=False), environment=bench.environment(), options=READ_ONLY)
    assert second.end() == 0, second.logs()
    assert f"part {done} attempt 2" in second.logs()
    assert f"part {done - 1} attempt 2" not in second.logs()
    assert len(bench.objects()) == 7


def test_worker_is_pid_1_and_the_job_is_not_root(start: Start) -> None:
    container = start("sh", "-c", "id -u; cat /proc/1/cmdline | tr '\\0' ' '; exit 9")

    assert container.end() == 9
    assert "10001" in container.logs()
    assert "steadyspot-worker" in container.logs()


def test_job_that_ignores_sigterm_is_ended_within_a_grace_of_two_seconds(start: Start) -> None:
    container = start(
        "sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done",
        environment={"STEADYSPOT_STOP_TIMEOUT": "2"},
    )  # fmt: skip
    container.wait_for("ready")
    container.stop(5)  # The engine would kill it then, with 137.

    assert container.exit_code() == 143


def test_signals_that_are_forwarded_reach_the_job_under_pid_1(start: Start) -> None:
    container = start(
        "--forward", "USR1", "--",
        "sh", "-c", "trap 'echo caught; exit 5' USR1; echo ready; while true; do sleep 0.1; done",
    )  # fmt: skip
    container.wait_for("ready")
    container.signal("USR1")

    assert container.end() == 5
    assert "caught" in container.logs()


def test_folders_are_saved_and_restored_between_containers(bench: Bench, start: Start) -> None:
    count = (
        "n=$(cat state/n 2>/dev/null || echo 0); echo from $n; echo $((n+1)) > state/n; sleep 60"
    )
    options = ["--checkpoint-dir", "state"]
    for expected in ("from 0", "from 1"):
        container = start(
            *options, "sh", "-c", count, environment=bench.environment(), options=READ_ONLY
        )
        container.wait_for(expected)
        container.stop(20)
        assert container.exit_code() == 143, container.logs()


def test_without_a_place_to_write_it_says_so(bench: Bench, start: Start) -> None:
    container = start(
        "true", environment=bench.environment(), options=[*READ_ONLY, "--image-volume=ignore"]
    )

    assert container.end() == 125
    assert "Mount a volume there" in container.logs()
    assert "Traceback" not in container.logs()


def test_command_that_is_not_in_the_image(start: Start) -> None:
    container = start("no-such-program")

    assert container.end() == 127
    assert "not in the image" in container.logs()


def test_memory_kill_is_told_as_such(bench: Bench, start: Start) -> None:
    """The job only sees a child die; the worker counts the kernel's kills of its own group."""
    eat = "import sys; x = bytearray(400 << 20)"
    container = start(
        "sh", "-c", f"python3 -c '{eat}' || exit 3",
        environment=bench.environment(), options=["--memory=150m", "--memory-swap=150m"],
    )  # fmt: skip

    assert container.end() == 3, container.logs()
    assert bench.item()["stop_report"]["reason"] == "out-of-memory"
