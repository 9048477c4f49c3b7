"""Who may write, told row by row: taking the fence, losing it, and a reply that was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from steadyspot.contract import Status
from steadyspot.worker.errors import AlreadyComplete, FenceLost, SetupError
from steadyspot.worker.keeping.fence import Fence
from steadyspot.worker.keeping.store import Condition, ConditionFailed, Item
from tests.unit.worker.fakes import FakeTable, World
from tests.unit.worker.runs import EXECUTION

NUMBER = 10_002


def fence_of(**row: Any) -> tuple[Fence, World]:
    world = World()
    world.item = {"status": "running", "execution": EXECUTION, **row} if row else {}
    return Fence(FakeTable(world), EXECUTION, NUMBER, "me"), world


def test_a_run_that_nobody_claimed_is_told_as_such() -> None:
    fence, _ = fence_of()
    with pytest.raises(SetupError, match="not in the run table"):
        fence.take()


def test_only_what_this_execution_completed_is_complete_already() -> None:
    with pytest.raises(AlreadyComplete):
        fence_of(status="complete", fence=10_001)[0].take()


@pytest.mark.parametrize(
    ("row", "who"),
    [
        ({"execution": "arn:another"}, "execution arn:another has taken the run over"),
        ({"execution": "arn:zzz"}, "execution arn:zzz has taken the run over"),
        ({"execution": "arn:another", "status": "complete"}, "execution arn:another has taken"),
        ({"status": "unfinished"}, "the run is unfinished already"),
        ({"fence": NUMBER, "holder": "other"}, f"another task with the same fence {NUMBER}"),
        ({"fence": 10_003}, f"an attempt with fence 10003 has taken it, after {NUMBER}"),
        (
            {"fence": 10_003, "status": "committing"},
            f"an attempt with fence 10003 has taken it, after {NUMBER}",
        ),
    ],
)
def test_a_fence_that_is_lost_says_to_whom(row: dict[str, Any], who: str) -> None:
    fence, world = fence_of(**row)
    before = dict(world.item)
    with pytest.raises(FenceLost, match=who):
        fence.take()
    assert world.item == before


class LosesTheReply(FakeTable):
    """Makes each change, whose reply is lost; botocore sends it again, and that is refused."""

    def update(self, values: Mapping[str, Any], remove: list[str], condition: Condition) -> Item:
        raise ConditionFailed({**super().update(values, remove, condition), **self.beside})

    beside: Mapping[str, Any] = {}


def write_whose_reply_is_lost(**beside: Any) -> None:
    world = World()
    world.item = {"status": "running", "execution": EXECUTION, "fence": NUMBER, "holder": "me"}
    table = LosesTheReply(world)
    table.beside = beside
    Fence(table, EXECUTION, NUMBER, "me").write(
        {"status": "committing", "commit": 1}, during=frozenset({Status.RUNNING})
    )


def test_a_write_that_finds_its_own_change_counts_as_written() -> None:
    write_whose_reply_is_lost()


@pytest.mark.parametrize(
    "beside",
    [
        *({"commit": 2}, {"commit": 0}, {"fence": 10_003}, {"fence": 10_001}),
        *({"holder": "other"}, {"holder": "a"}, {"execution": "arn:another"}),
    ],
    ids=str,
)
def test_a_write_that_finds_another_s_change_has_lost_the_fence(beside: dict[str, Any]) -> None:
    with pytest.raises(FenceLost):
        write_whose_reply_is_lost(**beside)
