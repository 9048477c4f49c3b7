"""What lies below a folder at one look, and what there is in it that cannot be looked at.

A folder is walked while a job may write, remove and lock things in it: what goes away meanwhile is
simply not there, and what cannot be read is named with why, so that one such thing spoils no save.
What is made of it is decided elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from steadyspot.worker.errors import shortage

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What is said of a path where there is nothing, or a link, since it was last looked at."""


class Seen(NamedTuple):
    """What tells whether an entry changed since it was last looked at.

    The kind ``other`` stands for pipes, sockets and devices, which hold nothing to save.
    """

    kind: str
    mode: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    links: int = 1
    target: str = ""


class Tree(NamedTuple):
    """Entries by relative path, and by path why something could not be looked at.

    The folder itself is an entry unless it is empty; its path is empty.
    """

    entries: dict[str, Seen]
    unreadable: dict[str, str]


def scan(root: str, before: Callable[[str], Seen | None] = lambda _: None) -> Tree:
    """Everything below. Raises ``OSError`` where the folder itself cannot be read at all.

    ``before`` gives what was seen of a path. What is as it was is the same object: of many files,
    two would take much memory, and the same are quickly compared.
    """
    tree = Tree({}, {})
    folders = [""]
    while folders:
        folder = folders.pop()
        place = os.path.join(root, folder)
        try:
            with os.scandir(place) as there:
                entries = list(there)
            if not folder and entries:
                tree.entries[""] = _seen(os.stat(place), place)
        except OSError as error:
            if not folder and error.errno not in GONE:
                raise
            _note(tree, folder, error)
            continue
        above = f"{folder}/" if folder else ""
        for entry in entries:
            path = above + entry.name
            try:
                found = entry.stat(follow_symlinks=False)
                seen = tree.entries[path] = _seen(found, entry.path, before(path))
            except OSError as error:
                _note(tree, path, error)
                continue
            if seen.kind == "folder":
                folders.append(path)
    return tree


def look(path: str) -> Seen | None:
    """One entry, none where it is not there or cannot be looked at."""
    try:
        return _seen(os.lstat(path), path)
    except OSError:
        return None


def names_of(paths: Iterable[str], root: str, entries: Mapping[str, Seen]) -> set[str]:
    """All names among the entries below ``root`` of files, which come as real paths."""
    real = os.path.realpath(root)
    found = {path for path in (os.path.relpath(one, real) for one in paths) if path in entries}
    linked = {(seen.device, seen.inode) for path in found if (seen := entries[path]).links > 1}
    if linked:
        found |= {
            path
            for path, seen in entries.items()
            if seen.links > 1 and (seen.device, seen.inode) in linked
        }
    return found


def _note(tree: Tree, path: str, error: OSError) -> None:
    if shortage(error) is not None:
        raise error
    if error.errno not in GONE:
        tree.unreadable[path] = os.strerror(error.errno or 0)


def _seen(found: os.stat_result, path: str, known: Seen | None = None) -> Seen:
    """What was found in a path; what is ``known`` of it where that is the same."""
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISREG(found.st_mode):
        fields = (
            "file",
            mode,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_ino,
            found.st_dev,
            found.st_nlink,
            "",
        )
        return known if known is not None and known == fields else Seen(*fields)
    if stat.S_ISDIR(found.st_mode):
        seen = Seen("folder", mode, 0, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    elif stat.S_ISLNK(found.st_mode):
        seen = Seen("link", mode, target=os.readlink(path))
    else:
        seen = Seen("other", mode)
    return known if known is not None and known == seen else seen
