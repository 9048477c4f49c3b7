"""Checkpoint and output folders of commands that know nothing of Steadyspot."""

from __future__ import annotations

import shutil
from pathlib import Path

from steadyspot.worker.keeping.saved_folders import DATA_BYTES
from tests.local.worker.kit import Bench, wait_until

COUNTER = """
mkdir -p out
while [ "$(cat state/count 2>/dev/null || echo 0)" -lt 6 ]; do
  n=$(( $(cat state/count 2>/dev/null || echo 0) + 1 ))
  echo "counting $n"
  echo "part $n" > out/part-$n.tmp && mv out/part-$n.tmp out/part-$n
  echo $n > state/count.tmp && mv state/count.tmp state/count
  sleep "$PAUSE"
done
"""
BIG = 2 << 20
LINES = 10_000
FOLDERS = ("--checkpoint-dir", "state", "--output-dir", "out")


def _command(folder: Path) -> list[str]:
    (folder / "job.sh").write_text(COUNTER)
    return ["sh", str(folder / "job.sh")]


def test_shell_job_resumes_where_its_folder_was_saved(bench: Bench) -> None:
    command = _command(bench.folder)
    first = bench.start(*FOLDERS, *command, PAUSE="0.5")
    first.wait_for("counting 3")
    first.terminate()
    assert first.end() == 143, first.said()
    assert bench.objects() == {}
    for name in ("state", "out"):  # The next task has a disk of its own.
        (bench.folder / name).rename(bench.folder / f"{name}-of-the-first")

    second = bench.start(*FOLDERS, *command, PAUSE="0")
    assert second.end() == 0, second.said()

    assert "counting 3" not in second.text or "counting 4" in second.text
    assert "counting 2" not in second.text
    objects = bench.objects()
    assert {n: objects[n] for n in objects if n != "completion.json"} == {
        f"part-{n}": f"part {n}\n".encode() for n in range(1, 7)
    }
    assert bench.open_uploads() == []


def test_folder_is_saved_at_the_interval_while_the_job_runs(bench: Bench) -> None:
    job = "i=0; while true; do i=$((i+1)); echo $i > state/n; sleep 0.05; done"
    worker = bench.start("--checkpoint-dir", "state", "--every", "0.3", "sh", "-c", job)

    wait_until(lambda: bench.item().get("checkpoint", {}).get("sequence", 0) >= 3)
    worker.kill_all()
    worker.end()

    assert int(bench.saved()["n"]) > 0


def test_marker_is_removed_once_its_save_is_durable(bench: Bench) -> None:
    job = (
        "echo kept > state/file; touch marker;"
        " while [ -e marker ]; do sleep 0.05; done; echo durable; sleep 60"
    )
    worker = bench.start("--checkpoint-dir", "state", "--marker", "marker", "sh", "-c", job)
    worker.wait_for("durable")

    assert bench.saved() == {"file": b"kept\n"}
    worker.kill_all()
    worker.end()


def test_only_what_changed_is_uploaded_and_old_files_are_dropped(bench: Bench) -> None:
    wait = "touch m; while [ -e m ]; do sleep 0.05; done;"
    job = (
        f"head -c {BIG} /dev/zero > state/big; seq 1 {LINES} > state/file; {wait}"
        f" seq 2 {LINES} > state/file; {wait} echo saved; sleep 60"
    )
    worker = bench.start("--checkpoint-dir", "state", "--marker", "m", "sh", "-c", job)
    worker.wait_for("saved")

    def of_files() -> list[bytes]:
        objects = bench.objects("checkpoints/")
        return sorted(data for key, data in objects.items() if key.startswith("files/"))

    second = "".join(f"{n}\n" for n in range(2, LINES + 1)).encode()
    wait_until(lambda: len(of_files()) == 2)
    assert of_files() == [bytes(BIG), second]
    assert bench.saved() == {"big": bytes(BIG), "file": second}
    worker.kill_all()
    worker.end()


def test_small_files_travel_in_the_manifest_and_come_back(bench: Bench) -> None:
    """As many of them as there is room for; the rest, and what grew, lie in objects."""
    fill = f"for n in 1 2 3 4 5; do head -c {DATA_BYTES // 4} /dev/zero > state/$n; done"
    job = f"{fill}; : > state/empty; touch m; while [ -e m ]; do sleep 0.05; done; echo saved"
    options = ("--checkpoint-dir", "state", "--marker", "m")
    worker = bench.start(*options, "sh", "-c", f"{job}; sleep 60")
    worker.wait_for("saved")
    files = [key for key in bench.objects("checkpoints/") if key.startswith("files/")]
    assert len(files) == 1
    before = bench.saved()
    worker.kill_all()
    worker.end()

    assert before == {"empty": b"", **{str(n): bytes(DATA_BYTES // 4) for n in range(1, 6)}}
    shutil.rmtree(bench.folder / "state")
    grow = f"cat state/* | wc -c; head -c {BIG} /dev/zero > state/1; exit 3"
    again = bench.start(*options, "sh", "-c", grow)
    assert again.end() == 3, again.said()
    assert str(DATA_BYTES * 5 // 4) in again.text
    assert bench.saved() == before | {"1": bytes(BIG)}


def test_on_stop_command_may_save_in_its_share_of_the_grace(bench: Bench) -> None:
    worker = bench.start(
        "--checkpoint-dir", "state", "--on-stop", "echo last > state/last",
        "sh", "-c", "echo ready; sleep 60",
    )  # fmt: skip
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end() == 143
    assert bench.saved() == {"last": b"last\n"}


def test_on_stop_command_that_hangs_is_killed_and_the_folder_still_saved(bench: Bench) -> None:
    worker = bench.start(
        "--checkpoint-dir", "state", "--on-stop", "sleep 60", "--on-stop-timeout", "0.5",
        "--stop-timeout", "6", "sh", "-c", "echo kept > state/file; echo ready; sleep 60",
    )  # fmt: skip
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end(6) == 143
    assert bench.saved() == {"file": b"kept\n"}
    assert "was killed at the end of its share" in worker.said()


def test_output_still_open_when_the_job_is_killed_is_withdrawn(bench: Bench) -> None:
    job = (
        "echo whole > out/whole; exec 9> out/half; echo begun >&9; echo ready;"
        " trap '' TERM; sleep 60 & wait; wait"
    )
    worker = bench.start("--output-dir", "out", "--drain", "0", "sh", "-c", job)
    worker.wait_for("ready")
    worker.terminate()
    assert worker.end() == 143, worker.said()

    assert [key.rsplit("/")[-1] for key in bench.open_uploads()] == ["whole"]
