"""Takes out of a Pipfile.lock where the packages came from.

A lock without sources installs from wherever pip is set up to look, on a laptop as behind a
company's mirror; the hashes in it still hold every file to what was locked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Rewrite the lock at ``path`` in place."""
    lock = json.loads(path.read_text("utf-8"))
    lock["_meta"]["sources"] = []
    for section in lock.keys() - {"_meta"}:
        for package in lock[section].values():
            package.pop("index", None)
    path.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
