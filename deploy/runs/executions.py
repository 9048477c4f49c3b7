"""Starting an execution, and following it to its end.

Following is reading the history's end, newest event first, at a pace: one call a look, whatever
the length of the history. That the execution has ended is in the history, too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from steadyspot.contract import messages
from steadyspot.contract.keys import run_key_of
from steadyspot.contract.parameters import GIVEN_CHARACTERS, BadParameter, value_of, values_of
from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.forms import faults_of, shown
from steadyspot.deploy.runs.history import Moment, Story, Tone
from steadyspot.deploy.stacks.parameters import declared
from steadyspot.deploy.trouble import USAGE, Trouble
from steadyspot.statemachines.values import COMMAND_CHARACTERS

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

    from steadyspot.deploy.stacks.config import Job

ENDED = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}
_PAGE = 100
_EXECUTIONS = 10
"""Of one run that are told of; each has up to some thousand events."""
NO_ANSWER = (HTTPClientError, NoConnection)
"""Errors of a call that brought no answer, such as a read time-out."""
MOST_SILENT = 20
"""Looks in a row that may bring no answer before following is given up."""
_PARAMETERS = "See [jobs.NAME.parameters] in steadyspot.toml."


def request_of(text: str) -> dict[str, Any]:
    """Return a run request given as JSON.

    Raises
    ------
    Trouble
        When it is no JSON or is none that :func:`check_request` takes.
    """
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Trouble(f"The input is no JSON: {error}.", "Give an object such as {}.") from None
    check_request(request)
    return dict(request)


def check_request(request: Any) -> None:
    """Check a run request, so that a run which could not be launched is not started.

    What fits is far below the 256 KiB that an execution's input and the queue's messages may have.

    Raises
    ------
    Trouble
        When it does not fit the schema, names a time that no calendar has, or a command that
        RunTask would not take; all that is wrong is told.
    """
    faults = list(_faults(request))
    if faults:
        raise Trouble(
            f"A run cannot be asked for like this: {'; '.join(faults).rstrip('.')}.",
            f"Allowed keys: {', '.join(_schema()['properties'])}.",
        )


def _schema() -> dict[str, Any]:
    path = resources.files("steadyspot.statemachines") / "schemas" / "run-request.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema


def _faults(request: Any) -> Iterator[str]:
    found = faults_of(_schema(), request, "the input")
    yield from (fault.sentence for fault in found)
    if found:
        return
    time, command = request.get(messages.SCHEDULED_TIME), request.get(messages.COMMAND, [])
    if time is not None and not _is_time(time):
        yield f"scheduledTime is {shown(time)}, but must be a time that the calendar has"
    if command and not command[0].strip():
        yield "command must name the program first, and not an empty text"
    for index, word in enumerate(command):
        if word.encode("utf-8", "replace").decode("utf-8") != word:
            yield f"command.{index} is {shown(word)}, but must be a text that UTF-8 can write"
    # It travels as JSON within a text of RunTask's JSON.
    size = len(json.dumps(json.dumps(command)))
    if size > COMMAND_CHARACTERS:
        yield (
            f"command has {size:,} characters as AWS counts them, but at most "
            f"{COMMAND_CHARACTERS:,} are allowed"
        )

    given = json.dumps(request.get(messages.PARAMETERS, {}), separators=(",", ":"))
    size = len(json.dumps(given))
    if size > GIVEN_CHARACTERS:
        yield (
            f"parameters have {size:,} characters as AWS counts them, but at most "
            f"{GIVEN_CHARACTERS:,} are allowed"
        )


def for_job(job: Job, request: Mapping[str, Any], given: Sequence[str] = ()) -> dict[str, Any]:
    """Return a run request with the parameters that somebody typed as ``NAME=VALUE``.

    Raises
    ------
    Trouble
        When the job has no such parameter, it can't have that value, or the request has a command
        and the job allows none.
    """
    forms = declared(job)
    parameters: dict[str, Any] = dict(request.get(messages.PARAMETERS, {}))
    for text in given:
        name, _, value = text.partition("=")
        form: Any = forms.get(name)
        try:
            parameters[name] = value if form is None else value_of(form["type"], value)
        except BadParameter as error:
            raise Trouble(f"{name} is {shown(value)}, but {error}.", _PARAMETERS, USAGE) from None
    try:
        values_of(forms, parameters)
    except BadParameter as error:
        raise Trouble(str(error), _PARAMETERS, USAGE) from None
    if request.get(messages.COMMAND) and not job.command_override:
        raise Trouble(
            f"{job.name} may not be started with another command.",
            "Leave command out, or set command_override = true for the job and run steadyspot up.",
            USAGE,
        )
    asked = {**request, **({messages.PARAMETERS: parameters} if parameters else {})}
    check_request(asked)
    return asked


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def run_key_in(text: str) -> str:
    """Return the run key that an input names, empty where the execution's name is it."""
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(request, dict):
        return ""
    time_of_it = request.get(messages.SCHEDULED_TIME)
    if isinstance(time_of_it, str):
        return run_key_of(time_of_it)
    return str(request.get(messages.RUN_KEY, ""))


