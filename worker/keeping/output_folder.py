"""The folder whose files are published: which of them are finished, new, or left out, and why.

What is published, and when, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Set
from fnmatch import fnmatchcase

from steadyspot.names import BadName, check_name
from steadyspot.worker.keeping.scanning import Seen, Tree, look, names_of, scan

COMPARED_BYTES = 64 << 20

UNFINISHED = (
    "what the job left running in the background had not written it to its end. Have the first"
    " process wait for that ('wait' in a shell)."
)


class OutputFolder:
    """Says which files are new since they were last staged.

    ``ignore`` are patterns: a file is none to publish if its name, or that of a folder it lies in,
    matches one. ``leftovers`` were there before the attempt began, by ``paths.stamps``: no file of
    this attempt.
    """

    def __init__(
        self,
        root: str,
        ignore: tuple[str, ...],
        leftovers: dict[str, tuple[int, int, int, int]],
    ) -> None:
        self.root = root
        self._ignore = ignore
        self._leftovers = leftovers
        self._staged: dict[str, Seen] = {}

    def look(self, held: Callable[[], Set[str]], unfinished: Set[str] = frozenset()) -> Tree:
        """The finished outputs, and what would be one but cannot be published.

        ``held`` gives real paths that can still be written, and is asked once the folder was looked
        at: of what is mapped only then, the first write is told by its times. ``unfinished`` are
        those that could be when what wrote there was ended. Raises ``OSError`` where the folder
        itself cannot be read.
        """
        tree = scan(self.root)
        being_written = names_of(held(), self.root, tree.entries)
        left = names_of(unfinished, self.root, tree.entries)
        unreadable = {p: why for p, why in tree.unreadable.items() if not self._is_ignored(p)}
        outputs = Tree({}, unreadable)
        for path, seen in tree.entries.items():
            if (
                seen.kind != "file"
                or self._is_ignored(path)
                or self._is_left_over(path, seen)
                or path in being_written
            ):
                continue
            if path in left:
                outputs.unreadable[path] = UNFINISHED
                continue
            try:
                outputs.entries[check_name(path)] = seen
            except BadName as bad:
                outputs.unreadable[path] = str(bad)
        return outputs

    def left_out(self) -> dict[str, list[str]]:
        """What is not published though it lies there: why, and the names."""
        found: dict[str, list[str]] = {}
        for path, seen in sorted(scan(self.root).entries.items()):
            if seen.kind == "link":
                found.setdefault("links", []).append(path)
            elif seen.kind == "file" and self._is_ignored(path):
                found.setdefault(f"with names like {' '.join(self._ignore)}", []).append(path)
            elif seen.kind == "file" and self._is_left_over(path, seen):
                found.setdefault("there before the attempt began", []).append(path)
            elif seen.kind == "other":
                found.setdefault("that are no files", []).append(path)
        return found

    def changed(self, now: dict[str, Seen]) -> tuple[dict[str, Seen], set[str]]:
        """Files to stage, and names that went away, of what ``look`` saw."""
        gone = set(self._staged) - set(now)
        return {p: s for p, s in now.items() if self._staged.get(p) != s}, gone

    def forget(self, names: set[str]) -> None:
        """Files that went away are new when they come back."""
        for name in names:
            del self._staged[name]

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def is_gone(self, name: str) -> bool:
        return not os.path.lexists(self.path(name))

    def begins_with(self, name: str, size: int, sha256: str) -> bool:
        """Whether a file begins with so many bytes of that hash; of many, how many is enough."""
        try:
            with open(self.path(name), "rb") as file:
                there = os.fstat(file.fileno()).st_size
                if there < size or size > COMPARED_BYTES:
                    return there >= size
                return hashlib.sha256(file.read(size)).hexdigest() == sha256
        except OSError:
            return True  # Whoever publishes it says so.

    def keep(self, name: str, seen: Seen) -> bool:
        """A file was staged; false when it changed meanwhile and has to be staged again."""
        if look(self.path(name)) != seen:
            return False
        self._staged[name] = seen
        return True

    def _is_ignored(self, path: str) -> bool:
        names = path.split("/")
        return any(fnmatchcase(name, pattern) for name in names for pattern in self._ignore)

    def _is_left_over(self, path: str, seen: Seen) -> bool:
        stamp = (seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns)
        return self._leftovers.get(path) == stamp
