"""A bad night as reviewed: reclaim, drought, deadline passed, failure; each text true then.

Mails and verbs in the order in which somebody on call meets them, at 80 columns.
``python -m tests.unit.deploy.test_bad_night`` writes the text anew, to be read before it is
committed.
"""

from __future__ import annotations

import contextlib
import io
import json
import textwrap
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.runs.evidence import explanation_of, show
from steadyspot.deploy.runs.following import watch
from steadyspot.deploy.schedules.zones import offsets_of
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.nights import Night
from tests.unit.statemachines.test_at_the_deadline import LateWorld, machine
from tests.unit.statemachines.test_causes import ESSENTIAL
from tests.unit.statemachines.test_random_outcomes import stop
from tests.virtual.machine import iso
from tests.virtual.world import REFUSED, Launch, Offer

REVIEWED = Path(__file__).parent / "golden" / "bad-night.txt"
START = 1_795_485_600.0
WIDTH = 80
RECLAIM = Offer(
    ends_after=900.0,
    stop=stop("SpotInterruption", "Your Spot Task was interrupted."),
    exit_code=143,
)
FAILS = Offer(ends_after=3_000.0, stop=stop(*ESSENTIAL), exit_code=3, reason="failed")
PRINTED = ["Traceback (most recent call last):", "OSError: no such table"]
VERBS: dict[str, dict[str, Any]] = {
    "runs": {"most": 20},
    "logs": {
        **{"run": None, "shard": None, "follow": False, "since": None, "attempt": None},
        "tail": None,
    },
}
LOOKS = {
    600: ("watch", "runs"),
    1_300: ("explain", "runs"),
    2_200: ("watch", "runs"),
    4_560: ("watch", "explain"),
    5_220: ("explain", "runs", "logs"),
}
"""By the second of the night: what somebody types then."""


def night() -> Night:
    met = {"spot": [RECLAIM], "on-demand": [Offer(error=REFUSED), FAILS]}

    def market(launch: Launch, _left: float) -> Offer:
        left = met[launch.capacity]
        return left.pop(0) if left else Offer(error=REFUSED)

    world = Night(START, market)
    world.printed = ["unit 12 begun", *PRINTED]
    request = {
        "scheduledTime": "2026-11-24T02:00:00Z",
        "finishWithinMinutes": 75,
        "expectedMinutes": 40,
    }
    world.pass_by(request)
    for text in world.printed:
        world._print(world.ended_at - 20, text)
    return world


def late(world: Night) -> tuple[float, str, str]:
    """The mail of the machine that waits for the deadline, and when it came."""
    other = LateWorld(execution=world.execution)
    other.now = START
    event = {
        "executionArn": other.item["execution"]["S"],
        "name": "x",
        "startDate": round(START * 1000),
        "input": json.dumps(world.request),
    }
    assert (
        machine(75, offsets_of("Europe/Berlin")).run(other, event, name="y").status == "SUCCEEDED"
    )
    (mail,) = other.mails
    return other.told_at, mail["Subject"], json.loads(mail["Message"])["email"]


def typed(world: Night, verb: str, now: float) -> str:
    """What a verb prints at a moment; `watch` is left with Ctrl-C while the run goes on."""
    out = io.StringIO()
    screen = Screen(
        Console(file=out, width=WIDTH, force_terminal=True, color_system=None, highlight=False)
    )
    target, at = world.target_at(now), datetime.fromtimestamp(now, UTC)
    (job,) = target.config.jobs.values()
    try:
        with contextlib.suppress(SystemExit):
            if verb == "watch":
                how: dict[str, Any] = {"logs": False, "machine": False, "clock": lambda: at}
                watch(target, screen, job, world.execution, **how)
            elif verb == "explain":
                show(screen, explanation_of(target, job, None, at), job, Prices())
            else:
                command = import_module(f"steadyspot.deploy.cli.verbs.{verb}").command
                command.callback.__wrapped__(
                    target, screen, job="night", machine=False, **VERBS[verb]
                )
    except Trouble as trouble:
        screen.say(trouble.what)
        screen.say(trouble.what_to_do)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def mail_of(text: str) -> str:
    """A mail as a client shows it, which folds what is longer than a line; addresses are not."""
    lines = (
        textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        if "https://" not in line
        else [line]
        for line in text.splitlines()
    )
    return "\n".join(one for folded in lines for one in folded)


def told() -> str:
    """All of the night, each with when it came."""
    world = night()
    mails = [(at, subject, mail_of(text)) for at, subject, text in (*world.told, late(world))]
    looks = [
        (START + second, f"$ steadyspot {verb} night", typed(world, verb, START + second))
        for second, verbs in LOOKS.items()
        for verb in verbs
    ]
    met = sorted([*mails, *looks], key=lambda one: one[0])
    parts = (f"=== {iso(at)[11:16]} UTC  {title}\n\n{text}" for at, title, text in met)
    return "\n\n".join(parts) + "\n"


def test_a_bad_night_is_told_as_reviewed() -> None:
    assert told() == REVIEWED.read_text("utf-8")


if __name__ == "__main__":
    REVIEWED.write_text(told(), "utf-8")
