"""Measures of the worker: what it costs a job, and how fast it lets one go.

Each line is a ratio or a duration taken in this run on this machine, beside what must be reached.
``--full`` takes the long numbers (1,000 signals, 1,000 kills of each kind, 2 GB); names choose
lines.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steadyspot.deploy.aws.local_address import Address
from tests.bench import jobs
from tests.bench.report import Row, chosen, report
from tests.local.worker.attack import Attack, kill_until_complete
from tests.local.worker.jobs import JOBS
from tests.local.worker.kit import Bench, serve_aws, wait_until

MARKING_SECONDS = 0.05
"""About how long a unit's mark takes."""

FLAT = "flat: < 1.1"


@dataclass(frozen=True)
class Setting:
    """Where and how much is measured."""

    aws: Address
    folder: Path
    full: bool

    def bench(self, name: str) -> Bench:
        folder = self.folder / f"{name}-{random.randrange(10**9)}"
        folder.mkdir()
        return Bench(self.aws, folder)


def startup(setting: Setting) -> Iterator[Row]:
    """What is added before the job's first instruction, with nothing to restore."""
    launcher = jobs.launcher(setting.folder)
    say = [sys.executable, "-c", "import time; print(time.monotonic())"]
    ways: dict[str, list[str]] = {"alone": [], "the worker": [str(launcher), "--"]}
    if jobs.namespaces_allowed():
        ways |= {
            "a namespace": jobs.UNSHARE,
            "the worker as PID 1": [*jobs.UNSHARE, str(launcher), "--"],
        }
    for tool in ("dumb-init", "tini"):
        if found := shutil.which(tool):
            ways[tool] = [found, "--"]
    bench = setting.bench("startup")
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(60 if setting.full else 20):
        for name, wrapper in ways.items():
            bench.claim()
            environment = bench.environment() | jobs.CLOSED
            begun = time.monotonic()
            out = subprocess.run(
                [*wrapper, *say], env=environment, capture_output=True, check=False, text=True
            ).stdout
            took[name].append(float(out.split()[0]) - begun)
    alone, namespace = took.pop("alone"), took.pop("a namespace", [])
    for name, times in took.items():
        without = namespace if "PID 1" in name else alone
        added = (statistics.median(times) - statistics.median(without)) * 1000
        fastest = (min(times) - min(without)) * 1000
        reached = added <= 25 if "worker" in name else None
        must = "≤ 25 ms" if "worker" in name else ""
        measured = f"{added:.1f} ms (fastest {fastest:.1f})"
        yield Row(f"start-up added by {name}", measured, must, reached)


def memory(setting: Setting) -> Iterator[Row]:
    """Resident memory of the supervisor."""
    resident = jobs.resident_before(setting.bench("memory"), jobs.launcher(setting.folder))
    yield Row("memory before S3 is loaded", f"{resident:.1f} MiB", "≤ 15 MiB", resident <= 15)
    bench = setting.bench("memory")
    worker = bench.start(*bench.job_file(jobs.UNITS), "python", "0.05")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) >= 20)
    after = jobs.resident(worker.process.pid)
    worker.kill_all()
    worker.end()
    yield Row("memory while units are marked", f"{after:.1f} MiB", "≤ 60 MiB", after <= 60)


