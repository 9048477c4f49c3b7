"""Shards as processes of one machine: real ones, with a plain ``python job.py`` and no AWS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.worker.kit import ROOT, descendants, wait_until
from tests.local.worker.test_local_folder import HEAD

LOOP = HEAD + (
    "for unit in run.remaining(range(10)):\n"
    "    with run.output(f'part-{unit}') as path: path.write_text(str(unit))\n"
    "    print('did', unit, flush=True)\n"
    "write('sum')\n"
)
SLOW = HEAD + (
    "for unit in run.remaining(range(100)):\n    print('did', unit, flush=True); time.sleep(0.5)\n"
)
ENDLESS = HEAD + (
    "import subprocess\n"
    "for unit in run.remaining(range(10)):\n"
    "    subprocess.run(['sleep', '300'], preexec_fn=lambda: print('did', unit, flush=True))\n"
)


@contextmanager
def started(
    folder: Path, job: str, shards: str = "4", **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a job; what is left of it at the end is killed."""
    (folder / "job.py").write_text(job)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **more}
    process = subprocess.Popen(
        [sys.executable, "job.py"],
        cwd=folder,
        env=environment | ({"STEADYSPOT_LOCAL_SHARDS": shards} if shards else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    below: list[int] = []
    try:
        yield process
    finally:
        below += descendants(process.pid)
        for pid in [process.pid, *below] if process.poll() is None else below:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def run_to_its_end(folder: Path, job: str, shards: str = "4", **more: str) -> tuple[int, str]:
    with started(folder, job, shards, **more) as process:
        said = process.communicate(timeout=110)[0]
    return process.returncode, said


def rest_of(process: subprocess.Popen[str]) -> str:
    """What it still says until it has ended; ``communicate`` loses what ``readline`` read ahead."""
    assert process.stdout
    said = process.stdout.read()
    process.wait(90)
    return said


def published(folder: Path, shards: int = 4) -> list[str]:
    """Shard and name of every output."""
    place = folder / ".steadyspot" / f"{shards}-shards"
    found = [path for path in place.glob("*/outputs/**/*") if path.is_file()]
    return sorted(str(path.relative_to(place)).replace("/outputs", "") for path in found)


def units_done(said: str) -> list[int]:
    return sorted(int(line.split()[1]) for line in said.splitlines() if line.startswith("did"))


def test_each_unit_is_done_by_one_process_and_outputs_of_one_name_do_not_meet(
    tmp_path: Path,
) -> None:
    code, said = run_to_its_end(tmp_path, LOOP)

    assert code == 0, said
    assert units_done(said) == list(range(10))
    made = published(tmp_path)
    assert [name for name in made if name.endswith("sum")] == [
        f"local.s000{number}/sum" for number in range(4)
    ]
    assert len(made) == 10 + 4
    where = tmp_path / ".steadyspot" / "4-shards"
    assert f"All 4 shards are done; the outputs of each are in {where}.\n" in said
    assert units_done(run_to_its_end(tmp_path, LOOP)[1]) == []
    assert units_done(run_to_its_end(tmp_path, LOOP, "3")[1]) == list(range(10)), "other shares"


def test_one_that_fails_is_named_while_the_others_go_on_and_is_done_again(tmp_path: Path) -> None:
    job = LOOP.replace("    print", "    if unit == 5 and not sys.argv[1:]: sys.exit(3)\n    print")
    code, said = run_to_its_end(tmp_path, job)
    failed = said[said.index("1 of 4") :]
    number = failed.split()[6]

    assert code == 3, said
    assert failed.startswith(f"1 of 4 shards failed: shard {number} with exit code 3. Mend")
    assert f"local.s000{number}/sum" not in published(tmp_path)
    assert len([name for name in published(tmp_path) if name.endswith("sum")]) == 3

    again = run_to_its_end(tmp_path, job.replace("sys.argv[1:]", "[1]"))
    assert again[0] == 0, again[1]
    assert sorted(units_done(said) + units_done(again[1])) == list(range(10))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_ends_all_after_their_units_and_the_next_start_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path, SLOW) as process:
        assert process.stdout
        said = "".join(process.stdout.readline() for _ in range(5))
        shards = list(descendants(process.pid))
        process.send_signal(number)
        said += rest_of(process)

    assert process.returncode == 128 + number, said
    assert len(shards) == 4
    assert not any(Path(f"/proc/{shard}").exists() for shard in shards)
    assert "Traceback" not in said
    assert "Stopped. Run the same again" in said

    done = len(units_done(said))
    code, again = run_to_its_end(tmp_path, SLOW.replace("0.5", "0"))
    assert code == 0, again
    assert sorted(units_done(said) + units_done(again)) == list(range(100))
    assert 5 <= done < 100


def test_a_second_stop_ends_what_does_not_end_and_what_it_started(tmp_path: Path) -> None:
    with started(tmp_path, ENDLESS, "2") as process:
        assert process.stdout
        for _ in range(2):
            assert process.stdout.readline().startswith("did")
        everything = list(descendants(process.pid))
        assert len(everything) == 4
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().startswith("Stopping after the units in hand")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)

    assert process.returncode == 130
    wait_until(lambda: not any(map(lives, everything)))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_shards_whose_leader_was_killed_stop_after_their_units(tmp_path: Path) -> None:
    with started(tmp_path, SLOW, "2") as process:
        assert process.stdout
        process.stdout.readline()
        shards = list(descendants(process.pid))
        process.kill()
        said = rest_of(process)

    assert len(shards) == 2
    wait_until(lambda: not any(map(lives, shards)))
    assert len(units_done(said)) < 99


