"""A run on any machine: a local folder keeps what the supervisor would, with the same promises.

Processes of one program meet in it by a lock, and a program that is started again goes on with what
is done there. ``channel`` says what a run asks of it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from steadyspot.contract import Env, Exit, Lacking
from steadyspot.contract.shards import shard_key
from steadyspot.errors import RunError
from steadyspot.local_record import LocalRecord, files_below, move, refuse_twice
from steadyspot.local_shards import LEADER
from steadyspot.names import place_below
from steadyspot.paths import holds_something, remove
from steadyspot.shards import Shard
from steadyspot.state import plain
from steadyspot.units import Ambiguous, Process, ancestry, beside, owner

LOOK_SECONDS = 0.1
"""How often it is looked whether other processes have units in hand."""

LOOK_AGAIN_SECONDS = 1.0
"""How often it is looked again whether the run is to stop, and a shard's leader is there still."""

LOCAL_KEY = "local"


class _Unit(NamedTuple):
    """A unit in hand, in a folder of its own: ``unit.json``, ``drafts/``, ``staged/``."""

    key: str
    process: Process
    folder: Path
    aside: bool


class _Output(NamedTuple):
    """An output that is being written, in a folder of its own."""

    name: str
    folder: Path
    unit: _Unit | None


class FolderChannel:
    """A run in a local folder, for any number of processes.

    ==================  =======================================================================
    ``outputs/``        what is published: a unit's outputs with its mark, others at once, or with
                        the mark of units that are set aside
    ``done.json``       units done with their outputs, and the state; replaced as a whole
    ``in-hand/UNIT/``   a unit in hand: whose it is, outputs being written, those written
    ``half-made/``      outputs being written that belong to no unit
    ``beside/``         those written that wait for units set aside, whose rows they may hold
    ``speaking/``       processes that have asked for the run
    ``rest``            is there where units were left since the attempt is to stop
    ==================  =======================================================================

    The lock of ``done.json`` stands before all of it. A shard has such a folder of its own, below
    one for the number of shards: with another number, other units are its own.
    """

    def __init__(
        self, root: Path, shard: Shard | None = None, leader: Process | None = None
    ) -> None:
        self.folder = self._root = root
        self._leader = leader
        run_key = LOCAL_KEY
        if shard and shard.count > 1:
            run_key = shard_key(LOCAL_KEY, shard.number)
            self._root = root / folder_of_shards(shard.count) / run_key
        self._record = LocalRecord(self._root)
        self._stop = os.pipe()
        self._told = False
        self._pipe = os.fstat(self._stop[0]).st_ino
        self._told_of_done = False
        self._lacking: dict[Lacking, str] = {}
        self._is_begun_anew = False
        self._given: set[str] = set()
        for folder in ("beside", "half-made", "in-hand", "outputs", "speaking"):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        with self._record.locked() as done:
            for kind in ("beside", "half-made", "speaking"):
                for left in (self._root / kind).iterdir():
                    if not Process.named(left.name).lives():
                        remove(left)
            if told := _to_empty(done["to_empty"]):
                sys.stderr.write(told)
                raise SystemExit(int(Exit.BAD_SETUP))
            done["to_empty"] = ""
            attempt = Process(*done["attempt"])
            if not (attempt.lives() and attempt.pid in ancestry(os.getpid())):
                attempt = Process.of(os.getpid())
                done["attempts"] += 1
                remove(self._rest)
            self._attempt = [attempt.pid, attempt.started]
            self._record.replace(done | {"attempt": self._attempt})
        self.about = {
            "job": "local",
            "run_key": run_key,
            "attempt": done["attempts"],
            "capacity": "",
            "state": done["state"],
            "folders": [os.environ.get(each, "") for each in (Env.CHECKPOINT_DIR, Env.OUTPUT_DIR)],
        }
        self._speak()
        atexit.register(self._end_as_stopped)
        atexit.register(self._fall_silent)

    @classmethod
    def from_environment(cls, shard: Shard) -> FolderChannel:
        led_by = os.environ.get(LEADER)
        leader = Process.named(led_by) if led_by else None
        return cls(local_folder(), shard, leader)

    def units(self) -> list[str]:
        with self._record.locked() as done:
            return [*done["units"], *(one.key for one in self._in_hand() if one.aside)]

    def begin(self, unit: str) -> None:
        with self._record.locked() as done:
            for other in self._in_hand():
                if other.key == unit:
                    raise RunError(
                        f"Two units have the key {unit}: one is in hand already, in process"
                        f" {other.process.pid}. Give each unit a key of its own."
                    )
            if unit in done["units"] and done["units"][unit]["attempt"] == self._attempt:
                raise RunError(
                    f"Two units have the key {unit}: one was done already in this attempt."
                    " Give each unit a key of its own."
                )
            folder = self._folder_of(unit)
            for piece in ("drafts", "staged"):
                (folder / piece).mkdir(parents=True, exist_ok=True)
            process = Process.of(os.getpid())
            begun = {"key": unit, "process": [process.pid, process.started]}
            (folder / "unit.json").write_text(json.dumps(begun))

    def claim(self, program: str, units: Sequence[str], done: Sequence[str]) -> None:
        """Programs one after the other are attempts here; each says what was done before it."""
        self._given.update(set(units) - set(done))

    def output(self, name: str, unit: str | None, within: str | None) -> tuple[_Output, Path]:
        self._speak()
        with self._record.locked() as done:
            owner = self._owner(unit, within)
            if why := self._why_lacking(owner):
                self._begin_anew(done, f"{name!r} {why}")
            place = owner.folder / "drafts" if owner else self._root / "half-made"
            process = Process.of(os.getpid())
            folder = place / f"{process}-{os.urandom(6).hex()}"
            path = Path(place_below(str(folder), name))
            path.parent.mkdir(parents=True)
        return _Output(name, folder, owner), path

    def stage(self, output: _Output) -> None:
        written = place_below(str(output.folder), output.name)
        with self._record.locked():
            if output.unit is None:
                aside = [one for one in self._in_hand() if one.aside]
                if aside:
                    move(written, self._beside(aside[0].process) / "staged" / output.name)
                else:
                    move(written, self._record.outputs / output.name)
            elif not output.folder.exists():
                raise RunError(
                    f"The unit {output.unit.key} ended before its output '{output.name}'."
                    " Wait for threads and children before a unit ends."
                )
            else:
                move(written, output.unit.folder / "staged" / output.name)
            remove(output.folder)

    def give_up(self, output: _Output) -> None:
        with self._record.locked():
            remove(output.folder)

    def set_aside(self, unit: str) -> None:
        """It is done with a mark that names it, or with the program, and so are its outputs."""
        with self._record.locked():
            folder = self._folder_of(unit)
            if refused := self._why_refused(unit, folder):
                remove(folder)
                raise RunError(refused)
            (folder / "aside").touch()

    def mark(self, unit: str, state: list[Any], also: list[str]) -> None:
        with self._record.locked() as done:
            self._count(done, [unit, *also], state)

    def _count(self, done: dict[str, Any], units: Sequence[str], state: Sequence[Any]) -> None:
        """Count units as done, all at once. Raises ``RunError``, and none is in hand any more."""
        folders = [self._folder_of(unit) for unit in units]
        older: set[str] = set()
        try:
            for unit, folder in zip(units, folders, strict=True):
                if refused := self._why_refused(unit, folder) or self._still_written(unit, folder):
                    raise RunError(refused)
                names = files_below(folder / "staged")
                refuse_twice(unit, names, done["units"])
                older |= {*done["units"].get(unit, {"outputs": []})["outputs"]}
                done["units"][unit] = {"outputs": names, "attempt": self._attempt}
        except RunError:
            for folder in folders:
                remove(folder)
            raise
        made = {name for unit in units for name in done["units"][unit]["outputs"]}
        folders += [self._beside(Process.of(os.getpid()))]
        if state:
            done["state"] = [plain(one) for one in state]
        done |= {"moving": [str(folder) for folder in folders], "removing": sorted(older - made)}
        self._record.replace(done)
        self._record.publish(done)

    def break_off(self, unit: str, refused: str) -> None:
        with self._record.locked():
            remove(self._folder_of(unit))

    def leave_rest(self) -> None:
        """Note it, unless that ends the program: its main thread is refused a unit."""
        own = self._attempt[0] == os.getpid()
        if not (own and threading.current_thread() is threading.main_thread()):
            self._rest.touch()

    @property
    def _rest(self) -> Path:
        """It is there where a process of the attempt has left units for the next one."""
        return self._root / "rest"

    def _end_as_stopped(self) -> None:
        """End the attempt by the exit code of one that was stopped, where others left units.

        Or of one that is begun anew, where the program went on.

        The first process may not have looked at how they ended. Of what it wanted called at its end
        before it asked for the run, ``logging`` alone is.
        """
        first = self._attempt[0] == os.getpid()
        failed = getattr(sys, "last_value", None) is not None
        if not first:
            return
        if self._is_begun_anew:
            code = Exit.TRY_AGAIN
        elif not failed and self._is_rest_left():
            code = Exit.INTERRUPTED
            sys.stderr.write("The run was stopped before all its units. Start it again to go on.\n")
        else:
            return
        if "logging" in sys.modules:
            sys.modules["logging"].shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)

    def _is_rest_left(self) -> bool:
        """Whether units were left by others than the main thread, or children stopped with some."""
        with self._record.locked() as done:
            self._in_hand()
            of_others = self.is_stopping() and any(one not in done["units"] for one in self._given)
            return of_others or self._rest.exists()

    def await_others(self) -> None:
        pid = os.getpid()
        with self._record.locked():
            for one in self._in_hand():
                if one.process.pid == pid:
                    (one.folder / "leaves").touch()
        while self._others_in_hand(pid):
            time.sleep(LOOK_SECONDS)

    def lacks(self, names: list[str], units: int, lacking: Lacking) -> None:
        kept = " and ".join(names[:2])
        why = (
            f"would lack what {units} units done before had left in {kept}."
            " Run it again: all units are done again. To go on instead, keep it in run.state, in"
            " the checkpoint folder, or in an output of each unit."
        )
        if lacking is Lacking.IF_FAILED and getattr(sys, "last_value", None) is None:
            return
        if lacking in (Lacking.UNITS, Lacking.IF_FAILED):
            with self._record.locked() as done:
                self._begin_anew(done, f"What was made {why}")
        self._lacking[lacking] = why

    def _begin_anew(self, done: dict[str, Any], why: str) -> NoReturn:
        """Forget all that was done, and have the job empty what units have left it in files."""
        folder = self.about["folders"][0]
        names = {name for unit in done["units"].values() for name in unit["outputs"]}
        done |= {"units": {}, "state": [], "removing": sorted(names), "to_empty": folder}
        self._record.replace(done)
        self._record.publish(done)
        sys.stderr.write(f"{why}\n{_to_empty(folder)}")
        self._is_begun_anew = True
        raise SystemExit(int(Exit.TRY_AGAIN))

    def uncommitted(self, unit: str) -> None:
        sys.stderr.write(
            f"The unit {unit} ended while a transaction was open in which it had written. It is"
            " done, so that an interruption before the commit loses those rows: commit before the"
            " block of run.unit ends.\n"
        )

    def _why_lacking(self, owner: _Unit | None) -> str:
        """Why an output of a unit, or of none, would lack what units done before had left."""
        of_none = self._lacking.get(Lacking.OF_NO_UNIT, "") if owner is None else ""
        return self._lacking.get(Lacking.LATER) or of_none

    def save(self, state: list[Any]) -> None:
        state = [plain(one) for one in state]
        with self._record.locked() as done:
            self._record.replace(done | {"state": state or done["state"]})

    def progress(self, fraction: float | None, total: int | None) -> None:
        pass

    def speaking(self) -> list[int]:
        return [Process.named(each).pid for each in os.listdir(self._root / "speaking")]

    def _speak(self) -> None:
        self._speaker().touch()

    def _fall_silent(self) -> None:
        self._speaker().unlink(missing_ok=True)

    def _speaker(self) -> Path:
        return self._root / "speaking" / str(Process.of(os.getpid()))

    def all_done(self, done: bool, at_end: bool = False, state: Sequence[Any] = ()) -> None:
        """Units set aside are done with the program, unless an exception has ended it."""
        ended = done and at_end and getattr(sys, "last_value", None) is None
        if not ended or self._is_begun_anew:
            return
        pid = os.getpid()
        with self._record.locked() as known:
            aside = [one.key for one in self._in_hand() if one.aside and one.process.pid == pid]
            if aside:
                self._count(known, aside, state)

    def is_stopping(self) -> bool:
        return self._told_within(0) or self._is_left()

    def say_done(self, done: int, left: int) -> None:
        """Once, since somebody who has changed the job may wonder why it does nothing."""
        if not self._told_of_done:
            self._told_of_done = True
            what = f"{done} of {done + left}" if left else f"All {done}"
            sys.stderr.write(
                f"{what} units were done before; their outputs are in {self._record.outputs}."
                f" To begin anew, remove {self._root}.\n"
            )

    def wait_stop(self) -> None:
        while not self._told_within(LOOK_AGAIN_SECONDS) and not self._is_left():
            pass

    def told_to_stop(self) -> None:
        """Called in a signal handler, which may not take a lock."""
        self._told = True
        if self._is_pipe(self._stop[1]):
            os.write(self._stop[1], b"1")

    def _is_left(self) -> bool:
        return self._leader is not None and not self._leader.lives()

    def _told_within(self, seconds: float) -> bool:
        """Whether the byte is there, which stays for forks to see.

        A job that has closed all its files, as some do that go into the background, is told in the
        process of the signal alone.
        """
        if not self._is_pipe(self._stop[0]):
            time.sleep(0 if self._told else seconds)
            return self._told
        poll = select.poll()
        poll.register(self._stop[0], select.POLLIN)
        return bool(poll.poll(seconds * 1000)) and self._is_pipe(self._stop[0])

    def _is_pipe(self, file: int) -> bool:
        """Whether a descriptor is the pipe's still, and no file's that the job has opened since."""
        with contextlib.suppress(OSError):
            return os.fstat(file).st_ino == self._pipe
        return False

    def _owner(self, unit: str | None, within: str | None) -> _Unit | None:
        in_hand = {one.key: one for one in self._in_hand() if not one.aside}
        if unit:
            if unit not in in_hand:
                raise RunError(f"The unit {unit} is not in hand. Begin it first.")
            return in_hand[unit]
        if unit == "":
            return None
        if within in in_hand:
            return in_hand[within]
        try:
            return owner(list(in_hand.values()), os.getpid())
        except Ambiguous as ambiguous:
            refused = f"{ambiguous} Say so: run.output(name, unit=…), or unit=None for none."
            for one in ambiguous.units:
                (self._folder_of(one.key) / "refused").write_text(refused)
            raise RunError(refused) from None

    def _why_refused(self, unit: str, folder: Path) -> str:
        if not folder.exists():
            return f"The unit {unit} is not in hand. Begin a unit before its mark."
        return (folder / "refused").read_text() if (folder / "refused").exists() else ""

    def _still_written(self, unit: str, folder: Path) -> str:
        for draft in (folder / "drafts").iterdir():
            if Process.named(draft.name).lives():
                return (
                    f"The unit {unit} ends while an output of it is still being written."
                    " Wait for threads and children before a unit ends."
                )
        return ""

    def _in_hand(self) -> list[_Unit]:
        """The units in hand or set aside; those of processes that are gone are given up."""
        found = []
        for folder in (self._root / "in-hand").iterdir():
            try:
                begun = json.loads((folder / "unit.json").read_bytes())
            except (FileNotFoundError, ValueError):
                remove(folder)
                continue
            process = Process(*begun["process"])
            if process.lives():
                aside = (folder / "aside").exists()
                found.append(_Unit(begun["key"], process, folder, aside))
            else:
                if self.is_stopping():
                    self._rest.touch()
                remove(folder)
        return found

    def _others_in_hand(self, pid: int) -> bool:
        with self._record.locked():
            others = beside((one for one in self._in_hand() if not one.aside), pid)
            return any(not (one.folder / "leaves").exists() for one in others)

    def _folder_of(self, unit: str) -> Path:
        import hashlib  # Loads OpenSSL, which a job without units need not wait for.

        return self._root / "in-hand" / hashlib.sha256(unit.encode()).hexdigest()[:32]

    def _beside(self, process: Process) -> Path:
        return self._root / "beside" / str(process)


def _to_empty(folder: str) -> str:
    """What to do where the checkpoint folder still holds what units left that are done again."""
    if not holds_something(folder):
        return ""
    return f"What is in {folder} is of units that are done again: empty it first.\n"


def local_folder() -> Path:
    """The local folder of this process."""
    return Path(os.environ.get(Env.LOCAL_DIR) or ".steadyspot").absolute()


def folder_of_shards(count: int) -> str:
    """What the folder is called in which those of so many shards lie."""
    return f"{count}-shards"
