"""The keeper with a bucket and a table in memory: what fails once is done by the next save."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import Exit
from steadyspot.worker.errors import Unreachable, WorkerError, WorkerFault
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from tests.local.worker.kit import wait_until
from tests.unit.worker.fakes import FakeAws, IdleJob, World
from tests.unit.worker.runs import ENVIRONMENT, new_world


def keeper_of(
    world: World,
    folder: Path,
    gate: Callable[[str, Callable[[], Any]], Any],
    lost: Callable[[WorkerError], None] = print,
) -> Keeper:
    options = Options(["--output-dir", str(folder), "--uploads", "1", "true"], ENVIRONMENT)
    assert options.identity
    log = Log(descriptor=-1)
    keeper = Keeper(
        options,
        options.identity,
        log,
        lost,
        IdleJob(),
        str(folder),
        connect=lambda *_: FakeAws(world, gate),
    )
    keeper.start()
    return keeper


def done(future: Future[Any]) -> Any:
    return future.result(20)


def test_output_that_was_staged_beside_one_that_failed_is_published(tmp_path: Path) -> None:
    failing = True

    def gate(name: str, call: Callable[[], Any]) -> Any:
        if name == "part" and failing and world.ids == 2:
            raise Unreachable("AWS did not answer.")
        return call()

    world = new_world()
    for name in "ab":
        (tmp_path / name).write_text(name)
    keeper = keeper_of(world, tmp_path, gate)
    with pytest.raises(Unreachable):
        done(keeper.save_folders())
    failing = False

    done(keeper.save_folders())
    done(keeper.commit())

    assert {"outputs/job/key/a", "outputs/job/key/b"} <= set(world.objects)
    assert world.item["completion"]["outputs"] == 2


def test_file_that_went_away_beside_one_that_failed_is_not_published(tmp_path: Path) -> None:
    failing = False

    def gate(name: str, call: Callable[[], Any]) -> Any:
        if name == "part" and failing:
            raise Unreachable("AWS did not answer.")
        return call()

    world = new_world()
    (tmp_path / "a").write_text("a")
    keeper = keeper_of(world, tmp_path, gate)
    done(keeper.save_folders())
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("b")
    failing = True
    with pytest.raises(Unreachable):
        done(keeper.save_folders())
    failing = False

    done(keeper.commit())

    assert "outputs/job/key/a" not in world.objects
    assert "outputs/job/key/b" in world.objects


def test_saves_that_fail_again_and_again_leave_no_uploads_behind(tmp_path: Path) -> None:
    def gate(name: str, call: Callable[[], Any]) -> Any:
        if name == "part":
            raise Unreachable("AWS did not answer.")
        return call()

    world = new_world()
    for name in "abc":
        (tmp_path / name).write_text(name)
    keeper = keeper_of(world, tmp_path, gate)
    for _ in range(3):
        with pytest.raises(WorkerError):
            done(keeper.save_folders())
    wait_until(lambda: not world.uploads)
    assert keeper.saving.uploader.open_uploads() == {}


def test_mark_that_comes_during_a_save_waits_for_one_that_sees_its_files(tmp_path: Path) -> None:
    """The save has looked at the folder before: a kill after it would leave a unit without them."""
    reached, go_on, saves = threading.Event(), threading.Event(), 0

    def gate(name: str, call: Callable[[], Any]) -> Any:
        nonlocal saves
        if name == "part" and not reached.is_set():
            reached.set()
            assert go_on.wait(60)
        result = call()
        if name == "update" and world.item.get("checkpoint", {}).get("sequence", 0) > saves:
            saves += 1
            manifest = json.loads(world.objects[world.item["checkpoint"]["key"]][0])
            history.append(manifest["history"])
        return result

    history: list[dict[str, Any]] = []
    world = new_world()
    (tmp_path / "a").write_text("a")
    keeper = keeper_of(world, tmp_path, gate)
    keeper.opened.result(60)
    saving = keeper.save_folders()
    assert reached.wait(60)
    keeper.requests.begin("unit", os.getpid())
    (tmp_path / "b").write_text("b")
    marking = threading.Thread(target=keeper.requests.mark, args=("unit", []))
    marking.start()
    wait_until(lambda: not keeper.requests.has_in_hand("unit"))
    marking.join(0.1)
    go_on.set()
    done(saving)
    marking.join(60)

    assert all("b" in saved["outputs"] for saved in history if "unit" in saved["units"])
    assert "unit" in history[-1]["units"]


@pytest.mark.parametrize(("call_that_fails", "outputs"), [("part", ["out"]), ("put", [])])
def test_mark_that_a_fault_of_the_worker_s_own_hinders_is_told_as_that(
    tmp_path: Path, call_that_fails: str, outputs: list[str]
) -> None:
    def gate(name: str, call: Callable[[], Any]) -> Any:
        if name == call_that_fails:
            raise RuntimeError("nobody foresaw this")
        return call()

    keeper = keeper_of(new_world(), tmp_path, gate)
    keeper.opened.result(60)
    keeper.requests.begin("a", 1)
    for name in outputs:
        number, path = keeper.requests.output(name, 1, "a")
        Path(path).write_text("x")
        keeper.requests.stage(number)

    with pytest.raises(Exception, match="nobody foresaw this"):
        keeper.requests.mark("a", [])

    assert isinstance(keeper.trouble, WorkerFault)
    assert keeper.trouble.exit_code == Exit.WORKER_FAULT
    assert "in gate" in keeper.trouble.details()["traceback"]


def test_fault_that_nobody_waits_for_ends_the_attempt(tmp_path: Path) -> None:
    """It is reported, and the keeper goes on answering, for the end of the attempt."""

    def gate(name: str, call: Callable[[], Any]) -> Any:
        if name == "put":
            raise RuntimeError("nobody foresaw this")
        return call()

    lost: list[WorkerError] = []
    (tmp_path / "a").write_text("a")
    keeper = keeper_of(new_world(), tmp_path, gate, lost.append)
    keeper.save_folders()
    done(keeper.submit(lambda: None))

    assert lost
    assert {type(error) for error in lost} == {WorkerFault}