def test_a_pool_in_a_shard_has_the_shards_units(tmp_path: Path) -> None:
    job = HEAD + (
        "def work(unit):\n"
        "    with run.unit(unit): write(f'part-{unit}')\n"
        "    print('did', unit, flush=True)\n"
        "with ProcessPoolExecutor(2) as pool: list(pool.map(work, run.undone(range(10))))\n"
    )
    code, said = run_to_its_end(tmp_path, job, "3")

    assert code == 0, said
    assert units_done(said) == list(range(10))
    assert len(published(tmp_path, 3)) == 10


def test_one_shard_can_be_run_by_itself_and_says_which_it_is(tmp_path: Path) -> None:
    job = LOOP + "print(run, run.shard, run.shards, run.run_key)\n"
    one, two = {"STEADYSPOT_SHARD": "2", "STEADYSPOT_SHARDS": "3"}, {"STEADYSPOT_SHARD": "3"}
    code, said = run_to_its_end(tmp_path, job, "", **one)
    assert code == 0, said
    assert "<Run local.s0002 of local, shard 2 of 3, attempt 1, 3 units done" in said
    assert " 2 3 local.s0002\n" in said

    code, said = run_to_its_end(tmp_path, job, "", **(one | two))
    assert (code, said) == (
        1,
        "STEADYSPOT_SHARD is '3'. Give a whole number from 0 to 2, since STEADYSPOT_SHARDS is 3.\n",
    )


def test_a_child_of_the_program_starts_no_shards(tmp_path: Path) -> None:
    job = (
        "import multiprocessing\n"
        "def child():\n"
        "    from steadyspot import current_run\n"
        "    current_run()\n"
        "if __name__ == '__main__':\n"
        "    one = multiprocessing.get_context('spawn').Process(target=child)\n"
        "    one.start(); one.join(); exit(one.exitcode)\n"
    )
    code, said = run_to_its_end(tmp_path, job)
    assert code == 1
    assert "Shards are started from the first process only. Call current_run() there" in said
    assert not (tmp_path / ".steadyspot").exists()


def test_a_program_without_a_file_cannot_be_started_anew(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-"],
        input=HEAD,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "STEADYSPOT_LOCAL_SHARDS": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "this one has no file. Write the job into a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_local_shard_is_a_plain_run(tmp_path: Path) -> None:
    code, said = run_to_its_end(tmp_path, LOOP, "1")
    assert code == 0, said
    assert len(list((tmp_path / ".steadyspot" / "outputs").iterdir())) == 11
