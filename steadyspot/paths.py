"""Removing what may be a file or a folder, for the job's API and the supervisor alike."""

from __future__ import annotations

import os


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