def start(client: SFNClient, machine: str, request: Mapping[str, Any], prefix: str = "") -> str:
    """Start an execution and return its ARN; sent again, it is still one, since it has a name.

    A run by hand has that name as its key, which begins with ``prefix``.
    """
    return client.start_execution(
        stateMachineArn=machine, name=f"{prefix}{uuid.uuid4()}", input=json.dumps(request)
    )["executionArn"]


def execution_arn(machine: str, name: str) -> str:
    """Return the ARN of a machine's execution of that name, whether there is one or not."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def described(client: SFNClient, execution: str) -> dict[str, Any] | None:
    """Return what AWS says of an execution; None where there is none, or AWS has forgotten it.

    Also None for an empty ARN, as a record has it that never named one.
    """
    if not execution:
        return None
    try:
        return dict(client.describe_execution(executionArn=execution))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return None
        raise


def definition_of(client: SFNClient, execution: str) -> str:
    """Return the definition that an execution has, as JSON; empty where AWS does not tell it."""
    try:
        return client.describe_state_machine_for_execution(executionArn=execution)["definition"]
    except ClientError:  # Forgotten, or not allowed: it is looked at, and nothing rests on it.
        return ""


def next_of(client: SFNClient, execution: str) -> str:
    """Return the execution in which the run of one that has ended goes on; empty if in none."""
    found = described(client, execution) or {}
    output = json.loads(found.get("output") or "{}")
    gone_on = isinstance(output, dict) and output.get(messages.OUTCOME) == messages.GONE_ON
    return str(output[messages.EXECUTION]) if gone_on else ""


def history(client: SFNClient, execution: str) -> list[Any]:
    """Return the whole history of an execution, oldest first; empty once AWS has forgotten it.

    AWS keeps a history for 90 days after the execution's end.
    """
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, PaginationConfig={"PageSize": 1000}
    )
    try:
        return [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return []
        raise


def whole_history(client: SFNClient, execution: Mapping[str, Any]) -> list[Any]:
    """Return the history of a described execution, behind those that handed its run over to it.

    At most ``_EXECUTIONS`` of them, the latest; an input may name any execution, so only one counts
    whose own output names this one.
    """
    found: list[Any] = []
    following: Mapping[str, Any] | None = execution
    for _ in range(_EXECUTIONS):
        if following is None:
            break
        found = history(client, following["executionArn"]) + found
        following = _before(client, following)
    return found


def _before(client: SFNClient, execution: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the execution that handed its run over to this one; None where none did."""
    request = json.loads(execution.get("input") or "{}")
    given = request.get(messages.GOES_ON) if isinstance(request, dict) else None
    before = given.get(messages.EXECUTION) if isinstance(given, dict) else None
    if not isinstance(before, str) or next_of(client, before) != execution["executionArn"]:
        return None
    return described(client, before)


class Follower:
    """Follows one execution.

    Parameters
    ----------
    pace
        How often AWS is asked.
    beside
        Called at every look with the events that are new, so that something else of the run is
        shown in the same order; it says whether it found something, and spends what it asks of the
        same pace.
    behind_event
        The id of the last event that is known already; 0 begins with the first.
    """

    def __init__(
        self,
        client: SFNClient,
        execution: str,
        pace: Pace | None = None,
        beside: Callable[[Sequence[Any]], bool] | None = None,
        behind_event: int = 0,
    ) -> None:
        self._client = client
        self._execution = execution
        self._pace = pace or Pace()
        self._beside = beside
        self._story = Story()
        self._seen = behind_event
        self.status = "RUNNING"

    def moments(self) -> Iterator[Moment]:
        """Yield what happens, until the execution has ended; then ``status`` is its last.

        A network that is gone for a while ends nothing: the run goes on without it.
        """
        silent = 0
        while True:
            events: Sequence[Any] = []
            found = False
            try:
                events = self._fresh()
                found = self._beside is not None and self._beside(events)
                silent = 0
            except NO_ANSWER:
                silent += 1
                if silent > MOST_SILENT and not events:
                    raise
                if silent == 1:
                    yield Moment(
                        datetime.now(UTC), "AWS does not answer; it is asked again", Tone.TROUBLE
                    )
            yield from self._story.tell(events)
            if self.status != "RUNNING":
                return
            self._pace.wait(busy=bool(events) or found)

    def _fresh(self) -> Sequence[Any]:
        """Return the events since the last look, oldest first; one call as a rule."""
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            self._pace.spend()
            page = self._client.get_execution_history(
                executionArn=self._execution, reverseOrder=True, maxResults=_PAGE, **more
            )
            fresh = [event for event in page["events"] if event["id"] > self._seen]
            found += fresh
            if len(fresh) < len(page["events"]) or not page.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
        if found:
            self._seen = found[0]["id"]
            self.status = ENDED.get(found[0]["type"], "RUNNING")
        return found[::-1]
