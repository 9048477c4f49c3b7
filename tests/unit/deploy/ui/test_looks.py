"""How soon a page is there, and how far what it shows lags behind; in virtual time."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.fleet_view import FleetView
from steadyspot.deploy.ui.guard import Guard
from steadyspot.deploy.ui.looks import Looks
from steadyspot.deploy.ui.server import make_app
from tests.unit.deploy.ui.shown import Shown

PROMISED_SECONDS = 3.0
PORT, TOKEN = 5050, "a-token"


class Time:
    """Seconds that pass only when somebody lets them."""

    def __init__(self) -> None:
        self.now = 100.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Changing(Shown):
    """A fleet that changes at a moment; each look takes its time, and sees how it was at first."""

    def __init__(self, time: Time, changes_at: float, look_seconds: float) -> None:
        super().__init__()
        self._time, self._changes_at, self._look_seconds = time, changes_at, look_seconds

    def fleet(self) -> FleetView:
        changed = self._time.now >= self._changes_at
        self._time.pass_by(self._look_seconds)
        return replace(super().fleet(), summary="as it is now" if changed else "as it was")


@pytest.mark.parametrize("look_seconds", [0.0, 0.2, 0.7, 1.3])
@pytest.mark.parametrize("after", [0.001, 0.3, 1.0, 1.9, 2.7])
def test_what_changes_is_on_an_open_page_within_three_seconds(
    look_seconds: float, after: float
) -> None:
    time = Time()
    changes_at = time.now + 30 + after
    shown = Changing(time, changes_at, look_seconds)
    looks = Looks(clock=lambda: time.now, patience=60)
    app = make_app(shown, Guard(TOKEN, PORT), pause=time.pass_by, looks=looks)
    client = app.test_client()
    here = f"http://127.0.0.1:{PORT}"
    client.get(f"/?token={TOKEN}", base_url=here)
    stream = client.get("/live", base_url=here, buffered=False).iter_encoded()
    for chunk in stream:
        told = json.loads(chunk.decode().removeprefix("data: "))
        if "as it is now" in told.get("html", ""):
            break
    assert time.now - changes_at <= PROMISED_SECONDS


def test_a_page_is_there_while_aws_is_still_being_asked_and_comes_whole_next_time() -> None:
    answers = Event()

    class Slow(Shown):
        def fleet(self) -> FleetView:
            assert answers.wait(60)
            return super().fleet()

    app = make_app(Slow(), Guard(TOKEN, PORT), looks=Looks(patience=0.01))
    client = app.test_client()
    here = f"http://127.0.0.1:{PORT}"
    client.get(f"/?token={TOKEN}", base_url=here)
    first = client.get("/", base_url=here)
    assert first.status_code == 200
    assert "AWS is being asked" in first.text
    assert "EventSource" in first.text
    answers.set()
    stream = client.get("/live", base_url=here, buffered=False).iter_encoded()
    assert "1 job: 1 finished." in next(iter(stream)).decode()


def test_what_was_seen_last_is_shown_with_its_time_while_a_look_takes_long() -> None:
    time, answers = Time(), Event()
    looks = Looks(clock=lambda: time.now, patience=0.01)

    def look() -> str:
        assert answers.wait(60)
        return "new"

    assert looks.now("x", lambda: "old").view == "old"
    time.pass_by(10)
    shown = looks.soon("x", look)
    assert shown is not None
    assert shown.view == "old"
    answers.set()
    assert looks.now("x", look).view == "new"


def test_what_a_look_raises_is_raised_and_not_kept() -> None:
    looks = Looks(patience=60)

    def broken() -> Any:
        raise Trouble("AWS is away.", "Wait.")

    with pytest.raises(Trouble):
        looks.soon("x", broken)
    found = looks.soon("x", lambda: "there")
    assert found is not None
    assert found.view == "there"


def test_after_something_was_done_nothing_old_is_shown() -> None:
    looks = Looks(clock=lambda: 1.0, patience=60)
    assert looks.now("x", lambda: "before").view == "before"
    assert looks.now("x", lambda: "after").view == "before"
    looks.forget()
    assert looks.now("x", lambda: "after").view == "after"
