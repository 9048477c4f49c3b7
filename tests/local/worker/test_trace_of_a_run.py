"""A traced run has one trace, whatever stops its attempts, which costs what is promised."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import Env
from steadyspot.contract.traces import TRACEPARENT, X_RAY, trace_id
from steadyspot.deploy.aws.local_session import LocalSession
from tests.local.worker.kit import STARTED, Bench, wait_until

TRACED = {Env.TRACING.value: "true"}
MOST_MIB = 25


def segments(bench: Bench) -> list[dict[str, Any]]:
    """What the embedded X-Ray was sent of the run's trace."""
    name = trace_id(bench.table, bench.job, bench.run_key)
    reply = LocalSession(bench.aws).client("xray").batch_get_traces(TraceIds=[name])
    return [json.loads(s["Document"]) for trace in reply["Traces"] for s in trace["Segments"]]


def whole(bench: Bench) -> list[dict[str, Any]]:
    return [segment for segment in segments(bench) if "end_time" in segment]


def interrupted(bench: Bench, *options: str, **environment: str) -> None:
    """An attempt that was told to stop once its trace had begun."""
    before = len(segments(bench))
    worker = bench.start(*options, "sh", "-c", "echo ready; sleep 60", **TRACED, **environment)
    worker.wait_for("ready")
    wait_until(lambda: len(segments(bench)) > before)
    worker.terminate()
    assert worker.end() == 143


def test_attempts_of_a_run_are_segments_of_one_trace(bench: Bench) -> None:
    interrupted(bench, "--checkpoint-dir", "state")
    job = [
        "import steadyspot",
        "run = steadyspot.current_run()",
        "for _ in run.remaining(['a', 'b']):",
    ]
    second = bench.start(*bench.job_file("\n".join([*job, "    pass"])), **TRACED)
    assert second.end() == 0

    first, last = sorted(whole(bench), key=lambda segment: segment["start_time"])
    assert first["annotations"] == {
        "job": bench.job,
        "run_key": bench.run_key,
        "attempt": 1,
        "capacity": "spot",
        "execution": bench.execution,
        "exit_code": 143,
        "cause": "interrupted",
    }
    assert (first["error"], first.get("fault")) == (True, None)
    assert {part["name"] for part in first["subsegments"]} >= {"job", "save"}
    assert (last["annotations"]["attempt"], last["annotations"]["cause"]) == (2, "finished")
    parts = {part["name"]: part for part in last["subsegments"]}
    assert {"job", "publish"} <= set(parts)
    assert [unit["name"] for unit in parts["job"]["subsegments"]] == ["a", "b"]


def test_shards_of_a_run_are_in_its_trace(bench: Bench) -> None:
    for shard in bench.shards(2):
        worker = shard.start("true", **TRACED)
        assert worker.end() == 0
    keys = {segment["annotations"]["run_key"] for segment in whole(bench)}
    assert keys == {f"{bench.run_key}.s0000", f"{bench.run_key}.s0001"}


def test_a_job_s_own_spans_hang_below_the_attempt(bench: Bench) -> None:
    worker = bench.start("sh", "-c", f"echo ${X_RAY} ${TRACEPARENT}", **TRACED)
    assert worker.end() == 0
    (segment,) = whole(bench)
    trace, span = segment["trace_id"], segment["id"]
    assert f"Root={trace};Parent={span};Sampled=1" in worker.said()
    assert f"00-{trace[2:].replace('-', '')}-{span}-01" in worker.said()


def test_a_run_that_is_not_traced_is_told_nothing_and_sends_nothing(bench: Bench) -> None:
    worker = bench.start("sh", "-c", f"echo told=${X_RAY}${TRACEPARENT}.")
    assert worker.end() == 0
    assert "told=." in worker.said()
    assert segments(bench) == []


@pytest.mark.parametrize("code", [0, 3])
def test_a_trace_that_is_not_taken_costs_a_second_at_most_and_fails_nothing(
    bench: Bench, code: int
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        worker = bench.start("sh", "-c", f"exit {code}", AWS_ENDPOINT_URL_XRAY=address, **TRACED)
        assert worker.end() == code
        deaf.settimeout(5)
        connection, _ = deaf.accept()
        asked = connection.recv(4096)
        connection.close()
    assert asked.startswith(b"POST /TraceSegments")


def taken(bench: Bench, **environment: str) -> float:
    """The memory of a worker that has saved and, where it is traced, sent the attempt's segment."""
    before = len(segments(bench))
    job = ("sh", "-c", "echo x > state/file; echo ready; sleep 60")
    worker = bench.start(
        "--checkpoint-dir", "state", "--every", "0.2", *job, way=STARTED, **environment
    )
    worker.wait_for("ready")
    wait_until(lambda: bench.item().get("checkpoint"))
    wait_until(lambda: not environment or len(segments(bench)) > before)
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    worker.terminate()
    worker.end()
    (kib,) = re.findall(r"^VmRSS:\s+(\d+)", status, re.M)
    return int(kib) / 1024


def test_a_trace_takes_no_more_memory_than_promised(bench: Bench) -> None:
    plain = taken(bench)
    bench.claim(2)
    traced = taken(bench, **TRACED)
    print(f"{plain:.1f} MiB without a trace, {traced:.1f} MiB with one")
    assert traced - plain <= MOST_MIB


def test_a_trace_is_prepared_only_after_the_job_s_first_instruction(bench: Bench) -> None:
    """What is loaded and when is told by Python itself, on the pipe that the job writes to."""
    job = ("sh", "-c", "echo first instruction >&2; sleep 60")
    worker = bench.start(*job, way=STARTED, PYTHONPROFILEIMPORTTIME="1", **TRACED)
    worker.wait_for("first instruction")
    wait_until(lambda: segments(bench))
    worker.terminate()
    worker.end()

    first = next(i for i, line in enumerate(worker.text) if line == "first instruction")
    loaded = [line.rpartition("|")[2].strip() for line in worker.text if "|" in line]
    before = [line.rpartition("|")[2].strip() for line in worker.text[:first] if "|" in line]
    assert "aws_xray_sdk.core" in loaded
    assert not [name for name in before if "xray" in name or "hashlib" in name]
