"""Real sizes: many units, many small files, one large file, many outputs of one unit.

Each measure runs the worker's own keeping in a process of its own, against a store that costs next
to nothing on this machine or takes 20 ms for a call. Numbers of seconds hold for two cores that
have nothing else to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from steadyspot.contract import Env
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from tests.bench import loopback
from tests.bench.jobs import resident
from tests.bench.report import Row, chosen, report
from tests.local.worker.kit import ROOT
from tests.unit.worker.fakes import IdleJob

NETWORK_SECONDS = 0.02
"""What a call takes that goes to AWS and back."""

MARKS = 100
SMALL = 3_000
"""Bytes of a small file."""


# In a process of its own.


def _keeper(scratch: Path, fence: int, *arguments: str) -> Keeper:
    (scratch / f"{fence}/outputs").mkdir(parents=True)
    (scratch / f"{fence}/spool").mkdir()
    options = Options(
        [*arguments, "--stop-timeout", "120", "true"], os.environ | {Env.FENCE: str(fence)}
    )
    assert options.identity
    return Keeper(
        options, options.identity, Log(descriptor=-1), print, IdleJob(), str(scratch / str(fence))
    )


def _timed(do: Callable[[], Any]) -> float:
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def _opened(keeper: Keeper) -> float:
    """Seconds that it took to open the run."""

    def do() -> None:
        keeper.start()
        keeper.opened.result()

    return _timed(do)


def _make(keeper: Keeper, unit: str, name: str) -> None:
    keeper.requests.begin(unit, os.getpid())
    number, path = keeper.requests.output(name, os.getpid(), unit)
    Path(path).write_text("x")
    keeper.requests.stage(number)
    keeper.requests.mark(unit, [])


def history(scratch: Path, units: int) -> dict[str, float]:
    """A run with so many units done, each with an output, as an earlier attempt left it."""
    keeper = _keeper(scratch, 10_001)
    _opened(keeper)
    _make(keeper, "first", "first.csv")
    saving = keeper.saving
    ledger = saving.attempt.ledger
    (one,) = ledger.history.outputs()
    for start in range(0, units, 500):
        for unit in range(start, min(start + 500, units)):
            name = f"part-{unit:06}.csv"
            token = os.urandom(12).hex()
            made: dict[str, Any] = {"name": name, "key": f"outputs/job/key/{name}", "token": token}
            made |= {"upload_id": os.urandom(64).hex(), "sha256": os.urandom(32).hex()}
            made["etag"] = f'"{os.urandom(16).hex()}-1"'
            made["parts"] = (type(one.parts[0])(1, f'"{os.urandom(16).hex()}"', "AAAAAA=="),)
            ledger.mark(str(unit), [replace(one, **made)], [])
        keeper.submit(saving.save_waiting).result()
    return {}


def marks(scratch: Path, units: int) -> dict[str, float]:
    """Open such a run and mark more units in it."""
    return _marked(scratch)[1]


def published(scratch: Path, units: int) -> dict[str, float]:
    """Open such a run, mark more units in it, and publish it."""
    keeper, measured = _marked(scratch)
    keeper.commit().result()
    return measured | {"memory": resident(os.getpid(), peak=True)}


def _marked(scratch: Path) -> tuple[Keeper, dict[str, float]]:
    keeper = _keeper(scratch, 10_002)
    opened = _opened(keeper)
    for warm in range(5):
        _make(keeper, f"warm-{warm}", f"warm-{warm}.csv")
    begun = time.process_time()
    for unit in range(MARKS):
        _make(keeper, f"new-{unit}", f"new-{unit}.csv")
    cpu = (time.process_time() - begun) / MARKS
    return keeper, {"opened": opened, "cpu": cpu, "memory": resident(os.getpid(), peak=True)}


def one_unit(scratch: Path, outputs: int) -> dict[str, float]:
    """Stage so many outputs of one unit, mark it, and publish them."""
    keeper = _keeper(scratch, 10_001)
    _opened(keeper)
    requests, pid = keeper.requests, os.getpid()

    def stage() -> None:
        requests.begin("one", pid)
        for output in range(outputs):
            number, path = requests.output(f"part-{output:05}.csv", pid, "one")
            Path(path).write_text("x" * 100)
            requests.stage(number)

    return {
        "staged": _timed(stage),
        "marked": _timed(lambda: requests.mark("one", [])),
        "committed": _timed(lambda: keeper.commit().result()),
        "cpu": time.process_time(),
    }


def first_save(scratch: Path, files: int) -> dict[str, float]:
    """A folder of so many small files, saved for the first time, and again when one changed."""
    state = scratch / "state"
    for number in range(files):
        folder = state / f"{number // 500:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number:05}.json").write_bytes(os.urandom(SMALL))
    keeper = _keeper(scratch, 10_001, "--checkpoint-dir", str(state))
    _opened(keeper)
    whole = _timed(lambda: keeper.save_folders().result())
    (state / "000" / "file-00007.json").write_bytes(os.urandom(SMALL))
    again = _timed(lambda: keeper.save_folders().result())
    return {"whole": whole, "again": again, "memory": resident(os.getpid(), peak=True)}


def restore(scratch: Path, files: int) -> dict[str, float]:
    """Such a folder, brought back to another disk."""
    state = scratch / "again"
    keeper = _keeper(scratch, 10_002, "--checkpoint-dir", str(state))
    opened = _opened(keeper)
    assert sum(1 for path in state.rglob("*") if path.is_file()) == files
    return {"opened": opened, "memory": resident(os.getpid(), peak=True)}


def large(scratch: Path, size: int) -> dict[str, float]:
    """One file of so many bytes, saved, and again when one byte in it changed."""
    state = scratch / "state"
    state.mkdir(parents=True)
    with (state / "base").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    keeper = _keeper(scratch, 10_001, "--checkpoint-dir", str(state))
    _opened(keeper)
    whole = _timed(lambda: keeper.save_folders().result())
    before = _received(os.environ["AWS_ENDPOINT_URL"])
    with (state / "base").open("r+b") as file:
        file.seek(size // 2)
        file.write(b"!")
    again = _timed(lambda: keeper.save_folders().result())
    sent = _received(os.environ["AWS_ENDPOINT_URL"]) - before
    memory = resident(os.getpid(), peak=True)
    return {"whole": whole, "again": again, "sent": sent, "memory": memory}


STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    each.__name__: each
    for each in (history, marks, published, one_unit, first_save, restore, large)
}


# In the process that prints.


def _step(endpoint: str, folder: Path, name: str, size: int) -> dict[str, float]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        Env.JOB: "job",
        Env.RUN_KEY: "key",
        Env.EXECUTION: "execution",
        Env.FENCE: "10001",
        Env.TABLE: "table",
        Env.BUCKET: "bucket",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sizes", "--step", name, str(folder), str(size)],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers


def _received(endpoint: str) -> int:
    with urllib.request.urlopen(f"{endpoint}/numbers") as answer:
        return int(json.load(answer)["received"])


def units(folder: Path, full: bool) -> Iterator[Row]:
    """Marks early and late in a run of many units."""
    many = 100_000
    measured: dict[int, dict[str, float]] = {}
    for count in (1_000, many):
        with loopback.serve() as endpoint:
            place = folder / f"units-{count}"
            _step(endpoint, place, "history", count)
            measured[count] = _step(endpoint, place, "marks", count)
    few, most = measured[1_000]["cpu"], measured[many]["cpu"]
    what = "CPU of a mark with an output, 1,000 / 100,000 units done"
    ratio = most / few
    shown = f"{few * 1000:.1f} / {most * 1000:.1f} ms: {ratio:.2f} ×"
    yield Row(what, shown, "≤ 1.3 ×", ratio <= 1.3)
    memory = measured[many]["memory"]
    yield Row("peak memory at 100,000 units", f"{memory:.0f} MiB", "≤ 120 MB", memory <= 114)
    if full:
        with loopback.serve() as endpoint:
            place = folder / "units-published"
            _step(endpoint, place, "history", many)
            memory = _step(endpoint, place, "published", many)["memory"]
        what = "the same until their 100,000 outputs are published"
        yield Row(what, f"{memory:.0f} MiB", "≤ 120 MB", memory <= 114)
    with loopback.serve(NETWORK_SECONDS) as endpoint:
        place = folder / "units-far"
        _step(endpoint, place, "history", many)
        opened = _step(endpoint, place, "marks", many)["opened"]
    what = "opening a run of 100,000 units at 20 ms a call"
    yield Row(what, f"{opened:.1f} s", "≤ 2 s", opened <= 2)


def outputs(folder: Path, full: bool) -> Iterator[Row]:
    """Many outputs of one unit."""
    with loopback.serve() as endpoint:
        took = _step(endpoint, folder / "outputs", "one_unit", 5_000)
    cpu = took.pop("cpu")
    said = ", ".join(f"{what} {seconds:.1f}" for what, seconds in took.items())
    whole = sum(took.values())
    shown = f"{whole:.1f} s ({cpu:.1f} s of CPU): {said}"
    yield Row("5,000 outputs of one unit", shown, "≤ 20 s", whole <= 20)


def small_files(folder: Path, full: bool) -> Iterator[Row]:
    """Checkpoint folders of many small files, near and far."""
    many, fewer = 50_000, 10_000
    with loopback.serve() as endpoint:
        saved = _step(endpoint, folder / "small", "first_save", many)
        restored = _step(endpoint, folder / "small", "restore", many)
    what = f"folder of {many:,} small files"
    yield _row(f"{what}: first save", saved["whole"], 12)
    yield _row(f"{what}: one changed", saved["again"], 1)
    yield _row(f"{what}: restore", restored["opened"], 15)
    memory = max(saved["memory"], restored["memory"])
    yield Row(f"{what}: peak memory", f"{memory:.0f} MiB", "≤ 210 MiB", memory <= 210)
    with loopback.serve(NETWORK_SECONDS) as endpoint:
        saved = _step(endpoint, folder / "small-far", "first_save", fewer)
        restored = _step(endpoint, folder / "small-far", "restore", fewer)
    what = f"{fewer:,} small files at 20 ms a call"
    yield _row(f"{what}: first save", saved["whole"], 15)
    yield _row(f"{what}: restore", restored["opened"], 15)


def large_file(folder: Path, full: bool) -> Iterator[Row]:
    """One file of 1 GB in a checkpoint folder."""
    with loopback.serve() as endpoint:
        found = _step(endpoint, folder / "large", "large", 1 << 30)
    yield Row("file of 1 GB: first save", f"{found['whole']:.1f} s")
    yield Row("file of 1 GB: one byte changed, time", f"{found['again']:.1f} s")
    what = "file of 1 GB: one byte changed, sent"
    sent = found["sent"] / (1 << 20)
    yield Row(what, f"{sent:.1f} MiB", "≤ 9 MiB", sent <= 9)
    yield Row("file of 1 GB: peak memory", f"{found['memory']:.0f} MiB")


def _row(what: str, seconds: float, most: float) -> Row:
    return Row(what, f"{seconds:.1f} s", f"≤ {most:g} s", seconds <= most)


MEASURES: list[Callable[[Path, bool], Iterator[Row]]] = [
    units,
    outputs,
    small_files,
    large_file,
]


def main(arguments: list[str]) -> int:
    """Measure what was asked for; 1 when something was not reached."""
    wanted, full = chosen(arguments, MEASURES, __doc__)
    with tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        rows = (row for measure in wanted for row in measure(Path(folder), full))
        return report("Real sizes", rows)


if __name__ == "__main__":
    _, step, place, number = sys.argv[1:]
    print(json.dumps(STEPS[step](Path(place), int(number))), flush=True)
    os._exit(0)
