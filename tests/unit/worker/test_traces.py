"""An attempt's span holds what it did; one trace a run; the SDK and OpenTelemetry take the same."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import Env
from steadyspot.contract.shards import shard_key
from steadyspot.contract.traces import TRACEPARENT, X_RAY, trace_id
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.keeping.store import Clients
from steadyspot.worker.keeping.tracing import Tracing
from steadyspot.worker.keeping.xray import NotTaken, XRay, document
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from steadyspot.worker.supervising.supervisor import trace_of
from steadyspot.worker.traces import JOB, MOST_OF_KIND, PUBLISH, SAVE, Exporter, Span, Trace
from tests.unit.worker.fakes import FakeAws, IdleJob
from tests.unit.worker.runs import ENVIRONMENT, new_world

ID = trace_id("runs", "night", "20261124T020000Z")


def trace(**more: Any) -> Trace:
    clock = iter(range(100, 100_000))
    numbers = iter(range(1, 100_000))
    return Trace(
        "night",
        {"job": "night", "attempt": 2},
        ID,
        clock=lambda: float(next(clock)),
        random=lambda n: next(numbers).to_bytes(n, "big"),
        **more,
    )


def closed(one: Trace, code: int = 0, cause: str = "finished") -> Span:
    span = one.closed(code, cause, (150.0, 160.0))
    assert span
    return span


# --- the id -------------------------------------------------------------------------------------


def test_id_has_the_form_of_x_ray_and_begins_with_the_scheduled_time() -> None:
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", ID)
    assert int(ID.split("-")[1], 16) == 1795485600  # 2026-11-24T02:00:00Z
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", trace_id("runs", "night", "by-hand"))


def test_all_shards_of_a_run_have_its_trace_and_no_other_run_has() -> None:
    runs = [(table, job, key) for table in ("a", "b") for job in ("x", "y") for key in ("k", "l")]
    assert len({trace_id(*run) for run in runs}) == len(runs)
    of_shards = {trace_id("a", "x", shard_key("k", number)) for number in (0, 7, 9999)}
    assert of_shards == {trace_id("a", "x", "k")}


def test_job_is_told_the_trace_in_both_forms() -> None:
    environment = trace().environment
    root, parent, sampled = environment[X_RAY].split(";")
    assert (root, sampled) == (f"Root={ID}", "Sampled=1")
    span = parent.removeprefix("Parent=")
    assert environment[TRACEPARENT] == f"00-{ID[2:].replace('-', '')}-{span}-01"


# --- the span -----------------------------------------------------------------------------------


def test_span_tells_the_parts_in_order_and_units_below_the_job() -> None:
    one = trace()
    one.begin_unit("a")
    one.end_unit("a")
    one.begin_unit("b")
    one.end_unit("b", failed=True)
    one.end_unit("never begun")
    one.annotate("zone", "eu-central-1b")
    with one.part(PUBLISH):
        pass
    span = closed(one)

    assert [part.name for part in span.parts] == [PUBLISH, JOB]
    assert [(unit.name, unit.failed) for unit in span.parts[1].parts] == [("a", False), ("b", True)]
    assert span.annotations == {
        "job": "night",
        "attempt": 2,
        "zone": "eu-central-1b",
        "exit_code": 0,
        "cause": "finished",
    }


@pytest.mark.parametrize(
    ("code", "stopped", "failed"),
    [(0, False, False), (143, True, False), (124, True, False), (3, False, True)],
)
def test_a_stop_is_told_from_a_failure(code: int, stopped: bool, failed: bool) -> None:
    span = closed(trace(), code)
    assert (span.stopped, span.failed) == (stopped, failed)


def test_part_that_raises_has_failed() -> None:
    one = trace()
    with pytest.raises(ValueError, match="x"), one.part(PUBLISH):
        raise ValueError("x")
    assert closed(one).parts[0].failed


@pytest.mark.parametrize("number", [1, MOST_OF_KIND, 10_000])
def test_units_and_saves_are_thinned_out_evenly(number: int) -> None:
    one = trace()
    for unit in range(number):
        one.begin_unit(str(unit))
        one.end_unit(str(unit))
        one.add(SAVE, unit, unit + 0.5)
    span = closed(one)
    (job,) = (part for part in span.parts if part.name == JOB)
    saves = [part for part in span.parts if part.name == SAVE]

    for kept, numbers in (
        (job.parts, [int(unit.name) for unit in job.parts]),
        (saves, [int(save.begun) for save in saves]),
    ):
        assert min(number, MOST_OF_KIND // 2) <= len(kept) <= MOST_OF_KIND
        assert len({later - earlier for earlier, later in pairwise(numbers)}) <= 1
        assert numbers[0] == 0
        assert numbers[-1] >= number * 0.9 - 1
    assert len(document(ID, span).encode()) < 64_000


def test_attempt_that_is_not_traced_collects_nothing() -> None:
    one = Trace("night", {})
    one.begin_unit("a")
    one.end_unit("a")
    with one.part(PUBLISH):
        pass
    assert (one.environment, one.begun(), one.closed(0, "finished")) == ({}, None, None)


# --- X-Ray's form -------------------------------------------------------------------------------


def test_segment_is_whole_and_what_x_ray_refuses_in_names_is_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = trace()
    one.begin_unit('["a", 1]?')
    one.end_unit('["a", 1]?')
    segment = json.loads(document(ID, closed(one, 143, "interrupted")))

    assert (segment["trace_id"], segment["name"]) == (ID, "night")
    assert (segment["start_time"], segment["end_time"] > 100) == (100.0, True)
    assert segment["annotations"]["cause"] == "interrupted"
    assert (segment["error"], segment.get("fault")) == (True, None)
    (job,) = segment["subsegments"]
    assert (job["name"], job["start_time"], job["end_time"]) == ("job", 150.0, 160.0)
    assert [unit["name"] for unit in job["subsegments"]] == ["__a__ 1__"]
    assert not caplog.records


def test_segment_of_an_attempt_that_goes_on_says_so() -> None:
    begun = trace().begun()
    assert begun
    segment = json.loads(document(ID, begun))
    assert segment["in_progress"] is True
    assert "end_time" not in segment


def test_segment_that_x_ray_does_not_process_is_an_error() -> None:
    class Client:
        def put_trace_segments(self, **_: Any) -> dict[str, Any]:
            refused = {"Id": "1", "ErrorCode": "ParseError", "Message": "not mine"}
            return {"UnprocessedTraceSegments": [refused]}

    class Aws(FakeAws):
        def client(self, service: str, timeout_seconds: float) -> Any:
            return Client()

    with pytest.raises(NotTaken, match="ParseError: not mine"):
        XRay(Aws(new_world()))(ID, closed(trace()))


def test_one_module_alone_knows_the_sdk() -> None:
    root = Path(__file__).parents[3] / "worker"
    knows = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import) and "aws_xray_sdk" in ast.unparse(node)
    ]
    assert set(knows) == {"keeping/xray.py"}


# --- sending ------------------------------------------------------------------------------------


def otlp(sent: list[dict[str, Any]]) -> Callable[[Clients], Exporter]:
    """An exporter in OpenTelemetry's form: what an ExportTraceServiceRequest holds, as JSON."""

    def spans(trace: str, span: Span, parent: str) -> Iterator[dict[str, Any]]:
        yield {
            "traceId": trace.removeprefix("1-").replace("-", ""),
            "spanId": span.id,
            "parentSpanId": parent,
            "name": span.name,
            "startTimeUnixNano": str(int(span.begun * 1e9)),
            "endTimeUnixNano": str(int((span.ended or 0) * 1e9)),
            "attributes": [
                {"key": k, "value": {"stringValue": str(v)}} for k, v in span.annotations.items()
            ],
            "status": {"code": 2 if span.failed else 0},
        }
        for part in span.parts:
            yield from spans(trace, part, span.id)

    def export(trace: str, span: Span) -> None:
        if span.ended is not None:
            scope = {"scope": {"name": "steadyspot"}, "spans": [*spans(trace, span, "")]}
            sent.append({"resourceSpans": [{"scopeSpans": [scope]}]})

    return lambda _: export


