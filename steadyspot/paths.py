"""Files and folders as the job's API and the supervisor alike see and remove them."""

from __future__ import annotations

import contextlib
import os
import re

_LOG = re.compile(r"(?<![a-z])logs?(?![a-z])", re.IGNORECASE)


def is_log_name(path: str) -> bool:
    """Whether a file is a log by its name: one is added to all the time, and right in part."""
    return bool(_LOG.search(os.path.basename(path)))


def holds_something(folder: str) -> bool:
    """Whether there is anything in a folder, whose name may be empty."""
    with contextlib.suppress(OSError):
        return bool(folder and os.listdir(folder))
    return False


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, a link or a whole folder, if it is there. Raises ``OSError``."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            import shutil  # A job that only loads its run seldom needs it.

            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def stamps(folder: str) -> dict[str, tuple[int, int, int, int]]:
    """What tells each file below from another and from itself once changed, by relative path.

    Inode, size, times of modification and change in nanoseconds.
    """
    found: dict[str, tuple[int, int, int, int]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            try:
                seen = os.lstat(path)
            except OSError:
                continue
            stamp = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
            found[os.path.relpath(path, folder)] = stamp
    return found
