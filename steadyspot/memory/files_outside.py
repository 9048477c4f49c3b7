"""What a program makes of files outside the run's folders, which an attempt after a stop has not.

A resumed attempt begins without what units before the stop had written there: what the program
makes of it lacks those units. So such an attempt listens to which files are read, listed, moved or
given to other programs, by the events that Python raises for that (``sys.addaudithook``), and looks
whether units have left them. Its biggest drawback: what a library reads by itself raises no event,
so that this has to be found by name, see ``files_named``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from glob import iglob
from itertools import islice
from pathlib import Path
from typing import Any

from steadyspot.in_hand import UNIT, InHand
from steadyspot.memory.files_left import FILES, FilesLeft, names_of, stamping_clock
from steadyspot.memory.looking import UNKNOWN

_OFTEN = 2
"""What so many units have left in one file and later ones read is handed on; else it is a cache."""


class FilesOutside:
    """``folders`` and ``outputs`` are the run's, as ``FilesLeft`` takes them.

    ``units``: so many were left out, by one loop or pool; 0 where it is not listened. ``left`` are
    the files that units leave.
    """

    def __init__(self, folders: Iterable[str], outputs: str = "") -> None:
        self.units = 0
        self.left = FilesLeft(folders, outputs)
        self._in_hand: set[InHand] = set()
        self._number = self._begun = 0
        self._writers: dict[str, int] = {}
        self._brought_back: set[str] = set()
        self._handed: dict[str, set[int]] = {}
        self._read: dict[str, bool] = {}
        self._missed: set[str] = set()
        self._open_at_first: set[str] = set()
        self._connected_again: dict[str, bool] = {}
        self._here = threading.local()
        self._is_unclear = False

    def listen(self, units: int, *, of_pool: bool = False) -> None:
        """So many units are left out."""
        self.left.of_pool |= of_pool
        if not self.units:
            self.left.begin()
            self._open_at_first = set(self.left.databases())
            sys.addaudithook(self.hear)
        self.units = max(self.units, units)

    def unit_begins(self, unit: InHand) -> None:
        """A unit begins in this process."""
        if self.units:
            self._in_hand.add(unit)
            self._number += 1
            self._begun = stamping_clock() if unit.before else 0

    def unit_ends(self, unit: InHand) -> None:
        """It has ended."""
        if self.units:
            self._in_hand.discard(unit)
            self.left.unit_ends()

    def read_later(self, *, kept: bool) -> list[str]:
        """Names of files that units have left and the program has read since."""
        return UNKNOWN if self._is_unclear else names_of(self._read.items(), kept=kept)

    def handed_on(self, *, kept: bool) -> list[str]:
        """Names of files in which each unit of a loop reads what those before it have left."""
        return sorted(
            os.path.basename(path)
            for path, units in self._handed.items()
            if len(units) >= _OFTEN and not (kept and path in self._brought_back)
        )

    def databases_again(self, *, kept: bool) -> list[str]:
        """Names of databases to which units have come that those before them have changed."""
        left = (one for one in self.left.databases_left() if one[0] in self._open_at_first)
        return names_of([*left, *self._connected_again.items()], kept=kept)

    def missed(self, error: BaseException | None) -> list[str]:
        """Names of files that units would have left, and for want of which a program has failed."""
        said = ""
        while error and len(said) < FILES:
            said += f"{error}\n"
            error = error.__cause__ or error.__context__
        for path in self.left.absent(said):
            self._miss(path)
        names = set(map(os.path.basename, self._missed))
        return sorted(name for name in names if name in said)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an event; whatever comes of that, the program goes on."""
        try:
            hear = _EVENTS.get(event)
            if hear is None or getattr(self._here, "is_deaf", False):
                return
            if event in _OF_NO_UNIT and self._in_unit():
                return
            with self.deaf():
                hear(self, *arguments)
        except (OSError, TypeError, ValueError):  # Its own call says it, too.
            pass
        except Exception:
            self._is_unclear = True

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """What is done in this thread meanwhile is not the program's."""
        before = getattr(self._here, "is_deaf", False)
        self._here.is_deaf = True
        try:
            yield
        finally:
            self._here.is_deaf = before

    def _in_unit(self) -> bool:
        """Whether a unit does what is heard, which a loop's may do in any thread."""
        here = UNIT.get()
        of_loop = any(unit.before for unit in tuple(self._in_hand))
        return of_loop or (here is not None and not here.ended)

    def _opened(self, path: Any, _mode: object, flags: int) -> None:
        if isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        is_there = os.path.lexists(path)
        if flags & (os.O_TRUNC | os.O_EXCL) or (writes and not is_there):
            self._wrote(path)
        elif not is_there:
            self._miss(path)
        elif stat.S_ISREG(os.stat(path).st_mode):
            if not self._in_unit():
                self._note(path)
            elif flags & os.O_ACCMODE != os.O_WRONLY:
                self._read_in_unit(path)
            if writes:
                self._wrote(path)

    def _read_in_unit(self, path: str) -> None:
        if self.left.was_there(path):
            self._brought_back.add(path)
        elif self.left.is_of_ended_loop(path):
            self._note(path)
        elif self._begun and self.left.find(path):
            writer, changed = self._writers.get(path, 0), os.stat(path).st_mtime_ns
            if 0 < writer < self._number or (not writer and changed < self._begun):
                self._handed.setdefault(path, set()).add(writer or changed)

    def _listed(self, folder: Any) -> None:
        caller = sys._getframe(2)
        module, name = str(caller.f_globals.get("__name__")), caller.f_code.co_name
        if isinstance(folder, int) or module in ("glob", "shutil"):
            return
        if module.startswith("pathlib") and name != "iterdir":
            return  # For a pattern, which is heard by itself.
        there = os.scandir(os.fsdecode(folder or "."))
        self._note(*(entry.path for entry in islice(there, FILES)))

    def _matched(self, pattern: Any, recursive: bool, root: Any, _folder: object) -> None:
        path = os.path.join(os.fsdecode(root or ""), os.fsdecode(pattern))
        self._note(*islice(iglob(path, recursive=recursive), FILES))

    def _matched_below(self, folder: Path, pattern: str) -> None:
        self._note(*map(str, islice(folder.glob(pattern), FILES)))

    def _matched_deep(self, folder: Path, pattern: str) -> None:
        self._matched_below(folder, f"**/{pattern}")

    def _ran(self, _program: Any, arguments: Any, folder: Any, _environment: object) -> None:
        words = [arguments] if isinstance(arguments, str | bytes | os.PathLike) else arguments
        for word in [*words, *([folder] if folder else [])]:
            self._give(os.fsdecode(word), os.fsdecode(folder or ""))

    def _ran_in_shell(self, command: Any) -> None:
        self._give(os.fsdecode(command), "")

    def _connected(self, database: Any) -> None:
        path = os.fsdecode(database).removeprefix("file:")
        if not self._in_unit():
            self._give(path, "")
        elif self._begun:
            self._connected_again |= dict(self.left.below(path))

    def _renamed(self, source: Any, target: Any, *_folders: int) -> None:
        if self._in_unit():
            self._wrote(os.path.abspath(os.fsdecode(target)))
        else:
            self._note(os.fsdecode(source))

    def _give(self, text: str, folder: str) -> None:
        """A program or a database is given a text with paths in it."""
        self._read |= dict(self.left.below(text, folder))
        for path in self.left.absent(text, folder):
            self._miss(path)

    def _miss(self, path: str) -> None:
        if self.left.may_have_been(path):
            self._missed.add(path)

    def _wrote(self, path: str) -> None:
        if self._in_hand:
            if len(self._writers) >= FILES:
                self._writers.clear()
            self._writers[path] = self._number
        elif path not in self._writers:
            self.left.own.add(path)

    def _note(self, *paths: str) -> None:
        """The program reads files while it does no unit, or has their names."""
        self._read |= dict(filter(None, map(self.left.find, paths)))


_EVENTS: dict[str, Callable[..., None]] = {
    open.__name__: FilesOutside._opened,
    "os.listdir": FilesOutside._listed,
    "os.scandir": FilesOutside._listed,
    "glob.glob/2": FilesOutside._matched,
    "pathlib.Path.glob": FilesOutside._matched_below,
    "pathlib.Path.rglob": FilesOutside._matched_deep,
    "subprocess.Popen": FilesOutside._ran,
    "os.system": FilesOutside._ran_in_shell,
    "os.rename": FilesOutside._renamed,
    "os.link": FilesOutside._renamed,
    "sqlite3.connect": FilesOutside._connected,
}
"""What Python tells of, and who is to hear it."""

_OF_NO_UNIT = set(_EVENTS) - {open.__name__, "os.rename", "os.link", "sqlite3.connect"}
"""What is not heard while a unit does it: it may look for anything there."""
