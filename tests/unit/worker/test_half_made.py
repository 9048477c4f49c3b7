"""What a checkpoint leaves out as half-made, and what proves a file whole after all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from steadyspot.worker.keeping.half_made import HALF_MADE, Proof, without_half_made
from steadyspot.worker.keeping.scanning import Seen, Tree

TOLD_NS = 1000


def _tree(**changed_ns: int) -> Tree:
    """Files and when each last changed, in a folder that was there long before."""
    entries = {name: Seen("file", 0o644, ctime_ns=when) for name, when in changed_ns.items()}
    return Tree({"": Seen("folder", 0o755, ctime_ns=1), **entries}, {"locked": "why"})


def _left_out(tree: Tree, half_made: dict[str, Proof], root: Path) -> set[str]:
    real = os.path.realpath(root)
    found = without_half_made(tree, str(root), {f"{real}/{n}": at for n, at in half_made.items()})
    out = {path for path, why in found.unreadable.items() if why == HALF_MADE}
    assert found.unreadable["locked"] == "why"
    assert found.entries == {path: s for path, s in tree.entries.items() if path not in out}
    return out


def test_file_that_is_being_made_is_left_out_whatever_changes_beside_it(tmp_path: Path) -> None:
    tree = _tree(a=5, b=TOLD_NS + 1)
    assert _left_out(tree, {"a": Proof()}, tmp_path) == {"a"}


@pytest.mark.parametrize(
    ("beside_ns", "out"), [(TOLD_NS - 1, {"a"}), (TOLD_NS, set()), (TOLD_NS + 1, set())]
)
def test_file_in_doubt_is_whole_once_something_changed_beside_it(
    tmp_path: Path, beside_ns: int, out: set[str]
) -> None:
    tree = _tree(a=TOLD_NS + 5, b=beside_ns)
    assert _left_out(tree, {"a": Proof(TOLD_NS)}, tmp_path) == out


@pytest.mark.parametrize(
    "name", ["log", "run.log", "run_log.1", "a.pid", "x/LOCK", ".lck", ".~lock.a#"]
)
def test_name_of_what_is_no_note_proves_nothing(tmp_path: Path, name: str) -> None:
    tree = _tree(**{"a": TOLD_NS + 5, name: TOLD_NS + 6})
    assert _left_out(tree, {"a": Proof(TOLD_NS)}, tmp_path) == {"a"}


@pytest.mark.parametrize("name", ["done", "catalog", "rapid", "blocked.csv", "x/log/done"])
def test_other_name_proves_it_whole(tmp_path: Path, name: str) -> None:
    tree = _tree(**{"a": TOLD_NS + 5, name: TOLD_NS + 6})
    assert _left_out(tree, {"a": Proof(TOLD_NS)}, tmp_path) == set()


def test_folder_that_changed_proves_nothing(tmp_path: Path) -> None:
    tree = _tree(a=TOLD_NS + 5)
    for folder in ("", "b"):
        tree.entries[folder] = Seen("folder", 0o755, ctime_ns=TOLD_NS + 6)
    assert _left_out(tree, {"a": Proof(TOLD_NS)}, tmp_path) == {"a"}


@pytest.mark.parametrize(("beside_ns", "out"), [(TOLD_NS + 9, set()), (TOLD_NS + 10, {"a"})])
def test_change_after_the_job_has_ended_proves_nothing(
    tmp_path: Path, beside_ns: int, out: set[str]
) -> None:
    tree = _tree(a=TOLD_NS + 5, b=beside_ns)
    assert _left_out(tree, {"a": Proof(TOLD_NS, TOLD_NS + 10)}, tmp_path) == out


def test_files_in_doubt_prove_nothing_of_each_other(tmp_path: Path) -> None:
    tree = _tree(a=TOLD_NS + 5, b=TOLD_NS + 6, c=TOLD_NS + 7)
    assert _left_out(tree, {"a": Proof(TOLD_NS), "b": Proof(TOLD_NS), "c": Proof()}, tmp_path) == {
        "a",
        "b",
        "c",
    }


def test_each_name_of_a_half_made_file_is_left_out_and_proves_nothing(tmp_path: Path) -> None:
    """As of a file that changes after the instant in doubt, with another name beside it."""
    seen = Seen("file", 0o644, ctime_ns=TOLD_NS + 5, inode=7, device=1, links=3)
    other = seen._replace(ctime_ns=1, device=2)
    tree = _tree(c=5)
    tree.entries.update(a=seen, b=seen, other=other)
    assert _left_out(tree, {"a": Proof(TOLD_NS)}, tmp_path) == {"a", "b"}
    assert _left_out(tree, {"a": Proof(TOLD_NS), "b": Proof()}, tmp_path) == {"a", "b"}


def test_folder_is_found_by_a_link_to_it_and_what_is_gone_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert _left_out(_tree(a=5), {"a": Proof(), "gone": Proof(0)}, tmp_path / "link") == {"a"}
