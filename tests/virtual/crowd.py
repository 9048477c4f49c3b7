"""Many executions of one job at once in virtual time, in an order that a seed decides.

Each runs the rendered definition in a thread of its own, of which one at a time goes on: it stops
at every call and every wait, where another may go on, or where it is stopped for good. What ends
without having spoken for itself is told to *After the end*, but for what is meant to be lost.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from steadyspot.contract import Status, columns
from steadyspot.contract.columns import WORKER_SUFFIX
from steadyspot.contract.keys import run_key_of
from steadyspot.statemachines.calls import CANCELED
from tests.virtual.machine import Ended, Machine, TaskFailed, iso
from tests.virtual.world import Launch, Offer, RunWorld, canceled

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution"
CONFLICTS = (
    *("Claim the run", "Take the run over", "Close the run", "Mark it unfinished"),
    "Close what is complete",
)
"""States that look again where their transaction was cancelled for another one."""
WEATHER = ("Look at the weather", "Note the refusal", "Note the weather")
"""Nothing depends on these calls, so that there is no order to try."""
RUNNING, ABORTED = "RUNNING", "ABORTED"
SEEN_SECONDS = 10.0
"""Longer than what a run takes from its look to its taking the turn."""


class Stopped(BaseException):
    """Its execution was stopped; nothing of the definition may catch it."""


@dataclass
class Execution:
    """One execution, the run that it was asked for, and the state that it is in."""

    machine: str
    name: str
    request: dict[str, Any]
    began: float
    wakes: float
    status: str = RUNNING
    ended: Ended = field(default_factory=lambda: Ended(RUNNING))
    stop: dict[str, str] = field(default_factory=dict)
    at_work: str = ""
    state: str = ""
    goes: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def arn(self) -> str:
        return f"{EXECUTION}:{self.machine}:{self.name}"

    def enter(self, state: str, _variables: Any) -> None:
        """It is in that state now."""
        self.state = state

    def is_under_way(self, now: float) -> bool:
        """Whether it is one of the job's that has begun and not ended."""
        return self.status == RUNNING and self.machine == "job" and self.began < now


