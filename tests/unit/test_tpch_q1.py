"""The demo job gives the published answer, also when it is stopped and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from steadyspot.examples.tpch_q1 import answer, data, merge, query
from steadyspot.examples.tpch_q1.job import RESULT, work
from steadyspot.examples.tpch_q1.source import Bucket, Folder, InputMissing, InputUnreachable

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineitem")
    data.make(folder)
    return folder


class RunInMemory:
    """A run whose marks are lists; it can be stopped when a unit begins."""

    def __init__(
        self, outputs: Path, stop_at: int | None = None, shard: tuple[int, int] = (0, 1)
    ) -> None:
        self.outputs = outputs
        self.stop_at = stop_at
        self.done: list[int] = []
        self.state: dict[str, Any] = {}
        self.shard, self.shards = shard

    def remaining(self, units: Iterable[int]) -> Iterator[int]:
        for unit in list(units)[self.shard :: self.shards]:
            if unit == self.stop_at:
                raise SystemExit(143)
            if unit not in self.done:
                yield unit
                self.done.append(unit)

    @contextmanager
    def output(self, name: str) -> Iterator[Path]:
        yield self.outputs / name


def do(run: RunInMemory, parts: Path) -> list[str]:
    lines: list[str] = []
    rests: list[float] = []
    work(run, Folder(parts), parts=8, pause_seconds=3, say=lines.append, sleep=rests.append)
    assert set(rests) == {3}
    return lines


def by_hand(
    parts: Path, kept: Path, *options: str, input_option: bool = True, **more: str
) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if "STEADYSPOT" not in name}
    where = ["--input", str(parts)] if input_option else []
    return subprocess.Popen(
        [sys.executable, "-m", "examples.tpch_q1", *where, *options],
        cwd=CHECKOUT,
        env={**environment, "STEADYSPOT_LOCAL_DIR": str(kept), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_eight_parts_give_the_published_answer(parts: Path, tmp_path: Path) -> None:
    run = RunInMemory(tmp_path)
    lines = do(run, parts)
    assert run.done == list(range(1, 9))
    assert answer.compare(answer.read(tmp_path / RESULT), answer.published()) == []
    assert lines[0] == "part 1 of 8: 73963 rows summed"
    assert lines[-1] == "result.csv: the sums of 8 parts merged"


def test_a_later_attempt_uses_the_sums_of_the_earlier_one(parts: Path, tmp_path: Path) -> None:
    run = RunInMemory(tmp_path, stop_at=4)
    with pytest.raises(SystemExit):
        do(run, parts)
    assert not (tmp_path / RESULT).exists()
    run.stop_at = None
    assert len(do(run, parts)) == 5 + 1
    assert answer.compare(answer.read(tmp_path / RESULT), answer.published()) == []


def test_partials_of_shards_merge_into_the_published_answer(parts: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        lines = do(RunInMemory(tmp_path / str(number), shard=(number, 3)), parts)
    assert lines[-1] == "partial.json: the sums of 2 of 8 parts"
    assert merge.main([str(tmp_path), str(tmp_path / RESULT)]) == 0
    assert answer.compare(answer.read(tmp_path / RESULT), answer.published()) == []


@pytest.mark.parametrize("there", ["", "0", "01", "0011", "12", "0123"])
def test_a_merge_without_one_partial_of_each_shard_is_refused(there: str) -> None:
    partials = [merge.OfShard(int(number), 3, {}) for number in there]
    with pytest.raises(merge.ShardsMissing, match="a partial of each shard is needed"):
        merge.merged(partials)
    assert merge.merged([merge.OfShard(number, 3, {}) for number in (2, 0, 1)]) == []
    with pytest.raises(merge.ShardsMissing, match="0 of 1, 1 of 2"):
        merge.merged([merge.OfShard(1, 2, {}), merge.OfShard(0, 1, {})])


def test_by_hand_it_runs_in_shards_of_which_one_may_have_no_part(
    parts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = by_hand(parts, tmp_path, "--parts", "2", STEADYSPOT_LOCAL_SHARDS="3")
    said, complaint = job.communicate(timeout=100)
    assert job.returncode == 0, complaint
    assert said.count("rows summed") == 2
    assert merge.main([str(tmp_path), str(tmp_path / RESULT)]) == 0

    (next(tmp_path.rglob(merge.PARTIAL))).unlink()
    assert merge.main([str(tmp_path), str(tmp_path / RESULT)]) == 1
    assert "tpch_q1: a partial of each shard is needed; there are: " in capfd.readouterr().err


def test_by_hand_it_is_stopped_and_goes_on(parts: Path, tmp_path: Path) -> None:
    stopped = by_hand(parts, tmp_path, "--pause", "0.3")
    assert stopped.stdout is not None
    for line in stopped.stdout:
        if line.startswith("part 2 of 8"):
            break
    stopped.send_signal(signal.SIGTERM)
    said, complaint = stopped.communicate(timeout=100)
    assert (stopped.returncode, complaint) == (143, "")
    finished = 2 + said.count("rows summed")

    resumed = by_hand(parts, tmp_path)
    said, complaint = resumed.communicate(timeout=100)
    assert resumed.returncode == 0
    assert complaint == (
        f"{finished} of 8 units were done before; their outputs are in {tmp_path / 'outputs'}."
        f" To begin anew, remove {tmp_path}.\n"
    )
    assert said.startswith(f"part {finished + 1} of 8: ")
    result = answer.read(tmp_path / "outputs" / RESULT)
    assert answer.compare(result, answer.published()) == []


def test_an_image_may_bring_its_input(parts: Path, tmp_path: Path) -> None:
    job = by_hand(parts, tmp_path, input_option=False, TPCH_Q1_INPUT=str(parts))
    _, complaint = job.communicate(timeout=100)
    assert (job.returncode, complaint) == (0, "")


def test_the_published_answer_has_four_groups() -> None:
    groups = [row["l_returnflag"] + row["l_linestatus"] for row in answer.published()]
    assert groups == ["AF", "NF", "NO", "RF"]
    with pytest.raises(LookupError, match=r"no answer is published for scale factor 0\.3"):
        answer.published(0.3)


@pytest.mark.parametrize("column", query.COLUMNS)
def test_each_column_is_compared(column: str) -> None:
    wanted = answer.published()
    result = [dict(row) for row in wanted]
    assert answer.compare(result, wanted) == []
    old = result[2][column]
    result[2][column] = "X" if column.startswith("l_") else str(Decimal(old) * Decimal("1.000001"))
    assert answer.compare(result, wanted) == [
        f"row 3: {column} is {result[2][column]}, published is {old}"
    ]


def test_a_result_of_another_shape_is_told() -> None:
    wanted = answer.published()
    assert answer.compare(wanted[:3], wanted) == [
        "the result has 3 rows, the published answer 4",
    ]
    narrow = [{"l_returnflag": "A"}, *wanted[1:]]
    assert answer.compare(narrow, wanted)[0].startswith("row 1 has the columns l_returnflag, not")


amounts = st.decimals(-(10**12), 10**12, places=6).map(str)
partials = st.dictionaries(
    st.sampled_from(["A|F", "N|F", "N|O"]),
    st.tuples(*[amounts] * 5, st.integers(1, 10**6).map(str)).map(list),
)


@given(st.lists(partials, max_size=6), st.randoms(use_true_random=False))
def test_the_merge_is_the_same_in_any_order(each: list[query.Partial], random: Any) -> None:
    rows = query.merged(each)
    shuffled = list(each)
    random.shuffle(shuffled)
    assert query.merged(shuffled) == rows
    for flag, status, quantity, *_, count in rows:
        own = [partial[f"{flag}|{status}"] for partial in each if f"{flag}|{status}" in partial]
        assert Decimal(quantity) == sum(Decimal(numbers[0]) for numbers in own)
        assert int(count) == sum(int(numbers[-1]) for numbers in own)


def test_an_input_that_is_not_there_gets_one_sentence(tmp_path: Path) -> None:
    for job, said in [
        (by_hand(tmp_path / "none", tmp_path), "lineitem.1.parquet is not there; make the input"),
        (by_hand(tmp_path, tmp_path, input_option=False), "name the input with --input FOLDER"),
    ]:
        _, complaint = job.communicate(timeout=100)
        assert job.returncode == 1
        assert complaint.startswith("tpch_q1: ")
        assert said in complaint
        assert complaint.count("\n") == 1


class S3:
    """A client whose downloads end as it is told."""

    def __init__(self, ending: Exception | None) -> None:
        self.ending = ending

    def download_file(self, bucket: str, key: str, filename: str) -> None:
        if self.ending:
            raise self.ending
        Path(filename).write_text(f"{bucket} {key}", "utf-8")


def bucket(ending: Exception | None = None) -> Bucket:
    return Bucket(cast(S3Client, S3(ending)), "steady")


def test_a_part_from_the_bucket_is_a_temporary_file() -> None:
    with bucket().part(3) as path:
        assert path.read_text("utf-8") == "steady inputs/tpch-q1/lineitem.3.parquet"
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("ending", "raised"),
    [
        (ClientError({"Error": {"Code": "404"}}, "HeadObject"), InputMissing),
        (ClientError({"Error": {"Code": "403"}}, "HeadObject"), InputUnreachable),
        (EndpointConnectionError(endpoint_url="http://nowhere"), InputUnreachable),
    ],
)
def test_a_bucket_without_the_part_is_told_from_one_that_does_not_answer(
    ending: Exception, raised: type[Exception]
) -> None:
    with (
        pytest.raises(raised, match=r"s3://steady/inputs/tpch-q1/lineitem\.3\.parquet"),
        bucket(ending).part(3),
    ):
        pass
