"""What half-made files mean for a checkpoint: it is taken without them.

A program that finds such a file may take it for done, and one that finds none makes it. Where
nobody knows whether a file is whole, what changed beside it later decides: a program that notes
elsewhere what is done would miss it. Only a file can be such a note, and one that says by its name
what it is there for is none: a log, a lock, the id of a process. Which files are half-made is found
out elsewhere.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from steadyspot.paths import is_log_name
from steadyspot.worker.keeping.scanning import Seen, Tree, names_of

HALF_MADE = "nobody had finished it"

OF_A_PROCESS = re.compile(r"(?<![a-z])(pid|lock|lck)(?![a-z])", re.IGNORECASE)
"""In the name of what a process has there while it runs."""


class Proof(NamedTuple):
    """From when on and until when a change beside a file proves it whole; at first: none ever.

    In nanoseconds since the epoch.
    """

    since_ns: float = math.inf
    until_ns: float = math.inf


def without_half_made(tree: Tree, root: str, half_made: Mapping[str, Proof]) -> Tree:
    """What was seen below ``root`` but for ``half_made`` files, which are named as such.

    They come as real paths, each with when a note below ``root`` proves it whole. Other names of
    such a file are half-made as it is.
    """
    if not half_made:
        return tree
    paths: dict[str, Proof] = {}
    for path, proof in half_made.items():
        for name in names_of([path], root, tree.entries):
            paths[name] = max(proof, paths.get(name, proof))
    noted = [
        seen.ctime_ns
        for path, seen in tree.entries.items()
        if path not in paths and _is_note(path, seen)
    ]
    proved = {
        (since_ns, until_ns)
        for since_ns, until_ns in set(paths.values())
        if any(since_ns <= at < until_ns for at in noted)
    }
    out = {path: HALF_MADE for path, proof in paths.items() if proof not in proved}
    entries = {path: seen for path, seen in tree.entries.items() if path not in out}
    return Tree(entries, tree.unreadable | out)


def _is_note(path: str, seen: Seen) -> bool:
    """Whether a program may note in an entry what is done."""
    name = os.path.basename(path)
    return seen.kind == "file" and not (is_log_name(name) or OF_A_PROCESS.search(name))
