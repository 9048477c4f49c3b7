"""Starting an execution, and following it to its end.

Following is polling the history, quickly while something happens and slowly while nothing does, so that
a long run costs few calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from deploy.timeline import Moment, Story
from deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

QUICK_SECONDS, SLOW_SECONDS = 0.3, 5.0


def request_of(text: str) -> dict[str, Any]:
    """Return a run request given as JSON.

    Raises
    ------
    Trouble
        When it is no JSON or does not fit the schema; names the key and what is allowed.
    """
    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        raise Trouble(f"The input is no JSON: {error}.", "Give an object such as {}.") from None
    check_request(request)
    return dict(request)


def check_request(request: Any) -> None:
    """Check a run request against its schema.

    Raises
    ------
    Trouble
        When it does not fit.
    """
    schema = json.loads(
        (resources.files("statemachines") / "schemas" / "run-request.schema.json").read_text(
            "utf-8"
        )
    )
    error = next(iter(Draft202012Validator(schema).iter_errors(request)), None)
    if error:
        where = ".".join(str(part) for part in error.absolute_path) or "the input"
        raise Trouble(
            f"A run cannot be asked for like this: {where}: {error.message}.",
            f"Allowed keys: {', '.join(schema['properties'])}.",
        )


def start(client: SFNClient, machine: str, request: Mapping[str, Any]) -> str:
    """Start an execution and return its ARN."""
    return client.start_execution(stateMachineArn=machine, input=json.dumps(request))[
        "executionArn"
    ]


class Follower:
    """Follows one execution.

    Parameters
    ----------
    pause
        Called with seconds between two looks.
    """

    def __init__(
        self, client: SFNClient, execution: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._execution = execution
        self._pause = pause
        self._story = Story()
        self._seen = 0
        self.status = "RUNNING"

    def moments(self) -> Iterator[Moment]:
        """Yield what happens, until the execution has ended; then ``status`` is its last."""
        wait = QUICK_SECONDS
        while True:
            # The status first: events written after it are read by the history below.
            self.status = self._client.describe_execution(executionArn=self._execution)["status"]
            fresh = list(self.news())
            yield from fresh
            if self.status != "RUNNING":
                return
            wait = QUICK_SECONDS if fresh else min(SLOW_SECONDS, wait * 1.3)
            self._pause(wait)

    def news(self) -> Iterator[Moment]:
        """Yield what happened since the last look."""
        events = [event for event in self._history() if event["id"] > self._seen]
        if events:
            self._seen = events[-1]["id"]
        yield from self._story.tell(events)

    def _history(self) -> list[Any]:
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self._execution, PaginationConfig={"PageSize": 1000}
        )
        return [event for page in pages for event in page["events"]]
