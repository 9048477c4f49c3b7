"""What half-made files mean for a checkpoint: it is taken without them.

A program that finds such a file may take it for done, and one that finds none makes it. Where
nobody knows whether a file is whole, what changed beside it later decides: a program that notes
elsewhere what is done would miss it. Which files are half-made is found out elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from steadyspot.worker.keeping.scanning import Tree

HALF_MADE = "nobody had finished it"


def without_half_made(tree: Tree, root: str, half_made: Mapping[str, float]) -> Tree:
    """What was seen below ``root`` but for ``half_made`` files, which are named as such.

    They come as real paths, each with the instant (nanoseconds since the epoch) from which on a
    change of anything else below ``root`` proves it whole.
    """
    if not half_made:
        return tree
    real = os.path.realpath(root)
    paths = {os.path.relpath(path, real): since for path, since in half_made.items()}
    newest = max(
        (seen.ctime_ns for path, seen in tree.entries.items() if path not in paths), default=0
    )
    out = {
        path: HALF_MADE for path, since in paths.items() if path in tree.entries and newest < since
    }
    entries = {path: seen for path, seen in tree.entries.items() if path not in out}
    return Tree(entries, tree.unreadable | out)
