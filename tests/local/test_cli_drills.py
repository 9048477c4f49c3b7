"""Every drill as a command of its own, to its end or to Ctrl-C; what it broke is whole again."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from steadyspot.deploy.local.images import WORKER_IMAGE
from tests.local.forks import Forked
from tests.local.runs import DEADLINE_SECONDS, eventually
from tests.local.shop import Shop, left

PARKED = (
    "the execution ended as FAILED",
    "an attempt was stopped as {cause}",
    "the record says unfinished",
    "the run waits in the dead-letter queue",
    "people were told",
)
REDRIVEN = (
    "redriven, run {key} ended as SUCCEEDED",
    "its record says complete",
    "the queue is empty again",
)
RESUMED = (
    "the execution ended as SUCCEEDED",
    "the run's record says complete",
    "an attempt was stopped as {cause}",
    "people were told",
)
FOUND = {
    "interrupt": (*RESUMED, "the worker took SIGQUIT, which its image has sent, as a stop"),
    "no-capacity": (*RESUMED,),
    "slow-launch": (*RESUMED,),
    "overlap": (
        "the second run ended as SUCCEEDED",
        "it began once the first one had ended",
        "both records say complete",
        "people were told",
    ),
    "shards": (
        "the execution ended as SUCCEEDED",
        "the run's record says complete",
        "each of its 4 shards is complete",
        "shards 0 and 2 were stopped as reclaimed, and no other",
        "people were told",
    ),
    "after": (
        "the first one's run ended as SUCCEEDED",
        "the other one's run of the same time began by itself",
        "it ended as SUCCEEDED",
        "people were told",
        "explain says that it comes after {first} (complete)",
    ),
    "deregister": (*PARKED, *REDRIVEN),
    "bad-image": (*PARKED, *REDRIVEN),
    "hang": (*PARKED, "no task of it runs on"),
    "sidecar": (
        "the execution ended as SUCCEEDED",
        "the run's record says complete",
        "one attempt was enough",
        "people were told",
    ),
    "undeliverable": (
        "the start that was refused lies in the dead-letter queue",
        "its alarm told people",
        *REDRIVEN,
        "the scheduled time has a complete run",
    ),
    "short-grace": (*RESUMED, "the worker took SIGTERM, which its image has sent, as a stop"),
}
CAUSES = {
    "interrupt": "reclaimed",
    "no-capacity": "no-capacity",
    "slow-launch": "launch-given-up",
    "deregister": "definition-inactive",
    "bad-image": "image-missing",
    "hang": "time-limit",
    "short-grace": "reclaimed",
}
OF_THE_JOB_ITSELF = ("interrupt", "no-capacity", "undeliverable")


@pytest.fixture
def before(shop: Shop) -> Iterator[dict[str, Any]]:
    """What is there before a drill, and has to be there after it."""
    found = left(shop)
    yield found
    assert left(shop) == found
    assert not waiting(shop)


def waiting(shop: Shop) -> int:
    """How many messages are in the job's queue, in whatever state."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    shown = shop.target.client("sqs").get_queue_attributes(
        QueueUrl=shop.outputs["Queue"], AttributeNames=list(names)
    )["Attributes"]
    return sum(int(shown[name]) for name in names)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("name", FOUND)
