"""Stacks of many jobs side by side: quicker, none stops another, and one line each."""

from __future__ import annotations

import io
import threading
import time
from functools import partial

import pytest
from rich.console import Console

from steadyspot.deploy.cli.many_stacks import bring_all, remove_all
from steadyspot.deploy.cli.screen import Screen, silent
from steadyspot.deploy.cli.under_way import UnderWay
from steadyspot.deploy.stacks.side_by_side import side_by_side
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.slow_stacks import ManyStacks, Together, target_of, wanted


def yes(_plan: object) -> bool:
    return True


def brought(client: ManyStacks, count: int, at_once: int, screen: Screen) -> dict[str, bool]:
    return dict(bring_all(target_of(client), wanted(count), screen, yes, yes, at_once))


def test_sixteen_take_the_time_of_two_where_eight_go_at_once() -> None:
    found = brought(ManyStacks(Together(8)), 16, 8, silent())
    assert len(found) == 16
    assert all(found.values())


def test_never_more_are_worked_on_than_are_asked_for() -> None:
    busy, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def work() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        together.wait(60)
        time.sleep(0.01)
        with lock:
            busy -= 1

    assert len(list(side_by_side({str(n): work for n in range(21)}, 3))) == 21
    assert most == 3


def test_one_that_fails_stops_no_other_and_is_told_at_the_end() -> None:
    out = io.StringIO()
    client = ManyStacks(0.02, fails={"shop-job-001"})
    screen = Screen(Console(file=out, width=200))
    ended = bring_all(target_of(client), wanted(4), screen, yes, yes, 2)
    done = [stack for stack, _ in (next(ended) for _ in range(3))]
    with pytest.raises(Trouble) as caught:
        next(ended)
    assert sorted(done) == ["shop-job-000", "shop-job-002", "shop-job-003"]
    assert caught.value.what.startswith("1 of 4 stacks could not be brought up. shop-job-001: ")
    assert "no room" in caught.value.what
    assert caught.value.code != 0
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert sum(line.endswith("up to date") for line in lines) == 3
    assert [line for line in lines if line.startswith("shop-job-001: ") and "no room" in line]


def test_the_trouble_of_a_bug_is_no_trouble_of_a_stack() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(side_by_side({"a": broken}, 2))


def test_stacks_of_jobs_go_side_by_side_too() -> None:
    client = ManyStacks(Together(8), there=True)
    names = [one.stack for one in wanted(8)]
    assert sorted(remove_all(target_of(client), names, silent(), 8)) == names


def test_what_somebody_has_to_agree_to_is_asked_when_the_others_are_done() -> None:
    asked: list[str] = []

    def agreed(plan: object) -> bool:
        asked.append(getattr(plan, "stack"))  # noqa: B009
        return True

    client = ManyStacks(0.02)
    found = list(
        bring_all(
            target_of(client),
            wanted(4),
            silent(),
            agreed,
            lambda plan: plan.stack != "shop-job-000",
            4,
        )
    )
    assert asked == ["shop-job-000"]
    assert found[-1] == ("shop-job-000", True)
    assert len(found) == 4


def test_an_interrupted_command_says_what_goes_on_at_aws() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=200))

    def interrupted() -> None:
        with UnderWay(screen, 3) as lines:
            lines.tell("shop-b", "looked at")
            lines.tell("shop-a", "looked at")
            lines.end("shop-b", "up to date")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert out.getvalue().splitlines()[-1] == "What goes on at AWS: shop-a."


def test_a_terminal_shows_a_line_for_what_is_under_way() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, force_terminal=True))
    with UnderWay(screen, 2) as lines:
        lines.screen_of("shop-a").heading("Stack shop-a")
        lines.tell("shop-a", "Queue create in progress " + "x" * 100)
        lines.end("shop-a", "up to date")
    assert "shop-a: up to date" in out.getvalue()
    assert "1 of 2" in out.getvalue()


def test_work_that_is_done_one_after_the_other_keeps_its_order() -> None:
    ended = list(side_by_side({name: partial(str.upper, name) for name in "abc"}, 1))
    assert [one.result for one in ended] == ["A", "B", "C"]
