"""The socket by which a job speaks with its supervisor: a thread for each connection.

It only translates between lines and ``JobRequests``; what the words mean stands in ``protocol``.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from typing import Any

from steadyspot.protocol import MAX_LINE
from steadyspot.worker.errors import SetupError, WorkerError
from steadyspot.worker.keeping.job_requests import JobRequests
from steadyspot.worker.options import Identity
from steadyspot.worker.speakers import Speakers


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
    """Serves a listening socket, given by its descriptor, bound before the job started."""

    def __init__(
        self,
        listener: int,
        identity: Identity,
        requests: JobRequests,
        stopping: StopNotice,
        speakers: Speakers,
    ) -> None:
        self._listener = socket.socket(fileno=listener)
        self._identity = identity
        self._requests = requests
        self._stopping = stopping
        self._speakers = speakers
        self._finished = False
        self._ended_well: set[int] = set()
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def finished(self, first: int | None) -> bool:
        """Whether the job said that exit 0 of its first process means finished, even after a stop.

        By ``finish()``, whoever called it; else the first process itself must have done its loop to
        the end and then have ended by itself. Of a loop in any other process the exit code of the
        first says nothing: a merge, a second program or an orchestrator that ends 0 when it is
        told to stop may follow. ``first`` is none where only ``finish()`` counts.
        """
        return self._finished or first in self._ended_well

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        pid = _peer(connection)
        self._speakers.comes(pid)
        with connection, connection.makefile("rb") as lines:
            try:
                while line := lines.readline(MAX_LINE):
                    connection.sendall(json.dumps(self._answer(line, pid)).encode() + b"\n")
            except OSError:
                pass  # The job is gone; what it had not marked is not done.
        self._speakers.goes(pid)

    def _answer(self, line: bytes, pid: int) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return {"ok": True} | self._do(request, pid)
        except WorkerError as error:
            return {"ok": False, "error": error.sentence, "todo": error.todo}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "error": f"The request is not understood: {error!r}.", "todo": ""}

    def _do(self, request: dict[str, Any], pid: int) -> dict[str, Any]:
        match request["do"]:
            case "hello":
                return {
                    "job": self._identity.job,
                    "run_key": self._identity.run_key,
                    "attempt": self._identity.attempt,
                    "capacity": self._identity.capacity,
                    "state": self._requests.state(),
                }
            case "units":
                return {"units": self._requests.units()}
            case "begin" | "mark" | "break-off":
                self._of_unit(request, pid)
            case "output" | "stage" | "give-up":
                return self._of_output(request, pid)
            case "save":
                self._requests.save([request["state"]])
            case "progress":
                self._requests.progress(request.get("fraction"), request.get("total"))
            case "all-done":
                self._all_done(pid, bool(request.get("done", True)), bool(request.get("at_end")))
            case "is-stopping":
                return {"stopping": self._stopping.event.is_set()}
            case "wait-stop":
                self._speakers.waits(pid)
                self._stopping.event.wait()
                return {"seconds_left": self._stopping.seconds_left()}
            case other:
                raise SetupError(f"There is no request '{other}'.", "See steadyspot/protocol.py.")
        return {}

    def _all_done(self, pid: int, done: bool, at_end: bool) -> None:
        if not done:
            self._finished = False
            self._ended_well.discard(pid)
        elif at_end:
            self._ended_well.add(pid)
        else:
            self._finished = True

    def _of_unit(self, request: dict[str, Any], pid: int) -> None:
        unit = str(request["unit"])
        match request["do"]:
            case "begin":
                self._requests.begin(unit, pid)
            case "mark":
                self._requests.mark(unit, [request["state"]] if "state" in request else [])
            case _:
                self._requests.break_off(unit)

    def _of_output(self, request: dict[str, Any], pid: int) -> dict[str, Any]:
        """Begin an output for the unit that is named, else for the one it is made in; or end it."""
        match request["do"]:
            case "output":
                unit, within = request.get("unit"), request.get("within")
                if unit is None and within and self._requests.has_in_hand(within):
                    unit = within
                number, path = self._requests.output(request["name"], pid, unit)
                return {"output": number, "path": path}
            case "stage":
                self._requests.stage(int(request["output"]))
            case _:
                self._requests.give_up(int(request["output"]))
        return {}


def _peer(connection: socket.socket) -> int:
    """The process that connected; ``struct ucred`` is three integers, the first its number."""
    size = struct.calcsize("3i")
    ours = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", ours)[0])
