"""Measures of the page: how soon it answers, how often it asks AWS, how far it lags behind.

With three hundred jobs and a hundred thousand runs, on the embedded AWS of this same process, so
that what AWS would compute elsewhere is computed beside the answers.
"""

from __future__ import annotations

import http.cookiejar
import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steadyspot.contract import Status
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.cli.screen import silent
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.up import bring, platform_of, stack_of
from steadyspot.deploy.target import Target
from steadyspot.deploy.ui.reading import MOST_CALLS, Reading
from steadyspot.deploy.ui.serving import served
from tests.bench.fleet import JOBS, RUNS, agreed, fill
from tests.bench.report import Row, report
from tests.unit.deploy.fleets import days_before, items_of, nightly

ANSWER_SECONDS, LAG_SECONDS = 0.2, 3.0
_LOOKS = 3


def main(_: list[str]) -> int:
    """Print the measures; 1 when something was not reached."""
    return report("The page", rows())


def rows() -> Iterator[Row]:
    """Yield each measure."""
    now = datetime.now(UTC)
    jobs = {job.name: job for job in map(nightly, range(JOBS))}
    one = replace(nightly(JOBS), image="steadyspot-worker:local")
    with LocalAws() as aws, tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        config = Config(Path(folder) / "steadyspot.toml", Platform("bench"), jobs)
        target = Target(config, aws.session())
        bring(target, platform_of(target), silent(), agreed)
        fill(target, now)
        config = replace(config, jobs={**jobs, one.name: one})
        _deployed(Target(config, aws.session()), one, now)
        key = run_key_of(scheduled_time_of(days_before(now, 1)))
        paths = {
            "all jobs": "/",
            "a job": f"/jobs/{one.name}",
            "a run": f"/jobs/{one.name}/runs/{key}",
        }
        for name, path in paths.items():
            yield from _of(Target(config, aws.session()), name, path)
        yield from _lag(Target(config, aws.session()), now)


def _deployed(target: Target, job: Job, now: datetime) -> None:
    """Bring a job up, with as many runs behind it as its page reads."""
    bring(target, stack_of(target, job), silent(), agreed)
    table, dynamodb = target.platform["Table"], target.client("dynamodb")
    for back in range(1, 101):
        for item in items_of(job.name, days_before(now, back)):
            dynamodb.put_item(TableName=table, Item=item)


def _of(target: Target, name: str, path: str) -> Iterator[Row]:
    what = f"{name}, {JOBS} jobs, {RUNS:,} runs"
    calls = [0]
    target.session.events.register("before-call.*", lambda **_: calls.__setitem__(0, calls[0] + 1))
    reading = Reading(target)
    begun, worked = time.perf_counter(), time.process_time()
    _look(reading, path)
    worked, seconds = time.process_time() - worked, time.perf_counter() - begun
    looked = f"{worked:.2f} s of one processor ({seconds:.2f} s here)"
    yield Row(f"{what}: a look at the embedded AWS", looked)
    yield Row(f"{what}: calls", str(calls[0]), f"<= {MOST_CALLS}", calls[0] <= MOST_CALLS)
    with _browser(Reading(target)) as (opener, origin):
        first = _answer(opener, origin + path)
        time.sleep(2 * seconds + 1)
        later = [_answer(opener, origin + path) for _ in range(_LOOKS)]
    for when, took in (("the first answer", first), ("answers later, the longest", max(later))):
        reached = took <= ANSWER_SECONDS
        yield Row(f"{what}: {when}", f"{1000 * took:.0f} ms", "<= 200 ms", reached)


def _look(reading: Reading, path: str) -> Any:
    _, _, job, _, run = (*path.split("/"), "", "", "", "")[:5]
    return reading.run(job, run) if run else reading.job(job) if job else reading.fleet()


def _lag(target: Target, now: datetime) -> Iterator[Row]:
    """Yield how long after it is in the table something is on the open page of all jobs."""
    table, dynamodb = target.platform["Table"], target.client("dynamodb")
    lags = []
    with _browser(Reading(target)) as (opener, origin), opener.open(f"{origin}/live") as stream:
        next(_events(stream))
        for number in range(200, 200 + _LOOKS):
            key = f"job-{number}"
            for item in items_of(key, days_before(now, 0), Status.UNFINISHED):
                dynamodb.put_item(TableName=table, Item=item)
            at = time.perf_counter()
            wanted = f'data-kind="parked"><td><a href="/jobs/{key}"'
            next(event for event in _events(stream) if wanted in event.get("html", ""))
            lags.append(time.perf_counter() - at)
    reached = max(lags) <= LAG_SECONDS
    yield Row(
        f"what is new of {JOBS} jobs, the longest lag", f"{max(lags):.1f} s", "<= 3 s", reached
    )


def _events(stream: Any) -> Iterator[dict[str, Any]]:
    for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


@contextmanager
def _browser(reading: Reading) -> Iterator[tuple[urllib.request.OpenerDirector, str]]:
    with served(reading, port=0, read_only=True) as address:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        origin, token = address.split("/?")
        # Not the page of all jobs, whose first answer is to be measured.
        opener.open(f"{origin}/jobs/job-000/drills?{token}").read()
        yield opener, origin


def _answer(opener: urllib.request.OpenerDirector, address: str) -> float:
    begun = time.perf_counter()
    with opener.open(address) as answer:
        answer.read()
    return time.perf_counter() - begun