def traced(
    folder: Path, connect: Callable[[Clients], Exporter], log: Log | None = None
) -> tuple[Keeper, Trace]:
    """A keeper of a traced attempt, started and open, whose job runs."""
    options = Options(["--output-dir", str(folder), "--uploads", "2", "true"], ENVIRONMENT)
    assert options.identity
    log = log or Log(descriptor=-1)
    lost: list[Any] = []
    keeper = Keeper(
        options,
        options.identity,
        log,
        lost.append,
        IdleJob(),
        str(folder),
        connect=lambda *_: FakeAws(new_world()),
    )
    one = trace()
    keeper.trace(one, Tracing(one, log, connect))
    keeper.start()
    keeper.opened.result(20)
    keeper.begin_trace()
    return keeper, one


def settled(keeper: Keeper, one: Trace) -> None:
    """The end of the attempt, once all before it is done."""
    keeper.submit(lambda: None).result(20)
    sent: Future[None] | None = keeper.send_trace(closed(one))
    if sent:
        sent.result(20)


def test_opentelemetry_is_another_exporter_and_nothing_else(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []
    keeper, one = traced(tmp_path, otlp(sent))
    keeper.requests.begin("a", 1)
    keeper.requests.mark("a", [])
    settled(keeper, one)

    (request,) = sent
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    by_name = {span["name"]: span for span in spans}
    assert {"night", "job", "a", "save"} <= set(by_name)
    assert by_name["a"]["parentSpanId"] == by_name["job"]["spanId"]
    assert by_name["job"]["parentSpanId"] == by_name["night"]["spanId"]
    assert {span["traceId"] for span in spans} == {ID[2:].replace("-", "")}
    assert by_name["night"]["spanId"] == one.environment[TRACEPARENT].split("-")[2]


def test_an_attempt_that_goes_on_is_sent_once_and_comes_before_its_end(tmp_path: Path) -> None:
    ends: list[float | None] = []
    keeper, one = traced(tmp_path, lambda _: lambda trace, span: ends.append(span.ended))
    settled(keeper, one)
    assert ends[0] is None
    assert ends[1] is not None
    assert len(ends) == 2


class Heard(Log):
    """A log that keeps what is said."""

    def __init__(self) -> None:
        super().__init__(descriptor=-1)
        self.said: list[str] = []

    def warning(self, event: str, message: str, **more: object) -> None:
        self.said.append(message)


@pytest.mark.parametrize("breaks", ["connecting", "sending"])
def test_trace_that_cannot_be_sent_harms_nothing_and_is_said(tmp_path: Path, breaks: str) -> None:
    def connect(_: Clients) -> Exporter:
        if breaks == "connecting":
            raise RuntimeError("nobody foresaw this")
        return export

    def export(trace: str, span: Span) -> None:
        raise RuntimeError("nobody foresaw this")

    log = Heard()
    keeper, one = traced(tmp_path, connect, log)
    keeper.requests.begin("a", 1)
    keeper.requests.mark("a", [])
    settled(keeper, one)

    assert keeper.trouble is None
    assert keeper.commit().result(20)["units"] == 1
    assert "The attempt's trace could not be sent: nobody foresaw this" in log.said


# --- who is traced ------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "is_traced"), [("true", True), ("false", False), ("", False)])
def test_job_hears_of_a_trace_only_where_one_is_sent(said: str, is_traced: bool) -> None:
    options = Options(["true"], {**ENVIRONMENT, Env.TRACING: said})
    assert options.identity
    assert bool(options.identity.trace_id) is is_traced
    environment = trace_of(options.identity).environment
    assert ({X_RAY, TRACEPARENT} == set(environment)) is is_traced
