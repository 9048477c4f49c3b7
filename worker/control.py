"""The socket by which a job speaks with its supervisor: a thread for each connection.

It only translates between lines and ``JobRequests``; what the words mean stands in ``protocol``.
"""

from __future__ import annotations

import json
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from steadyspot.contract import Lacking
from steadyspot.protocol import MAX_LINE
from steadyspot.worker.errors import WorkerError, WorkerFault, as_trouble
from steadyspot.worker.keeping.job_requests import JobRequests
from steadyspot.worker.options import Identity
from steadyspot.worker.speakers import Speakers

AGAIN_SECONDS = 0.1
"""How long to wait before a connection is taken again where files or threads have run out."""

OWN_FILES = 64
"""So many open files are the worker's own, to save and to see whom it has to tell of a stop; of
few, half. The job's connections take the others, and wait for one to end where there is none."""


MARGIN = 50
"""Levels that what a job says may be nested less than what can be read at all."""

LARGEST = 1e15
"""Numbers are below that; neither infinity nor NaN is."""


class NotUnderstood(WorkerError):
    """A request that says nothing, or not all that it must."""

    def __init__(self, why: object) -> None:
        super().__init__(f"The request is not understood: {why}.", "See steadyspot/protocol.py.")


class Request:
    """One line of a job's, read. What is missing or of a wrong type raises ``NotUnderstood``."""

    def __init__(self, line: bytes) -> None:
        try:  # Deeper than it will be written again, so that this can be.
            (fields,) = json.loads(b"[" * MARGIN + line + b"]" * MARGIN)
            for _ in range(MARGIN - 1):
                (fields,) = fields
        except (ValueError, TypeError, RecursionError) as error:
            raise NotUnderstood(error) from None
        if not isinstance(fields, dict):
            raise NotUnderstood("it is no object of JSON")
        self._fields: dict[str, Any] = fields

    def __contains__(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def has(self, name: str) -> bool:
        """Whether it is there, be it ``null``."""
        return name in self._fields

    def any(self, name: str) -> Any:
        """Whatever it is."""
        if name not in self._fields:
            raise NotUnderstood(f"it has no '{name}'")
        return self._fields[name]

    def text(self, name: str) -> str:
        """A text; a number is taken for one."""
        value = self.any(name)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise NotUnderstood(f"'{name}' is no text")
        return str(value)

    def texts(self, name: str) -> list[str]:
        value = self.any(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise NotUnderstood(f"'{name}' is no list of texts")
        return value

    def number(self, name: str) -> float:
        value = self.any(name)
        if not isinstance(value, int | float) or not abs(value) < LARGEST:
            raise NotUnderstood(f"'{name}' is no number")
        return value


class StopNotice:
    """Whether the attempt is to stop, and how long the job has; shared between threads."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.until = 0.0

    def begin(self, until: float) -> None:
        """``until``: monotonic time at which the job is killed."""
        self.until = until
        self.event.set()

    def seconds_left(self) -> float:
        return max(0.0, self.until - time.monotonic())


class Control:
    """Serves a listening socket, given by its descriptor, bound before the job started.

    ``fault`` is told of an error of the worker's own.
    """

    def __init__(
        self,
        listener: int,
        identity: Identity,
        requests: JobRequests,
        stopping: StopNotice,
        speakers: Speakers,
        fault: Callable[[WorkerError], None],
    ) -> None:
        self._listener = socket.socket(fileno=listener)
        self._identity = identity
        self._requests = requests
        self._stopping = stopping
        self._speakers = speakers
        self._fault = fault
        self._finished = False
        self._rest_is_left = False
        self._ended_well: set[int] = set()
        self._free = threading.Semaphore(_most_connections())

    def start(self) -> None:
        """Begin in a thread of its own."""
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def finished(self, first: int | None) -> bool:
        """Whether the job said that exit 0 of its first process means finished, even after a stop.

        By ``finish()``, whoever called it; else the first process itself must have done its loop to
        the end and then have ended by itself. Of a loop in any other process the exit code of the
        first says nothing: a merge, a second program or an orchestrator that ends 0 when it is
        told to stop may follow. ``first`` is none where only ``finish()`` counts. Where a process
        was refused a unit, nothing does: the first may not look at how its children end.
        """
        return not self._rest_is_left and (self._finished or first in self._ended_well)

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:  # Too many open files: the job will close some.
                self._free.release()
                time.sleep(AGAIN_SECONDS)
            else:
                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        """Serve a connection in a thread of its own, as soon as one can be begun."""
        serving = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        while not serving.ident:
            try:
                serving.start()
            except RuntimeError:
                time.sleep(AGAIN_SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        pid = _peer(connection)
        self._speakers.comes(pid)
        try:
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline(MAX_LINE):
                    connection.sendall(json.dumps(self._answer(line, pid)).encode() + b"\n")
        except OSError:
            pass  # The job is gone; what it had not marked is not done.
        finally:
            self._free.release()
            self._speakers.goes(pid)

    def _answer(self, line: bytes, pid: int) -> dict[str, Any]:
        try:
            return {"ok": True} | self._do(Request(line), pid)
        except WorkerError as error:
            return {"ok": False, "error": error.sentence, "todo": error.todo}
        except Exception as error:
            trouble = as_trouble(error)
            if isinstance(trouble, WorkerFault):
                self._fault(trouble)
            return {"ok": False, "error": trouble.sentence, "todo": trouble.todo}

    def _do(self, request: Request, pid: int) -> dict[str, Any]:
        match request.any("do"):
            case "hello" | "speaking" | "units":
                return self._told(request)
            case "claim":
                self._requests.claim(
                    pid, request.text("program"), request.texts("units"), request.texts("done")
                )
            case "begin" | "set-aside" | "mark" | "break-off" | "uncommitted":
                self._of_unit(request, pid)
            case "output" | "stage" | "give-up":
                return self._of_output(request, pid)
            case "lacks":
                self._lacks(request)
            case "save":
                self._requests.save(_state(request))
            case "progress":
                fraction = request.number("fraction") if "fraction" in request else None
                total = int(request.number("total")) if "total" in request else None
                self._requests.progress(fraction, total)
            case "all-done":
                done = not request.has("done") or bool(request.any("done"))
                self._all_done(pid, done, "at_end" in request and bool(request.any("at_end")))
            case "is-stopping" | "wait-stop" | "leave-rest" | "await-others":
                return self._of_a_stop(request, pid)
            case other:
                raise NotUnderstood(f"there is none called {other!r}")
        return {}

    def _lacks(self, request: Request) -> None:
        lacking = request.text("lacking")
        if lacking not in tuple(Lacking):
            raise NotUnderstood(f"nothing lacks {lacking!r}")
        units = int(request.number("units"))
        self._requests.lacks(request.texts("names"), units, Lacking(lacking))

    def _told(self, request: Request) -> dict[str, Any]:
        """What the job is told of its run."""
        match request.any("do"):
            case "hello":
                return {
                    "job": self._identity.job,
                    "run_key": self._identity.run_key,
                    "attempt": self._identity.attempt,
                    "capacity": self._identity.capacity,
                    "folders": self._requests.folders(),
                    "state": self._requests.state(),
                }
            case "speaking":
                return {"pids": sorted(self._speakers.speaking())}
            case _:
                return {"units": self._requests.units()}

    def _all_done(self, pid: int, done: bool, at_end: bool) -> None:
        if not done:
            self._finished = False
            self._ended_well.discard(pid)
        elif at_end:
            self._ended_well.add(pid)
        else:
            self._finished = True

    def _of_a_stop(self, request: Request, pid: int) -> dict[str, Any]:
        match request.any("do"):
            case "is-stopping":
                return {"stopping": self._stopping.event.is_set()}
            case "wait-stop":
                self._speakers.waits(pid)
                self._stopping.event.wait()
                return {"seconds_left": self._stopping.seconds_left()}
            case "leave-rest":
                self._rest_is_left = True
                return {}
            case _:
                self._requests.await_others(pid)
                return {}

    def _of_unit(self, request: Request, pid: int) -> None:
        unit = request.text("unit")
        match request.any("do"):
            case "begin":
                self._requests.begin(unit, pid)
            case "set-aside":
                self._requests.set_aside(unit)
            case "uncommitted":
                self._requests.uncommitted(unit)
            case "mark":
                also = request.texts("also") if "also" in request else []
                self._requests.mark(unit, _state(request), also)
            case _:
                self._requests.break_off(
                    unit, request.text("refused") if "refused" in request else ""
                )

    def _of_output(self, request: Request, pid: int) -> dict[str, Any]:
        """Begin an output for the unit that is named, else for the one it is made in; or end it."""
        match request.any("do"):
            case "output":
                unit = request.text("unit") if "unit" in request else None
                within = request.text("within") if "within" in request else ""
                if unit is None and within and self._requests.has_in_hand(within):
                    unit = within
                number, path = self._requests.output(request.any("name"), pid, unit)
                return {"output": number, "path": path}
            case "stage":
                self._requests.stage(int(request.number("output")))
            case _:
                self._requests.give_up(int(request.number("output")))
        return {}


def _most_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(files - OWN_FILES, files // 2)


def _state(request: Request) -> list[Any]:
    """The state, be it ``null``, if it is there."""
    return [request.any("state")] if request.has("state") else []


def _peer(connection: socket.socket) -> int:
    """The process that connected; ``struct ucred`` is three integers, the first its number."""
    size = struct.calcsize("3i")
    ours = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", ours)[0])