def output(setting: Setting) -> Iterator[Row]:
    """Passing standard output through: the job holds the very same pipe."""
    command = ["head", "-c", str(4 << 30), "/dev/zero"]
    times: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(3):
        for name, wrapper in {
            "without": [],
            "with": [sys.executable, "-m", "steadyspot.worker", "--"],
        }.items():
            begun = time.monotonic()
            with subprocess.Popen(
                [*wrapper, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as job:
                subprocess.run(["cat"], stdin=job.stdout, stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.monotonic() - begun)
    ratio = min(times["with"]) / min(times["without"])
    yield Row("4 GB of stdout, time with / without", f"{ratio:.2f}", "≤ 1.10", ratio <= 1.10)


def signal_to_exit(setting: Setting) -> Iterator[Row]:
    """SIGTERM to exit with draining off, beside a plain Python handler in the same work.

    Signals come at instants spread over a turn of the work, one at random in each of as many equal
    slices; for the worker also while what the turn made is marked.
    """
    chance = random.Random(1)
    count = 250 if setting.full else 4
    track = jobs.write_track(setting.folder)
    work = {"BENCH_TRACK": str(track)}
    _worker_exit(setting, "python", 0, work)  # The local S3 loads its parts at their first use.
    every: list[float] = []
    for kind in ("python", "json", "numpy", "duckdb"):
        turn = _plain_exit(setting, kind, 0, signal.SIGTERM, work)[1]
        plain = [
            _plain_exit(setting, kind, instant, signal.SIGTERM, work)[0]
            for instant in _instants(chance, max(5, count // 10), turn)
        ]
        times = [
            _worker_exit(setting, kind, instant, work)
            for instant in _instants(chance, count, turn + MARKING_SECONDS)
        ]
        every += times
        p50 = statistics.median(times)
        ratio = statistics.median(plain) / p50
        compared = kind in ("json", "numpy")  # Python and DuckDB let a handler run soon.
        must, reached = ("≥ 25", ratio >= 25) if compared else ("", None)
        what = f"signal to exit, {kind}"
        yield Row(f"{what}: plain handler / worker at p50", f"{ratio:.1f}", must, reached)
        yield Row(f"{what}: p50, in a turn of {turn:.2f} s", f"{p50 * 1000:.0f} ms")
        if compared:
            bare = statistics.median(
                _plain_exit(setting, kind, instant, signal.SIGKILL, work)[0]
                for instant in _instants(chance, 5, turn)
            )
            yield Row(f"{what}: what a bare SIGKILL takes", f"{bare * 1000:.0f} ms")
    every.sort()
    p99 = every[min(len(every) - 1, int(len(every) * 0.99))] * 1000
    yield Row(f"signal to exit, p99 of {len(every)}", f"{p99:.0f} ms", "≤ 100 ms", p99 <= 100)
    yield Row("signal to exit, max", f"{every[-1] * 1000:.0f} ms", "≤ 400 ms", every[-1] <= 0.4)


def _instants(chance: random.Random, count: int, seconds: float) -> list[float]:
    return [(number + chance.random()) / count * seconds for number in range(count)]


def _worker_exit(setting: Setting, kind: str, instant: float, work: dict[str, str]) -> float:
    """Seconds to the exit for a signal so long after the work has begun."""
    bench = setting.bench("signal")
    worker = bench.start("--drain", "0", *bench.job_file(jobs.UNITS), kind, "0", **work)
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) >= 1, 60)
    time.sleep(instant)
    took = jobs.seconds_to_exit(worker.process, signal.SIGTERM)
    assert worker.end() == 143, worker.said()
    return took


def _plain_exit(
    setting: Setting, kind: str, instant: float, number: int, work: dict[str, str]
) -> tuple[float, float]:
    """The same of a job with a plain handler; and how long a turn of its work takes."""
    path = setting.folder / "plain.py"
    path.write_text(jobs.PLAIN)
    with subprocess.Popen(
        [sys.executable, str(path), kind],
        env=os.environ | work,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as job:
        assert job.stdout
        turn = float(job.stdout.readline())
        time.sleep(instant)
        return jobs.seconds_to_exit(job, number), turn


def publish(setting: Setting) -> Iterator[Row]:
    """One large file and 200 small ones against boto3's ``upload_file`` in a thread pool."""
    size = (2 << 30) if setting.full else (256 << 20)
    bench = setting.bench("publish")
    medium, large = jobs.published(bench, 1, 64 << 20), jobs.published(bench, 1, size)
    label = f"publishing {size >> 20} MiB"
    ratio = large["worker"] / large["boto3"]
    yield Row(f"{label}, time against boto3", f"{ratio:.2f}", "≤ 1.0", ratio <= 1.0)
    yield Row(f"{label}, peak of the process's memory", f"{large['memory']:.0f} MiB")
    growth = large["memory"] / medium["memory"]
    yield Row(f"{label}, that peak against 64 MiB's", f"{growth:.2f}", FLAT, growth < 1.1)
    small = jobs.published(bench, 200, 10_000)
    ratio = small["worker"] / small["boto3"]
    yield Row("publishing 200 small files, against boto3", f"{ratio:.2f}", "≤ 3", ratio <= 3)


def checkpoint(setting: Setting) -> Iterator[Row]:
    """A durable checkpoint of 4 KiB every second."""
    bench = setting.bench("checkpoint")
    seconds = 30 if setting.full else 10
    worker = bench.start(
        "--checkpoint-dir", "state", "--every", "1", *bench.job_file(jobs.WRITER), str(seconds + 3)
    )
    wait_until(lambda: bench.item().get("checkpoint", {}).get("sequence", 0) >= 2)
    first, cpu = int(bench.item()["checkpoint"]["sequence"]), jobs.cpu_seconds(worker.process.pid)
    time.sleep(seconds)
    saved = int(bench.item()["checkpoint"]["sequence"]) - first
    share = (jobs.cpu_seconds(worker.process.pid) - cpu) / seconds
    worker.end()
    yield Row(
        f"{saved} checkpoints of 4 KiB in {seconds} s", f"{share:.2%} CPU", "≤ 1 %", share <= 0.01
    )


def kills(setting: Setting) -> Iterator[Row]:
    """Stops and kills at random instants, until a run is complete and right each time."""
    count = 1000 if setting.full else 10
    for how in ("stop", "kill all"):
        chance, done, runs, again = random.Random(how), 0, 0, 0
        while done < count:
            job = chance.choice(list(JOBS.values()))
            attack = Attack(job, setting.bench("kills"), chance)
            kill_until_complete(attack, how)
            done, runs, again = done + attack.disturbances, runs + 1, again + attack.began_again()
        yield Row(f"{how}: {done} in {runs} runs of four kinds of jobs, all right", "yes")
        yield Row("units begun again for each", f"{again / done:.2f}")


MEASURES: list[Callable[[Setting], Iterator[Row]]] = [
    startup,
    memory,
    output,
    signal_to_exit,
    publish,
    checkpoint,
    kills,
]


def main(arguments: list[str]) -> int:
    """Measure what was asked for; 1 when something was not reached."""
    wanted, full = chosen(arguments, MEASURES, __doc__)
    with serve_aws() as aws, tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        setting = Setting(aws, Path(folder), full)
        rows = (row for measure in wanted for row in measure(setting))
        return report("The worker", _as_they_come(rows))


def _as_they_come(rows: Iterator[Row]) -> Iterator[Row]:
    """Each row at once on standard error; the table follows when all are there."""
    for row in rows:
        print(f"{row.what}: {row.measured}", file=sys.stderr, flush=True)
        yield row
