"""What is sent for many small files and for large ones, counted in calls and bytes."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from steadyspot.worker.keeping.listing import Block, File, Listing, Piece
from steadyspot.worker.keeping.packing import (
    BLOCK_BYTES,
    DATA_BYTES,
    MOST_SMALL_PACKS,
    PACK_BYTES,
    REWRITTEN_BYTES,
    SMALL_BYTES,
    SMALL_PACK_BYTES,
    packs,
    spans,
    worn,
)
from tests.unit.worker.test_checkpoint_folder import POOL, Kept, nothing


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    (tmp_path / "state").mkdir()
    return Kept(tmp_path / "state", tmp_path)


def sent(kept: Kept, running: bool = True) -> tuple[Listing, int, int]:
    """Save; what the listing is then, how many objects were put, and how many bytes."""
    kept.calls.clear()
    before = dict(kept.world.objects)
    listing = kept.save(running)
    new = [len(body) for key, (body, _) in kept.world.objects.items() if key not in before]
    assert kept.calls.count("put") == len(kept.calls)
    return listing, kept.calls.count("put"), sum(new)


def fill(kept: Kept, files: int, size: int) -> None:
    for number in range(files):
        (kept.root / f"{number % 7}").mkdir(exist_ok=True)
        (kept.root / f"{number % 7}" / f"{number}").write_bytes(os.urandom(size))


def same(kept: Kept, listing: Listing) -> bool:
    back = kept.restore(listing)
    paths = [path.relative_to(kept.root) for path in kept.root.rglob("*") if path.is_file()]
    assert len(paths) == sum(path.is_file() for path in back.rglob("*"))
    return all((back / p).read_bytes() == (kept.root / p).read_bytes() for p in paths)


@pytest.mark.parametrize("running", [True, False], ids=["running", "ended"])
def test_small_files_cost_a_call_for_some_mebibytes_and_none_when_nothing_changed(
    kept: Kept, running: bool
) -> None:
    fill(kept, 2_000, 3_000)

    listing, calls, size = sent(kept, running)
    assert (calls, size) == (2, 6_000_000)
    assert sent(kept, running)[1:] == (0, 0)
    (kept.root / "3" / "3").write_bytes(b"x" * 20_000)
    changed, calls, size = sent(kept, running)
    assert (calls, size) == (1, 20_000)

    kept.calls.clear()
    assert same(kept, changed)
    assert kept.calls == ["get"] * 3
    assert len(listing.body) < 2_000 * 70


def test_few_bytes_travel_in_the_listing_until_there_are_more(kept: Kept) -> None:
    for number in range(4):
        (kept.root / f"{number}").write_bytes(os.urandom(DATA_BYTES // 4))
    assert sent(kept)[1:] == (0, 0)
    (kept.root / "more").write_bytes(b"x")
    listing, calls, size = sent(kept)

    assert (calls, size) == (1, DATA_BYTES + 1)
    assert not any(file.data for file in listing.files)
    assert same(kept, listing)


@pytest.mark.parametrize("running", [True, False], ids=["running", "ended"])
def test_of_a_large_file_only_blocks_that_changed_are_sent(kept: Kept, running: bool) -> None:
    large = kept.root / "base"
    large.write_bytes(os.urandom(3 * BLOCK_BYTES + 1_000_000).replace(b"!", b"?"))
    assert sent(kept, running)[1] == 4

    with large.open("r+b") as file:
        file.seek(BLOCK_BYTES + 5)
        file.write(b"!")
    assert sent(kept, running)[1:] == (1, BLOCK_BYTES)
    with large.open("ab") as file:
        file.write(b"more")
    assert sent(kept, running)[1:] == (1, 1_000_004)
    large.rename(kept.root / "renamed")
    listing, calls, _ = sent(kept, running)
    assert calls == 0
    assert same(kept, listing)


def test_copies_take_no_room_for_blocks_that_are_known(kept: Kept, tmp_path: Path) -> None:
    large = kept.root / "base"
    large.write_bytes(os.urandom(2 * BLOCK_BYTES))
    kept.save()
    with large.open("r+b") as file:
        file.write(b"!")
    kept.folder.capture(True, nothing, POOL)

    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) == BLOCK_BYTES


def test_database_that_is_written_in_place_comes_back_whole(kept: Kept) -> None:
    base = sqlite3.connect(kept.root / "base.sqlite")
    base.execute("create table t (n integer primary key, text text)")
    base.executemany("insert into t (text) values (?)", [("x" * 1000,)] * 12_000)
    base.commit()
    kept.save()
    base.execute("update t set text = 'changed' where n = 6000")
    base.commit()
    listing, _, size = sent(kept)
    assert size <= 2 * BLOCK_BYTES

    back = sqlite3.connect(kept.restore(listing) / "base.sqlite")
    assert back.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert back.execute("select text from t where n = 6000").fetchall() == [("changed",)]
    back.close()
    base.close()


def test_small_files_that_change_for_long_leave_few_objects_and_little_garbage(kept: Kept) -> None:
    """Each save changes some; what no save names any more would be deleted."""
    chance = random.Random(20261124)
    fill(kept, 300, 9_000)
    most = 0
    for _ in range(60):
        for number in chance.sample(range(300), 4):
            (kept.root / f"{number % 7}" / f"{number}").write_bytes(chance.randbytes(9_000))
        listing, _, size = sent(kept)
        most = max(most, size)
        assert len(listing.blocks) <= MOST_SMALL_PACKS + 3
        assert listing.size <= 3 * 300 * 9_000
    assert most <= 2 * 300 * 9_000
    assert same(kept, listing)


def test_spans_cover_a_file() -> None:
    for size in (1, SMALL_BYTES, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES):
        found = spans("path", size)
        assert [span.start for span in found] == list(range(0, size, BLOCK_BYTES))
        assert sum(span.size for span in found) == size
    assert spans("path", 0) == []


def test_packs_are_filled_in_order_and_never_larger_than_a_pack() -> None:
    chance = random.Random(7)
    sizes = [chance.randrange(1, SMALL_BYTES) for _ in range(500)]

    found = list(packs(sizes))

    assert [number for pack in found for number in pack] == list(range(500))
    assert all(sum(sizes[n] for n in pack) <= PACK_BYTES for pack in found)
    assert len(found) <= 1 + 2 * sum(sizes) // PACK_BYTES


def _packed(name: str, size: int, needed: int, each: int = 100_000) -> list[File]:
    block = Block(name, name, size)
    return [
        File(f"{name}/{at}", "file", 0o644, each, pieces=(Piece(block, at, each),))
        for at in range(0, needed, each)
    ]


def test_packs_that_are_mostly_garbage_are_written_anew() -> None:
    half, more = _packed("half", 4_000_000, 2_000_000), _packed("more", 4_000_000, 2_100_000)

    assert {block.key for block in worn([*half, *more])} == {"half"}


def test_small_packs_are_put_together_once_there_are_many() -> None:
    few = [f for n in range(MOST_SMALL_PACKS) for f in _packed(str(n), 100_000, 100_000)]

    assert worn(few) == set()
    assert len(worn([*few, *_packed("one more", 100_000, 100_000)])) == MOST_SMALL_PACKS + 1
    assert worn(_packed("large", SMALL_PACK_BYTES, SMALL_PACK_BYTES)) == set()


def test_no_more_is_written_anew_at_one_save_than_its_bound() -> None:
    """Those with the most garbage come first."""
    files = [f for n in range(40) for f in _packed(str(n), 4_000_000, 2_000_000 - n * 20_000)]

    found = worn(files)

    needed = sum(file.size for file in files if file.pieces[0].block in found)
    assert REWRITTEN_BYTES - PACK_BYTES < needed <= REWRITTEN_BYTES
    assert "39" in {block.key for block in found}


def test_large_files_are_never_written_anew_for_their_garbage() -> None:
    block = Block("large", "large", BLOCK_BYTES)
    file = File("large", "file", 0o644, SMALL_BYTES, pieces=(Piece(block, 0, SMALL_BYTES),))

    assert worn([file]) == set()
