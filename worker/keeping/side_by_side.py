"""What units side by side do in folders that cannot be kept right, so that people are told.

A folder is saved with the mark of any of them, in the midst of the others. What one had appended to
a file of all stands there twice once it is done again, and what it had written under a name of that
moment lies beside what it writes then; whose bytes they are cannot be told. A file that came with a
unit is its own, however often it changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from steadyspot.worker.keeping.listing import File, Listing

_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[147][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}"
    r"(?![0-9a-f])",
    re.IGNORECASE,
)
"""As Spark, Dask, pyarrow and ``uuid4`` make them: by time or at random."""


def unrepeatable(names: Iterable[str]) -> str:
    """The first of these names that no attempt makes again; empty if there is none."""
    return next((name for name in sorted(names) if _UUID.search(name)), "")


class SharedFiles:
    """Remembers of each file that came in this attempt how many units had been begun by then."""

    def __init__(self) -> None:
        self._came: dict[str, int] = {}

    def look(self, before: Listing | None, now: Listing, begun: int, oldest: int) -> str:
        """A file that changed and came before the ``oldest`` unit was begun, if there is one.

        ``before`` was saved last, ``begun`` is how many units were begun by ``now``. ``oldest``
        counts like that, and is 0 where no units are side by side.
        """
        known = _files(before) if before else {}
        found = ""
        for path, file in _files(now).items():
            older = known.get(path)
            if older is None:
                self._came[path] = begun
            elif (
                older is not file
                and self._came.get(path, oldest) < oldest
                and _differs(file, older)
            ):
                found = found or path
        return found


def _files(listing: Listing) -> dict[str, File]:
    return {file.path: file for file in listing.files if file.kind == "file"}


def _differs(one: File, other: File) -> bool:
    return (one.size, one.mtime_ns, one.data) != (other.size, other.mtime_ns, other.data)