def test_a_drill_ends_well_tells_people_and_puts_everything_back(
    shop: Shop, begin: Callable[..., Forked], name: str
) -> None:
    mails = len(shop.aws.outbox.mails())
    image = shop.aws.images.find(WORKER_IMAGE)
    assert image
    if name == "interrupt":  # As an image has it that is made from one with a STOPSIGNAL.
        number = signal.SIGQUIT
        shop.aws.images.register(WORKER_IMAGE, workdir=image.workdir, stop_signal=number)
    drill = begin("drill", name, "--yes")
    said, _ = drill.communicate(timeout=100)
    shop.aws.images.register(WORKER_IMAGE, workdir=image.workdir)
    assert drill.returncode == 0, said
    found = [line.removeprefix("ok").strip() for line in said.splitlines() if line[:2] == "ok"]
    assert re.fullmatch(
        r"it took \d+ s from the (fault|first run|first start) to here", found.pop()
    )
    key = next((line.split()[2] for line in found if line.startswith("redriven, run ")), "")
    first = next((line.split()[-1] for line in said.splitlines() if "deploys the copy" in line), "")
    given = {"cause": CAUSES.get(name), "key": key, "first": first}
    assert found == [line.format(**given) for line in FOUND[name]]
    assert "NOT OK" not in said
    subjects = [mail.subject for mail in shop.aws.outbox.mails()[mails:]]
    assert any(("night" if name in OF_THE_JOB_ITSELF else "drill-") in s for s in subjects)
    assert any("cli-night-parked" in s for s in subjects) == (name == "undeliverable")
    if name in OF_THE_JOB_ITSELF:
        assert shop.json("runs")[0]["status"] == "complete"


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize(
    ("name", "moment", "stop"),
    [
        ("interrupt", "is accepted in", signal.SIGINT),
        ("no-capacity", "attempt 1 was refused", signal.SIGHUP),
        ("deregister", "is parked", signal.SIGTERM),
        ("undeliverable", "lies in the dead-letter queue", signal.SIGINT),
    ],
)
def test_a_signal_in_the_middle_of_a_drill_puts_everything_back(
    shop: Shop, begin: Callable[..., Forked], name: str, moment: str, stop: signal.Signals
) -> None:
    drill = begin("drill", name, "--yes")
    assert drill.stdout
    read_until(drill.stdout, moment)
    drill.send_signal(stop)
    said, _ = drill.communicate(timeout=DEADLINE_SECONDS)
    assert drill.returncode == 128 + stop, said
    how = "Ctrl-C" if stop == signal.SIGINT else stop.name
    assert f"Stopped by {how}; everything is put back." in said
    assert "Traceback" not in said
    assert "What AWS was told" not in said
    shop.settle()
    if name == "no-capacity":
        assert "refused" not in shop.verb("run")


@pytest.mark.usefixtures("before")
def test_sigterm_puts_everything_back_as_ctrl_c_does(begin: Callable[..., Forked]) -> None:
    drill = begin("drill", "deregister", "--yes")
    assert drill.stdout
    read_until(drill.stdout, "is claimed")
    drill.send_signal(signal.SIGTERM)
    said, _ = drill.communicate(timeout=DEADLINE_SECONDS)
    assert drill.returncode == 143, said
    assert "removes the copy" in said
    assert "Stopped by SIGTERM; everything is put back." in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("before")
def test_terminal_that_closes_puts_everything_back(begin: Callable[..., Forked]) -> None:
    """The kernel sends SIGHUP, and whatever is printed from then on is an error."""
    ours, its = pty.openpty()
    drill = begin("drill", "deregister", "--yes", terminal=its)
    os.close(its)
    said = b""
    while b"is claimed" not in said:
        said += os.read(ours, 4096)
    os.close(ours)
    # Whichever comes first: the signal, or a line that cannot be printed any more.
    assert drill.wait(DEADLINE_SECONDS) in (128 + signal.SIGHUP, 1)


@pytest.mark.usefixtures("before")
def test_ctrl_c_again_while_a_copy_is_removed_waits_until_it_is_gone(
    begin: Callable[..., Forked],
) -> None:
    drill = begin("drill", "deregister", "--yes")
    assert drill.stdout
    read_until(drill.stdout, "is claimed")
    drill.send_signal(signal.SIGINT)
    read_until(drill.stdout, "removes the copy")
    for _ in range(5):
        drill.send_signal(signal.SIGINT)
    said, _ = drill.communicate(timeout=DEADLINE_SECONDS)
    assert drill.returncode == 130, said
    assert "Stopped by Ctrl-C; everything is put back." in said


def test_what_a_drill_found_until_ctrl_c_is_in_its_json(
    shop: Shop, begin: Callable[..., Forked]
) -> None:
    drill = begin("drill", "undeliverable", "--yes", "--json")
    eventually(lambda: waiting(shop))
    drill.send_signal(signal.SIGINT)
    said, _ = drill.communicate(timeout=DEADLINE_SECONDS)
    assert drill.returncode == 130, said
    told = json.loads(said.splitlines()[0])
    assert (told["drill"], told["whole"]) == ("undeliverable", False)


def read_until(lines: Iterator[str], text: str) -> None:
    """Read what a drill prints up to a line with this text."""
    read = []
    for line in lines:
        read.append(line)
        if text in line:
            return
    raise AssertionError("".join(read))