class Crowd:
    """The run table of a job, and its executions.

    ``machines``: by name, of which *after-the-end* is one. ``conflicts`` is the share of a job's
    transactions that fail to the last for another one, ``lost_ends`` that of ends which nobody
    tells to *After the end*. ``overlapped`` counts tasks that began beside another one,
    ``overtaken`` runs that took the turn though another, due before, had waited for long enough to
    be seen, ``stopped_in`` the states in which executions were stopped.
    """

    def __init__(self, machines: Mapping[str, Machine], seed: int, *, now: float) -> None:
        self.random = random.Random(seed)
        self.now = now
        self.table: dict[tuple[str, str], dict[str, Any]] = {}
        self.executions: dict[str, Execution] = {}
        self.told: list[dict[str, Any]] = []
        self.parked: list[dict[str, Any]] = []
        self.failed: list[BaseException] = []
        self.work_seconds: Callable[[], float] = lambda: self.random.uniform(60, 1_500)
        self.conflicts = 0.05
        self.lost_ends = 0.0
        self.overlapped = 0
        self.overtaken = 0
        self.stopped_in: Counter[str] = Counter()
        self.taken_by: dict[str, list[str]] | None = None
        self.waits_since: dict[str, float] = {}
        self.finished: Counter[str] = Counter()
        self._machines = machines
        self._turn = threading.Semaphore(0)
        self._stopped: list[Execution] = []
        self._threads: list[threading.Thread] = []

    def start(
        self, name: str, request: dict[str, Any], *, at: float, machine: str = "job"
    ) -> Execution:
        """Start an execution at a time to come."""
        made = Execution(machine, name, request, at, at)
        self.executions[made.arn] = made
        thread = threading.Thread(target=self._run, args=(made,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return made

    def play(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let one after the other go on until all have ended."""
        while alive := [one for one in self.executions.values() if one.status == RUNNING]:
            first = min(one.wakes for one in alive)
            chosen = self.random.choice([one for one in alive if one.wakes <= max(first, self.now)])
            self.now = max(self.now, first)
            self._let_go(chosen)
            while self._stopped:
                self._let_go(self._stopped.pop())
            if self.failed:
                raise self.failed[0]
            if until():
                return
            while self._stopped:
                self._let_go(self._stopped.pop())

    def stop(self, execution: Execution, error: str = "", cause: str = "") -> None:
        """Stop an execution, as StopExecution does it."""
        if execution.status != RUNNING:
            return
        execution.status = ABORTED
        execution.stop = {"Error": error, "Cause": cause}
        execution.at_work = ""
        self._stopped.append(execution)
        self._tell_after_the_end(execution)

    def _tell_after_the_end(self, execution: Execution) -> None:
        if execution.machine == "job" and self.random.random() >= self.lost_ends:
            event = {"detail": {"executionArn": execution.arn}, "job": "nightly", "queue": "q"}
            after = self.now + self.random.choice([0.5, 2, 5, 50])
            self.start(execution.name, event, at=after, machine="after-the-end")

    def _let_go(self, execution: Execution) -> None:
        execution.goes.release()
        self._turn.acquire()

    def _run(self, execution: Execution) -> None:
        execution.goes.acquire()
        try:
            if execution.status == RUNNING:
                seat = Seat(self, execution)
                machine = self._machines[execution.machine]
                ended = machine.run(
                    seat,
                    execution.request,
                    name=execution.name,
                    machine=execution.machine,
                    watch=execution.enter,
                )
                execution.ended, execution.status = ended, ended.status
                if ended.status == "FAILED":
                    self._tell_after_the_end(execution)
        except Stopped:
            pass
        except BaseException as error:
            execution.status = "FAILED"
            self.failed.append(error)
        finally:
            execution.at_work = ""
            self._turn.release()

    def describe(self, arn: str) -> dict[str, Any]:
        """What DescribeExecution shows."""
        if arn not in self.executions:
            raise TaskFailed("Sfn.ExecutionDoesNotExistException")
        one = self.executions[arn]
        shown = {"ExecutionArn": arn, "Name": one.name, "Status": one.status}
        shown["Input"] = json.dumps(one.request)
        if one.status == "SUCCEEDED":
            shown["Output"] = json.dumps(one.ended.output)
        if one.status == "FAILED":
            shown |= {"Error": one.ended.error, "Cause": one.ended.cause}
        return shown | one.stop

    def note_turn(self) -> None:
        """Look who waits for the turn, and whether the run that has taken it was next."""
        before, self.taken_by = self.taken_by, self.of_turn().get(columns.TAKEN_BY)
        queued = self.of_turn().get(columns.QUEUED, {"SS": []})["SS"]
        self.waits_since = {place: self.waits_since.get(place, self.now) for place in queued}
        if self.taken_by not in (None, before):
            due = self.of_turn()[columns.DUE]["S"]
            self.overtaken += any(
                place.split("/")[0] < due and self.now - since > SEEN_SECONDS
                for place, since in self.waits_since.items()
                if self._is_alive(place)
            )

    def _is_alive(self, place: str) -> bool:
        execution = self.executions.get(f"{EXECUTION}:job:{place.split('/')[2]}")
        return execution is not None and execution.status == RUNNING

    def jobs(self, key: str = "") -> list[Execution]:
        """The executions of the job, of one run where its key is given."""
        return [
            one
            for one in self.executions.values()
            if one.machine == "job" and (not key or run_key_of(one.request["scheduledTime"]) == key)
        ]

    def of_turn(self) -> dict[str, Any]:
        """The item of the job's turn."""
        return self.table.get(("nightly/turn", "turn"), {})


class Seat(RunWorld):
    """The world as one execution sees it: it lets others go on at each call and each wait."""

    def __init__(self, crowd: Crowd, execution: Execution) -> None:
        self._crowd = crowd
        self._execution = execution
        super().__init__(now=crowd.now, work_seconds=1.0, market=lambda *_: Offer())

    @property
    def now(self) -> float:
        return self._crowd.now

    @now.setter
    def now(self, moment: float) -> None:
        if moment > self._crowd.now:
            self._pass(moment)

    def _pass(self, wakes: float) -> None:
        """Let others go on until then."""
        one = self._execution
        one.wakes = wakes
        self._crowd._turn.release()
        one.goes.acquire()
        if one.status != RUNNING:
            raise Stopped

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        crowd = self._crowd
        if state in WEATHER:
            return super().call(resource, arguments, timeout_seconds, state)
        self._pass(crowd.now + crowd.random.choice([0, 0, 0.1, 1.5]))
        service = resource.removeprefix("arn:aws:states:::")
        if state in CONFLICTS and crowd.random.random() < crowd.conflicts:
            raise TaskFailed(CANCELED, canceled("TransactionConflict", "None", "None"))
        if service.endswith("describeExecution"):
            answer: Any = crowd.describe(arguments["ExecutionArn"])
        elif service.endswith("stopExecution"):
            crowd.stop(
                crowd.executions[arguments["ExecutionArn"]], arguments["Error"], arguments["Cause"]
            )
            answer = {}
        elif service.endswith("startExecution"):
            made = crowd.start(
                arguments["Name"], json.loads(arguments["Input"]), at=crowd.now + 0.2
            )
            answer = {"ExecutionArn": made.arn}
        else:
            answer = super().call(resource, arguments, timeout_seconds, state)
            crowd.note_turn()
            crowd.parked += self.parked
            crowd.told += self.mails
            self.parked, self.mails = [], []
        # The reply may come when the execution was stopped meanwhile.
        self._pass(crowd.now)
        return answer

    def _of(self, key: Any) -> dict[str, Any]:
        at = key["job"]["S"], key["run_key"]["S"]
        return self._crowd.table.setdefault(at, {})

    def _task(self, launch: Launch, _offer: Offer) -> Any:
        """Work for a while, beside nobody; a worker finishes only what is still its run's."""
        one, crowd = self._execution, self._crowd
        key = launch.environment["STEADYSPOT_RUN_KEY"]
        others = [other for other in crowd.executions.values() if other.at_work]
        crowd.overlapped += bool(others)
        one.at_work = key
        began = crowd.now + 1
        self._pass(crowd.now + crowd.work_seconds())
        one.at_work = ""
        worker = crowd.table["nightly" + WORKER_SUFFIX, key]
        if worker["execution"]["S"] != one.arn or worker["status"]["S"] != Status.RUNNING:
            raise TaskFailed(
                "States.TaskFailed", self._cause(launch, Offer(), began, {"StopCode": "x"}, 76)
            )
        if crowd.random.random() < 0.2:
            stop = {
                "StopCode": "SpotInterruption",
                "StoppedReason": "Your Spot Task was interrupted.",
            }
            raise TaskFailed("States.TaskFailed", self._cause(launch, Offer(), began, stop, 143))
        worker["status"] = {"S": Status.COMPLETE.value}
        crowd.finished[key] += 1
        stop = {"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"}
        return json.loads(self._cause(launch, Offer(), began, stop, 0))


def scheduled(at: float) -> dict[str, Any]:
    """The request of a scheduled time."""
    return {"scheduledTime": iso(at)[:19] + "Z"}
