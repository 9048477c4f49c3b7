"""A whole attempt in one thread, as tests drive it: open, do units, save each, commit."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable

from steadyspot.contract import Env
from steadyspot.worker.errors import WorkerError
from steadyspot.worker.keeping.attempt import About, Attempt
from steadyspot.worker.keeping.commit import OutputsLost
from steadyspot.worker.keeping.fence import Fence
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.uploads import expected_etag
from steadyspot.worker.keeping.warnings import Warnings
from steadyspot.worker.log import Log
from tests.unit.worker.fakes import FakeBucket, FakeTable, Gate, Inline, World, straight

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:job:one"
ENVIRONMENT: dict[str, str] = {
    Env.JOB: "job",
    Env.RUN_KEY: "key",
    Env.EXECUTION: EXECUTION,
    Env.FENCE: "10001",
    Env.TABLE: "table",
    Env.BUCKET: "bucket",
}
"""What the state machine gives a first attempt, for a worker whose AWS is in memory."""
PREFIX = "outputs/job/key/"


def new_world() -> World:
    """A run that was just claimed."""
    world = World()
    world.item = {"status": "running", "execution": EXECUTION, "claims": 1}
    return world


def attempt(
    world: World,
    fence: int,
    gate: Gate = straight,
    holder: str = "",
    execution: str = EXECUTION,
    clock: Callable[[], float] | None = None,
) -> Attempt:
    """Return an attempt; without a clock of its own, time goes on by a second at each look."""
    about = About("job", "key", execution, fence, fence % 10_000, "0" * 64)
    ticks = iter(range(1_000_000))
    return Attempt(
        about,
        Fence(FakeTable(world, gate), execution, fence, holder or f"holder-{fence}"),
        FakeBucket(world, gate),
        Inline(),
        lambda: "2026-11-24T02:00:00.000Z",
        clock or (lambda: float(next(ticks))),
        0.0,
        warnings=Warnings(Log(descriptor=-1)),
    )


def visible(world: World) -> dict[str, bytes]:
    """What people see of the run, by name, its completion record among it."""
    return {
        key.removeprefix(PREFIX): data
        for key, (data, _) in world.objects.items()
        if key.startswith(PREFIX)
    }


def content(unit: str) -> bytes:
    """What a unit's output holds, whoever makes it."""
    return f"the output of {unit}".encode()


def stage(one: Attempt, unit: str) -> Output:
    """Upload a unit's output and leave the upload open."""
    data, name = content(unit), f"{unit}.txt"
    token = f"{one.about.fence}-{unit}"
    upload_id = one.bucket.create(PREFIX + name, token)
    parts = (one.bucket.part(PREFIX + name, upload_id, 1, data, str(zlib.crc32(data))),)
    sha256 = hashlib.sha256(data).hexdigest()
    etag = expected_etag(list(parts))
    return Output(name, PREFIX + name, upload_id, token, len(data), sha256, etag, parts)


def stage_in_pack(one: Attempt, unit: str) -> Output:
    """Put a unit's output into a pack, between others that nobody wants."""
    data, name = content(unit), f"{unit}.txt"
    pack = f"{one.checkpoints}packs/{unit}-{one.about.fence}"
    one.bucket.put(pack, b"before" + data + b"after")
    token, sha256 = f"{one.about.fence}-{unit}", hashlib.sha256(data).hexdigest()
    return Output(
        name, PREFIX + name, "", token, len(data), sha256, "", (), pack=pack, start=len("before")
    )


def work(
    one: Attempt,
    units: list[str],
    durable: Callable[[str], None] = lambda unit: None,
    stage: Callable[[Attempt, str], Output] = stage,
) -> str:
    """Do a whole attempt; how it ended. ``durable`` hears of each unit that counts."""
    try:
        if one.open():
            return "finished a commit"
        for unit in units:
            if one.ledger.history.unit(unit) is not None:
                continue
            one.ledger.open_uploads = {}
            output = stage(one, unit)
            one.ledger.mark(unit, [output], [{"last": unit}])
            saved = one.ledger.snapshot()
            one.save(saved)
            one.ledger.settle(saved)
            durable(unit)
            one.drop_old()
        one.commit()
    except WorkerError as error:
        return type(error).__name__
    except OutputsLost as lost:
        one.undo(lost)
        return "undone"
    return "complete"
