"""Distributed Map: each item in an execution of its own, as AWS runs it and moto does not.

moto's has no input for its children, drops what goes wrong in one, shows no history of the parent
meanwhile, and goes on after a stop. Here a child sees its input and nothing of the parent's
variables, under the name of the Map Run; more failures than are tolerated stop the others.
"""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, Final

from moto.stepfunctions.parser.api import (
    HistoryEventType,
    MapRunFailedEventDetails,
    MapRunStartedEventDetails,
    MapRunStatus,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor,
    item_processor_factory,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.item_processor_decl import (  # noqa: E501
    ItemProcessorDecl,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_component import (  # noqa: E501
    IterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.mode import Mode
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramRunning
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData

from steadyspot.deploy.local.language import AwsVariables, event_details, refuse_large

MOST_AT_ONCE: Final = 10_000
"""Children of one Map Run, where MaxConcurrency is 0 or more."""
_LOOK_SECONDS: Final = 0.25


class MapRun(distributed_item_processor.DistributedItemProcessor):
    """The iterations of a distributed Map."""

    def _eval_body(self, env: Environment) -> None:
        given = env.stack.pop()
        run, items = given.map_run_record, given.input_items
        self._tell(
            env,
            HistoryEventType.MapRunStarted,
            mapRunStartedEventDetails=MapRunStartedEventDetails(mapRunArn=run.map_run_arn),
        )
        at_once = min(len(items), run.max_concurrency or MOST_AT_ONCE, MOST_AT_ONCE)
        outputs: list[Any] = [None] * len(items)
        tolerated = max(
            run.tolerated_failure_count, run.tolerated_failure_percentage * len(items) / 100
        )
        failed = 0
        stopping = threading.Event()
        with ThreadPoolExecutor(max(1, at_once)) as pool:
            left = {
                pool.submit(self._child, env, given, index, stopping): index
                for index in range(len(items))
            }
            while left:
                done, _ = wait(left, _LOOK_SECONDS, FIRST_COMPLETED)
                for one in done:
                    index = left.pop(one)
                    outputs[index], has_failed = self._outcome(one, run)
                    failed += has_failed
                if (failed > tolerated or not env.is_running()) and not stopping.is_set():
                    stopping.set()
                    run.set_stop(MapRunStatus.ABORTED)
        if not env.is_running():
            env.stack.append(outputs)
            return
        if failed > tolerated:
            run.set_stop(MapRunStatus.FAILED)
            raise self._exceeded(env)
        run.set_stop(MapRunStatus.SUCCEEDED)
        self._tell(env, HistoryEventType.MapRunSucceeded)
        refuse_large(env, outputs, "returned a result")
        env.stack.append(outputs)

    @staticmethod
    def _outcome(child: Future[Environment | None], run: Any) -> tuple[Any, bool]:
        env = None if child.exception() else child.result()
        counters = (run.item_counter, run.execution_counter)
        if env is not None and isinstance(env.program_state(), ProgramEnded):
            for counter in counters:
                counter.succeeded.count()
            return env.states.get_input(), False
        for counter in counters:
            counter.failed.count()
        return None, True

    def _child(
        self, parent: Environment, given: Any, index: int, stopping: threading.Event
    ) -> Environment | None:
        if stopping.is_set() or not parent.is_running():
            return None
        for counter in (given.map_run_record.item_counter, given.map_run_record.execution_counter):
            counter.total.count()
        child = Environment.as_inner_frame_of(parent, AwsVariables())
        child.event_manager = EventManager()  # a history of its own
        parent._frames.append(child)
        watch = threading.Thread(target=_stop_with, args=(child, stopping), daemon=True)
        try:
            value = self._input(parent, given, index)
            run = given.map_run_record
            context = child.states.context_object.context_object_data
            context["StateMachine"] = {**context["StateMachine"], "Id": run.map_state_machine_arn}
            execution = run.map_state_machine_arn.replace(":stateMachine:", ":execution:")
            context["Execution"] = {**context["Execution"], "Id": f"{execution}:{uuid.uuid4()}"}
            context["Execution"]["Input"] = value
            child.states.reset(value)
            child.stack.append(value)
            watch.start()
            self._get_iteration_program().eval(child)
            return child
        finally:
            parent.delete_frame(child)

    @staticmethod
    def _input(parent: Environment, given: Any, index: int) -> Any:
        item = given.input_items[index]
        if given.item_selector is None:
            return item
        frame = Environment.as_frame_of(parent)
        frame.states.reset(parent.states.get_input())
        data = frame.states.context_object.context_object_data
        data["Map"] = MapData(Item=ItemData(Index=index, Value=item))
        given.item_selector.eval(frame)
        return frame.stack.pop()

    def _exceeded(self, env: Environment) -> FailureEventException:
        name = StatesErrorName(typ=StatesErrorNameType.StatesExceedToleratedFailureThreshold)
        cause = "The specified tolerated failure threshold was exceeded"
        return FailureEventException(
            FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.MapRunFailed,
                event_details=event_details(
                    mapRunFailedEventDetails=MapRunFailedEventDetails(
                        error=name.error_name or "", cause=cause
                    )
                ),
            )
        )

    @staticmethod
    def _tell(env: Environment, kind: HistoryEventType, **details: Any) -> None:
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=kind,
            event_details=event_details(**details) if details else None,
        )


def _stop_with(child: Environment, stopping: threading.Event) -> None:
    """Stop a child where its Map Run stops."""
    while isinstance(child.program_state(), ProgramRunning):
        if stopping.wait(_LOOK_SECONDS):
            child.set_stop(stop_date=datetime.now(UTC), cause=None, error=None)


def processor_of(declared: ItemProcessorDecl) -> IterationComponent:
    """Return what goes through the items of a Map, as its definition declares it."""
    if declared.processor_config.mode != Mode.Distributed:
        return item_processor_factory.from_item_processor_decl(declared)
    comment: Any = declared.comment
    return MapRun(
        query_language=declared.query_language,
        start_at=declared.start_at,
        states=declared.states,
        comment=comment,
        processor_config=declared.processor_config,
    )
