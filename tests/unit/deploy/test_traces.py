"""Where a run's trace is: by a link to the console, or as the spans that the embedded AWS keeps."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from steadyspot.contract.traces import trace_id
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.runs.traces import RunTrace, show_trace, spans_of, trace_of
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.target import Target
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import run_view
from steadyspot.deploy.ui.trace_view import LEFT, RIGHT, trace_picture
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import JOB, PRICES, night

KEY = "20261124T020000Z"
BEGAN = BEGUN.timestamp()


def segment(number: int, begin: float, end: float | None, **more: Any) -> dict[str, Any]:
    """A segment of X-Ray's of an attempt that began and ended so many seconds after the run."""
    return {
        "id": f"{number:016x}",
        "name": "night",
        "start_time": BEGAN + begin,
        **({"in_progress": True} if end is None else {"end_time": BEGAN + end}),
        "annotations": {
            "attempt": number,
            "capacity": "spot",
            "run_key": KEY,
            "cause": "reclaimed",
        },
        **more,
    }


FIRST = segment(
    1,
    0,
    60,
    error=True,
    subsegments=[
        segment(11, 50, 60) | {"name": "save"},
        segment(12, 1, 50, subsegments=[segment(13, 2, 20) | {"name": "part-1"}]) | {"name": "job"},
    ],
)
SECOND = segment(2, 80, None)


def traced(*segments: dict[str, Any], link: str = "") -> RunTrace:
    return RunTrace("1-6a123456-0123456789abcdef01234567", link, tuple(spans_of(segments, KEY)))


def test_spans_stand_in_order_with_their_parts_behind_them() -> None:
    spans = traced(SECOND, segment(1, 0, None), FIRST).spans
    assert [(span.depth, span.name) for span in spans] == [
        (0, "attempt 1 on spot: reclaimed"),
        (1, "job"),
        (2, "part-1"),
        (1, "save"),
        (0, "attempt 2 on spot: reclaimed"),
    ]
    assert (spans[0].stopped, spans[-1].ended) == (True, None)


def test_of_a_shard_only_its_own_spans_are_shown() -> None:
    shards = [segment(n, n, n + 1) for n in (1, 2)]
    for number, shard in enumerate(shards):
        shard["annotations"] = {"attempt": 1, "run_key": f"{KEY}.s000{number}"}
    assert [span.name for span in spans_of(shards, KEY)] == [
        "attempt 1 of shard 0",
        "attempt 1 of shard 1",
    ]
    assert [span.name for span in spans_of(shards, f"{KEY}.s0001")] == ["attempt 1 of shard 1"]


@pytest.mark.parametrize(
    ("platform", "job", "is_traced"),
    [("", "", False), ("true", "", True), ("true", "false", False), ("", "true", True)],
)
def test_a_job_is_traced_as_it_says_else_as_its_platform_does(
    platform: str, job: str, is_traced: bool
) -> None:
    key = "tracing = "
    config = parse(
        f"[platform]\n{key + platform if platform else ''}\n"
        f"[jobs.ab]\nimage = 'i'\n{key + job if job else ''}\n"
    )
    assert config.is_traced(config.job()) is is_traced


def target(job: Job, switches: object, segments: list[str]) -> Target:
    class XRay:
        def batch_get_traces(self, TraceIds: list[str]) -> dict[str, Any]:  # noqa: N803
            documents = [{"Document": one} for one in segments]
            return {"Traces": [{"Id": TraceIds[0], "Segments": documents}]}

    fake = SimpleNamespace(
        config=Config(cast(Any, None), Platform(), {job.name: job}),
        platform={"Table": "runs"},
        switches=switches,
        session=SimpleNamespace(region_name="eu-central-1"),
        client=lambda service: XRay() if switches else pytest.fail("AWS is not asked"),
    )
    return cast(Target, fake)


def test_on_aws_a_link_leads_to_the_console_and_nothing_is_asked() -> None:
    job = replace(JOB, tracing=True)
    trace = trace_of(target(job, None, []), job, KEY)
    assert trace
    assert trace.id == trace_id("runs", "night", KEY)
    assert trace.link == (
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        f"#xray:traces/{trace.id}"
    )
    assert trace_of(target(JOB, None, []), JOB, KEY) is None


def test_the_embedded_aws_is_asked_for_what_it_kept() -> None:
    job = replace(JOB, tracing=True)
    kept = '{"id": "1", "name": "night", "start_time": 1.0, "end_time": 2.0}'
    trace = trace_of(target(job, object(), [kept]), job, KEY)
    assert trace
    assert (trace.link, [span.name for span in trace.spans]) == ("", ["attempt ?"])


def said(trace: RunTrace | None) -> list[str]:
    out = io.StringIO()
    show_trace(Screen(Console(file=out, width=100)), trace)
    return out.getvalue().splitlines()


def test_a_terminal_shows_the_spans_as_a_timeline() -> None:
    lines = said(traced(FIRST, SECOND))
    assert lines[1:3] == ["Its trace", "1-6a123456-0123456789abcdef01234567"]
    first, job, unit, save, second = lines[-5:]
    assert first.startswith("attempt 1 on spot: reclaimed")
    assert (first.count("x"), job.count("="), unit.count("=")) == (18, 15, 5)
    assert save.rstrip().endswith("===")
    assert second.rstrip().endswith(".")
    assert said(None) == []
    assert said(traced(link="https://x"))[1:] == ["Its trace", "https://x"]


def test_a_page_draws_a_bar_for_each_span_in_its_place_and_of_its_length() -> None:
    trace = traced(FIRST, segment(2, 80, 120))
    picture = trace_picture(trace)
    assert picture
    second = (RIGHT - LEFT) / 120
    for row, (begin, end) in zip(
        picture.rows, [(0, 60), (1, 50), (2, 20), (50, 60), (80, 120)], strict=True
    ):
        assert row.x == pytest.approx(LEFT + begin * second, abs=0.1)
        assert row.width == pytest.approx((end - begin) * second, abs=0.1)
    assert [row.sign for row in picture.rows] == ["✕", "✓", "✓", "✓", "✓"]
    assert "part-1, 18 s from 02:00:02 UTC, finished" in picture.told


def test_the_page_of_a_traced_run_shows_it_and_of_another_does_not() -> None:
    def page(trace: RunTrace | None) -> str:
        view = run_view(replace(night(), trace=trace), JOB, PRICES, BEGUN)
        return rendered("run.html", now=BEGUN, where="here", view=view)

    assert 'class="timeline trace"' in page(traced(FIRST))
    assert 'href="https://x"' in page(traced(link="https://x"))
    assert 'id="trace"' not in page(None)
