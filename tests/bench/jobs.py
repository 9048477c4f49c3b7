"""The jobs that the benchmark runs, and how it looks at their processes."""

from __future__ import annotations

import json
import os
import random
import re
import select
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore

from steadyspot.contract import Env
from tests.local.forks import Forked
from tests.local.worker.kit import ROOT, Bench

WORK = """
import json, os, sys, time
kind = sys.argv[1]
if kind == "python":
    def work():
        end = time.monotonic() + 0.2
        while time.monotonic() < end: sum(range(1000))
elif kind == "duckdb":
    import duckdb
    def work():
        pairs = "range(100000) a, range(500) b"
        duckdb.sql(f"select sum(hash(a.range + b.range)) from {pairs}").fetchall()
elif kind == "numpy":
    import numpy
    unsorted = numpy.random.default_rng(1).random(15_000_000)
    def work(): numpy.sort(unsorted, kind="stable")
elif kind == "json":
    with open(os.environ["BENCH_TRACK"]) as file: text = file.read()
    def work(): json.loads(text)
"""
UNITS = (
    WORK
    + """
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(10**6)):
    with run.output(f"{unit}") as path:
        path.write_text("x")
    if unit:
        work()
    time.sleep(float(sys.argv[2]))
"""
)
PLAIN = (
    WORK
    + """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
begun = time.monotonic()
work()
print(time.monotonic() - begun, flush=True)
while True: work()
"""
)
WRITER = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    with open("state/new", "wb") as file: file.write(os.urandom(4096))
    os.replace("state/new", "state/checkpoint")
    time.sleep(0.9)
"""
CLOSED = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", Env.PATIENCE_SECONDS: "0"}
"""Nothing answers there, so that a short job is not slowed by what goes on beside it."""


TRACK_POINTS = 1_650_000
"""So many make a document of 40 MB."""

UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def write_track(folder: Path) -> Path:
    """A track as GeoJSON, 40 MB of coordinates."""
    chance = random.Random(1)
    points = (
        [round(chance.uniform(-180, 180), 6), round(chance.uniform(-90, 90), 6)]
        for _ in range(TRACK_POINTS)
    )
    path = folder / "track.json"
    path.write_text(json.dumps({"type": "LineString", "coordinates": list(points)}))
    assert path.stat().st_size > 40e6
    return path


def namespaces_allowed() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


def launcher(folder: Path) -> Path:
    """The worker as the image starts it: without ``site`` and with bytecode at hand."""
    path = folder / "steadyspot-worker"
    libraries = Path(botocore.__file__).parents[1]
    path.write_text(
        f"#!/usr/bin/env -S {sys.executable} -IS\n"
        "import sys\n"
        f"sys.path += [{str(ROOT)!r}, {str(libraries)!r}]\n"
        "from steadyspot.worker.__main__ import leave\n"
        "leave()\n"
    )
    path.chmod(0o755)
    return path


def seconds_to_exit(process: subprocess.Popen[bytes] | Forked, number: int) -> float:
    """Seconds from a signal to the exit; without ``Popen.wait``'s naps of up to 50 ms."""
    descriptor = os.pidfd_open(process.pid)
    try:
        begun = time.monotonic()
        process.send_signal(number)
        ended, _, _ = select.select([descriptor], [], [], 60)
        took = time.monotonic() - begun
    finally:
        os.close(descriptor)
    assert ended, "it did not end within a minute"
    return took


def resident(pid: int, peak: bool = False) -> float:
    """Resident memory in MiB, now or at its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def resident_before(bench: Bench, path: Path) -> float:
    """The supervisor's memory when the job's first instruction runs, as the job sees it."""
    done = subprocess.run(
        [str(path), "--", "sh", "-c", "grep VmRSS /proc/$PPID/status"],
        env=bench.environment() | CLOSED,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def published(bench: Bench, count: int, size: int) -> dict[str, float]:
    """Seconds that the worker's way and boto3's take for so many files, and the peak in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.jobs", str(count), str(size)],
        env=bench.environment() | {"BENCH_FOLDER": str(bench.folder)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    worker, plain, peak = (float(number) for number in done.stdout.split())
    return {"worker": worker, "boto3": plain, "memory": peak}


def _publish(count: int, size: int) -> None:
    """Publish both ways, the best of three each."""
    from steadyspot.worker.keeping.aws import Aws
    from steadyspot.worker.keeping.patience import Patience
    from steadyspot.worker.keeping.uploads import Uploader

    folder, bucket = Path(os.environ["BENCH_FOLDER"]), os.environ["STEADYSPOT_BUCKET"]
    paths = [folder / f"file-{i}" for i in range(count)]
    for path in paths:
        with path.open("wb") as file:
            for at in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - at)))
    s3 = Aws(24, 30, Patience(300, print)).bucket(bucket)
    uploader = Uploader(
        s3, "outputs/", 8, lambda: "token", lambda sha256: f"packs/{sha256}", Patience(300, print)
    )
    client = boto3.client("s3")
    mine: list[float] = []
    plain: list[float] = []
    peak = 0.0
    for _ in range(3):
        begun = time.monotonic()
        staged = [uploader.stage(path.name, str(path)) for path in paths]
        outputs = [upload.future.result() for upload in staged]
        list(uploader.pool.map(lambda o: s3.complete(o.key, o.upload_id, list(o.parts)), outputs))
        mine.append(time.monotonic() - begun)
        peak = peak or resident(os.getpid(), peak=True)
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda p: client.upload_file(str(p), bucket, f"plain/{p.name}"), paths))
        plain.append(time.monotonic() - begun)
    print(min(mine), min(plain), peak)


if __name__ == "__main__":
    _publish(int(sys.argv[1]), int(sys.argv[2]))
