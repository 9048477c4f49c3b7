"""The Python API of a job: a loop over units that survives being stopped at any instant.

Inside Steadyspot it speaks with the supervisor over a socket; without one it keeps the same
promises in a local folder, so that ``python job.py`` works on any machine. It needs nothing but the
standard library.

    run = current_run()
    for part in run.remaining(parts):
        with run.output(f"part-{part:05}.parquet") as path:
            ...
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from steadyspot.channel import Channel
from steadyspot.contract import Env, Exit
from steadyspot.errors import Interrupted, Misused, NoNewUnit, RunError
from steadyspot.in_hand import UNIT, InHand, is_child_of_python
from steadyspot.loops import FOR_POOLS, in_parts, refuse_pool, this_program, unit_key, with_keys
from steadyspot.memory.after_stop import AfterStop
from steadyspot.memory.aside import Aside, Others
from steadyspot.memory.looked_ahead import LookedAhead
from steadyspot.memory.open_transactions import OpenTransactions
from steadyspot.names import BadName, check_name
from steadyspot.paths import holds_something
from steadyspot.shards import Shard
from steadyspot.sigterm import Sigterm
from steadyspot.state import State
from steadyspot.stopping import Stopping
from steadyspot.under_way import STOP_THREAD

if TYPE_CHECKING:
    from steadyspot.memory.left_out import LeftOut

T = TypeVar("T")


class _NearestUnit:
    """Says that an output belongs to the unit it is made in."""

    def __repr__(self) -> str:
        return "the unit in hand"


_NEAREST = _NearestUnit()


class Run:
    """One attempt at a run, as the job sees it; ``attempt`` counts from 1.

    ``scheduled_time`` is the aware UTC time that the run is for, of a run by hand when it was
    started; ``deadline`` the one by which it must be done; each is None where there is none.
    ``parameters`` are the values of the job's parameters by name, a date as a text. ``after`` is
    where the runs that this one comes after have published, ``s3://…/`` by the job's name.

    A run may be worked off by several tasks, its shards: this is number ``shard``, from 0, of
    ``shards``, and ``remaining`` and ``undone`` give it its own units. Each shard is given all
    units, and they must be the same ones in each and at every attempt: of a list that grows, such
    as of a bucket, take what is older than the scheduled time. State, outputs and attempts are each
    shard's own, so that an output's name of one never meets that of another. Without shards
    ``shard`` is 0 and ``shards`` is 1.

    ``state`` is JSON of the job's own, a dictionary at first; it becomes durable together with the
    next unit, or by ``save``, and is 16 MiB at most. Its tuples come back as lists. It is for units
    that are done one after the other: a change in a child process, or while several units are in
    hand, is refused, and one after a unit's end waits for the next mark. ``stopping`` is true once
    the attempt is to stop.

    A unit is what an interruption costs at most. An output made while a unit is in hand belongs to
    it, from whatever thread or child process, and counts only with the unit's mark: those of a unit
    that failed or was left are not published. Threads and children must have ended their outputs
    before the unit ends. An output made outside any unit becomes durable with the next mark.
    """

    def __init__(self, channel: Channel, shard: Shard) -> None:
        self._channel = channel
        self.job: str = channel.about["job"]
        self.run_key: str = channel.about["run_key"]
        self.attempt: int = channel.about["attempt"]
        self.capacity: str = channel.about["capacity"]
        self.scheduled_time = _time(Env.SCHEDULED_TIME)
        self.deadline = _time(Env.DEADLINE)
        self.parameters: Mapping[str, Any] = json.loads(os.environ.get(Env.PARAMETERS) or "{}")
        self._shard = shard
        self.shard: int = self._shard.number
        self.shards: int = self._shard.count
        before = json.loads(os.environ.get(Env.AFTER) or "{}")
        self.after: Mapping[str, str] = {job: f"{at}{self.run_key}/" for job, at in before.items()}
        saved = channel.about["state"]
        self.state: Any = saved[0] if saved else {}
        self._changes = State(lambda: self.state)
        self.stopping = Stopping(channel.is_stopping)
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._loops: dict[str, tuple[str, int]] = {}
        self._checkpoint, outputs = channel.about["folders"]
        self._others = Others((self._checkpoint, outputs), channel.folder, channel.speaking)
        self._looping: int | None = None
        self._looped = False
        self._looked_ahead = LookedAhead()
        self._after_stop = AfterStop(channel, self._others, self._is_kept)
        self._blocks: set[InHand] = set()
        self._said_uncommitted = False
        self._pid = os.getpid()
        self._sigterm = Sigterm(self._told)
        if not is_child_of_python():
            self._sigterm.catch()
        atexit.register(self._say_at_end)
        threading.Thread(target=self._watch, name=STOP_THREAD, daemon=True).start()

    def __repr__(self) -> str:
        units = len(self._channel.units())
        which = f"shard {self.shard} of {self.shards}, " if self.shards > 1 else ""
        return (
            f"<Run {self.run_key} of {self.job}, {which}attempt {self.attempt}, {units} units done:"
            " loop over run.remaining(units), write with run.output(name); see help(steadyspot)>"
        )

    def remaining(
        self, units: Iterable[T], key: Callable[[T], Hashable] | None = None
    ) -> Iterator[T]:
        """The units not done yet, one after the other, for one loop in one thread.

        In a shard these are its own alone: of a list, tuple, set or dictionary every N-th in the
        order of the keys, of what else has a length every N-th as they come, of the rest those that
        a hash of the key gives to it. All shards together have each unit once.

        When the loop asks for the next unit, the one before is made durable with its outputs and
        ``state``; it is done only then. At a stop the loop ends by ``Interrupted`` (exit 143) after
        the unit in hand. A ``break`` leaves the unit in hand undone. A pool takes its units from
        ``undone``; one that would take them from here is refused. A unit is in doubt where what it
        yields may lie in memory: in a list that the loop adds to, with a task that it began, a
        thread that gathers, in an output or a transaction that is open; and where it made nothing
        and took less than a millisecond, as one taken ahead. It becomes durable with the next of
        its loop that is not, or when the job has ended well. ``with run.unit(unit)`` in a loop over
        ``undone`` counts each at its end, whatever runs beside it.

        Where units were done before an interruption, and the program makes an output of what it
        keeps in variables or in files elsewhere from unit to unit, or later units read that, the
        run begins anew: keep it in ``state``. Where all were done and it cannot be told, the last
        is done again, once.

        ``key`` makes a unit's stable key; without it the unit itself must be a text, a number, a
        date or time, an Enum, a UUID, a path, a scalar of numpy or pandas, or a list or tuple of
        these. Two units with one key are refused by a ``RunError``, also those of two loops and of
        two programs.
        """
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno
        itself: list[weakref.ref[Iterator[T]]] = []  # Known once there is one.
        taken = self._remaining(units, key, place, this_program(caller), itself)
        itself.append(weakref.ref(taken))
        return taken

    def _remaining(
        self,
        units: Iterable[T],
        key: Callable[[T], Hashable] | None,
        loop: tuple[str, int],
        program: str,
        itself: Sequence[weakref.ref[Iterator[T]]],
    ) -> Iterator[T]:
        self._channel.claim(program, [], [])
        self._looped = False
        self._channel.all_done(False)
        total = len(units) if isinstance(units, Sized) else None
        if total is not None:
            self._channel.progress(None, self._shard.share(total))
        names: list[str] = []
        aside = Aside(self._others, lambda: self._looked_ahead.at(loop, itself[0]()))
        left_out = self._after_stop.of_loop(aside)
        ran = False
        for name, unit in self._to_do(self._own(units, key), loop, names, left_out):
            ran = True
            self._leave_if_stopping()
            with self._in_hand(name, aside):
                refuse_pool()
                thread = threading.get_ident()
                try:
                    yield unit
                except GeneratorExit:  # A break, or an error that ends the loop.
                    with contextlib.suppress(RunError, SystemExit):
                        self._after_stop.loop_is_over(left_out, aside, ran=True, through=False)
                    raise
                if threading.get_ident() != thread:
                    raise Misused(f"A loop over units is for one in one thread. {FOR_POOLS}")
        self._loops |= dict.fromkeys(names, loop)
        if skipped := left_out.keys:
            for part in in_parts(skipped):
                self._channel.claim(program, [], part)
            self._channel.say_done(len(skipped), len(names) - len(skipped))
            self._after_stop.loop_is_over(left_out, aside, ran=ran)
        self._looped = True

    def _to_do(
        self,
        pairs: Iterator[tuple[str, T]],
        loop: tuple[str, int],
        names: list[str],
        left_out: LeftOut,
    ) -> Iterator[tuple[str, T]]:
        """The units that are not done, by their keys; ``names`` become the keys of all.

        Where all were done before, nothing shows what they left in memory for what comes now. So
        the last is done again where that may be anything.
        """
        done = set(self._channel.units())
        for name, unit in pairs:
            if self._loops.get(name, loop) != loop:
                raise RunError(
                    f"Two loops have units with the key {name}; this one would skip it."
                    " Give this loop keys of its own, such as"
                    " remaining(units, key=lambda unit: ('second', unit))."
                )
            names.append(name)
            if name in done:
                left_out.add(name)
            else:
                yield name, unit
        if names and left_out.keys == names and self._after_stop.may_hide_some(left_out, name):
            yield name, unit

    def undone(self, units: Iterable[T], key: Callable[[T], Hashable] | None = None) -> list[T]:
        """The units not done yet, for threads and processes that mark each with ``unit``.

        In a shard its own alone, as with ``remaining``.

        def work(part):
            with run.unit(part), run.output(f"part-{part:05}.parquet") as path:
                ...

        with ThreadPoolExecutor() as pool:
            list(pool.map(work, run.undone(parts)))
        """
        caller = sys._getframe(1)
        program = this_program(caller)
        done = set(self._channel.units())
        pairs = list(self._own(units, key))
        for part in in_parts([name for name, _ in pairs]):
            self._channel.claim(program, part, [name for name in part if name in done])
        left = [unit for name, unit in pairs if name not in done]
        if len(left) < len(pairs):
            return self._after_stop.of_pool(caller, pairs, left)
        return left

    def _is_kept(self) -> bool:
        """Whether the job keeps in its state or its folder what it needs after a stop."""
        return bool(self.state) or holds_something(self._checkpoint)

    def _own(
        self, units: Iterable[T], key: Callable[[T], Hashable] | None
    ) -> Iterator[tuple[str, T]]:
        return self._shard.own(units, with_keys(units, key))

    @contextlib.contextmanager
    def unit(self, *keys: Hashable) -> Iterator[None]:
        """Do one unit, in any thread or process; durable when the block has ended well.

        Several keys are of units that count together, as where one output holds what all of them
        yield: ``with run.unit(*batch), run.output(name) as path``.

        Left by an exception, ``sys.exit`` or a ``break`` it is not done, and its outputs do not
        count. Raises ``RunError`` where another unit in hand or done in this attempt has its key,
        or no key is given. At a stop it raises ``Interrupted`` before it begins, so that a pool
        takes no new unit.
        """
        if not keys:
            raise RunError("There is no unit without a key. Give run.unit one key at least.")
        *others, key = map(unit_key, keys)
        self._after_stop.unit_of_pool_begins()
        with self._in_hand(key, None, others):
            yield

    @contextlib.contextmanager
    def _in_hand(self, key: str, aside: Aside | None, others: Sequence[str] = ()) -> Iterator[None]:
        """Hold a unit; one of a loop, whose work may not be done yet, goes to those ``aside``.

        They are marked with the next that is done for certain. ``others`` are marked with it, and
        outputs are its own, not theirs.
        """
        self._leave_if_stopping()
        keys = [*others, key]
        self._begin(keys)
        unit = InHand(key, aside.begin() if aside else None)
        if aside:
            self._looping = threading.get_ident()
        token = UNIT.set(unit)
        state: list[Any] = []
        transactions = None
        outside = self._others.outside
        outside.unit_begins(unit)
        try:
            if not aside:
                self._blocks.add(unit)
                transactions = self._others.transactions.of_block()
            self._changes.begin(unit)
            yield
            changed = self._changes.changed()
            unit.made = unit.made or changed
            if transactions:
                self._others.files.settle()
                self._say_uncommitted(unit, transactions)
            done = aside is None or aside.are_done(unit)
            unit.check_innermost()
            self._changes.check()
            if unit.pid == os.getpid():
                state = self._changes.unsaved()
        except BaseException as error:
            if unit.pid == os.getpid():  # A forked child leaves what is its parent's.
                self._break_off(keys, str(error) if isinstance(error, Misused) else "")
            raise
        finally:
            self._changes.leave(unit)
            self._blocks.discard(unit)
            outside.unit_ends(unit)
            unit.ended = True
            with contextlib.suppress(ValueError):
                UNIT.reset(token)
        if unit.pid != os.getpid():
            return
        if aside and not done:
            self._channel.set_aside(key)
            aside.add(unit, changed)
            return
        also = [one.key for one in aside.units] if aside else []
        self._channel.mark(key, state, [*others, *also])
        self._changes.saved(state)
        if aside:
            aside.clear()

    def _say_uncommitted(self, unit: InHand, transactions: OpenTransactions) -> None:
        """Say, once, that a unit ends before what it wrote is committed.

        Where others are in hand beside it, a transaction may be theirs.
        """
        alone = self._blocks == {unit} and unit.pid == os.getpid()
        if alone and not self._said_uncommitted and transactions.lack():
            self._said_uncommitted = True
            self._channel.uncommitted(unit.key)

    def _begin(self, keys: Sequence[str]) -> None:
        for count, key in enumerate(keys):
            try:
                self._channel.begin(key)
            except RunError:
                self._break_off(keys[:count])
                raise

    def _break_off(self, keys: Sequence[str], refused: str = "") -> None:
        with contextlib.suppress(Exception):
            for key in keys:
                self._channel.break_off(key, refused)

    @contextlib.contextmanager
    def output(
        self, name: str | os.PathLike[str], unit: Hashable | _NearestUnit = _NEAREST
    ) -> Iterator[Path]:
        """A path to write one output to, published under ``name`` at the commit; it ends in that.

        It appears whole or not at all. Its upload begins at the end of the block. It belongs to the
        unit in hand: that of the context, else the only one of the process or of the nearest one
        above it that has any, else to the run. Where several are in hand, a thread has to say which
        is meant: ``unit`` is its key, ``None`` for none.

        Names must be the same in every attempt. Raises ``RunError`` for a name that cannot be
        published, or when there is no file at the end.
        """
        try:
            name = check_name(name)
        except BadName as error:
            raise RunError(str(error)) from None
        unit_of, within = None, None
        here = UNIT.get()
        if isinstance(unit, _NearestUnit):
            within = None if here is None or here.ended else here.key
        else:
            unit_of = "" if unit is None else unit_key(unit)
        of_unit = None if here is None or here.ended else here
        self._after_stop.output_begins(of_unit)
        if here and here.pid == os.getpid():
            here.made = here.made or unit_of in (None, here.key)
        of_loop = here is None or here.ended or here.before is not None
        if of_loop and self._looping not in (None, threading.get_ident()):
            self._others.makers.add(threading.get_ident())
        output, path = self._channel.output(name, unit_of, within)
        self._others.writing.add(path)
        try:
            try:
                yield path
                if not path.is_file():
                    raise RunError(
                        f"The output '{name}' is no file. Write one file to the path given;"
                        " of a folder, make each file an output."
                    )
                self._after_stop.output_ends(of_unit)
            except BaseException:
                with contextlib.suppress(RunError):
                    self._channel.give_up(output)
                raise
            self._channel.stage(output)
        finally:
            self._others.writing.discard(path)

    def save(self) -> None:
        """Make ``state`` durable now, and the checkpoint folder as it is.

        Without that the folder is saved with a unit's mark, and by itself only while no unit is
        under way: a long unit asks for it where it can go on from what lies there. ``state`` waits
        where units have changed it that are not done yet, since they have handed on work.
        """
        try:
            state = self._changes.unsaved()
        except Misused as misused:
            self._channel.break_off("", str(misused))
            raise
        if self._others.state_waits:
            state = []
        self._others.files.settle()
        self._channel.save(state)
        self._changes.saved(state)

    def progress(self, fraction: float) -> None:
        """Tell how far the job is, 0 to 1; written with the next save."""
        self._channel.progress(min(1.0, max(0.0, float(fraction))), None)

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Have something called once at a stop, in a thread of its own, within the grace.

        What it writes into the checkpoint folder in the midst of a unit counts with ``save``.
        """
        with self._lock:
            self._callbacks.append(callback)

    def finish(self) -> None:
        """Say that all work is done, so that exit 0 counts as finished even after a stop.

        A first process that has gone through ``remaining`` and ends by itself need not say it.
        """
        self._channel.all_done(True)

    def _leave_if_stopping(self) -> None:
        if not self.stopping.came():
            return
        self._channel.leave_rest()
        if os.getpid() != self._pid or is_child_of_python():
            self._channel.await_others()
            raise NoNewUnit(
                "The run is to stop: no new unit begins. It is done by the next attempt."
            )
        raise Interrupted(int(Exit.INTERRUPTED))

    def _say_at_end(self) -> None:
        """Say at the end of the program that it has done its loop and all that came after.

        Called by the interpreter once the main program and all threads that are waited for have
        ended. That may have been early after all: where the job saw the stop, or a handler of its
        own for SIGTERM may have ended it (or one of ``asyncio``, put back to the default by now),
        it says nothing, and an exit code that is not 0 counts for nothing anyway. A process that
        ends otherwise (``os._exit``, a signal, another program by ``exec``) never gets here.
        """
        if os.getpid() == self._pid:
            with contextlib.suppress(RunError, SystemExit):
                self._after_stop.program_ends()
        ours = self._sigterm.is_caught()
        if self._looped and ours and not self.stopping.seen and os.getpid() == self._pid:
            with contextlib.suppress(RunError):
                waits = self._others.state_waits
                state = self._changes.unsaved() if waits else []
                self._channel.all_done(True, at_end=True, state=state)

    def _told(self) -> None:
        self.stopping.flag = True
        self._channel.told_to_stop()

    def _watch(self) -> None:
        with contextlib.suppress(RunError):
            self._channel.wait_stop()
            self.stopping.begin()
            with self._lock:
                callbacks = list(self._callbacks)
            for callback in callbacks:
                self.stopping.seen = True
                callback()


def _time(variable: str) -> datetime | None:
    text = os.environ.get(variable)
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
