"""What others say of the definitions: AWS's own checks, and the JSONata that AWS names.

Both are npm packages, which ``tests/asl`` locks: without node, or where they are not installed
(``make tests/asl/.synced``), these tests are skipped. The evaluations come from runs in
virtual time with a fixed seed, so every file is evaluated with what it meets in a run.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.deploy.local.expressions import ExpressionError
from steadyspot.deploy.schedules.zones import offsets_of
from steadyspot.statemachines.composing import expression, library
from steadyspot.statemachines.render import DEFINITIONS, definition, path_of
from tests.unit.statemachines.claims import met_by_claims
from tests.unit.statemachines.shards import all_that_may_come
from tests.unit.statemachines.test_after_its_time import KEY as LOOKED_FOR
from tests.unit.statemachines.test_after_its_time import TIME, Table, looking_definition
from tests.unit.statemachines.test_after_others import Table as RunsOfOthers
from tests.unit.statemachines.test_after_others import finished as finished_after
from tests.unit.statemachines.test_after_others import starting_definition
from tests.unit.statemachines.test_after_the_end import AFTER_THE_END, END, broken_off
from tests.unit.statemachines.test_by_mail import ALARM, FINISHED, MISSED, mailing_definition, post
from tests.unit.statemachines.test_causes import read
from tests.unit.statemachines.test_random_outcomes import CALL_FAILED, START, STOPPED
from tests.unit.statemachines.test_run_requests import REFUSED, TAKEN
from tests.unit.statemachines.test_stop_texts import TEXTS, unknown_texts
from tests.unit.statemachines.turns import POLICIES, all_in_the_way
from tests.virtual.defaults import DEFAULTS, job_definition
from tests.virtual.machine import Machine, iso, named_in
from tests.virtual.remembering import Numbers, read_by
from tests.virtual.world import Launch, Launching, Offer, RunWorld, launch_event

pytestmark = pytest.mark.timeout(240)
"""All of them share what is recorded, which takes long: they begin together, in one process."""

FOLDER = Path(__file__).parents[2] / "asl"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None or not (FOLDER / "node_modules").is_dir(),
    reason="node, or what tests/asl locks, is not here",
)
EACH = 12
"""Evaluations that are kept of an expression, beside those of the requests that are asked for."""


class Recorder(Machine):
    """Keeps what was evaluated, with what and to what."""

    def __init__(self, definition: Any) -> None:
        super().__init__(definition)
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.met: dict[str, dict[str, Any]] = {}
        self.most = 10 * EACH

    def evaluate(self, text: str, variables: Mapping[str, Any], now: float) -> Any:
        evaluations = self.kept.setdefault(text, [])
        names = named_in(text)
        met = as_it_is(variables)
        state = variables["states"]["context"].get("State", {}).get("Name", "")
        brought = next((k for k in ("result", "errorOutput") if k in variables["states"]), "")
        self.met[f"{state} {brought}"] = met
        if len(evaluations) >= self.most:
            return super().evaluate(text, variables, now)
        given = {name: value for name, value in met.items() if name in names}
        record: dict[str, Any] = {"text": text, "variables": given, "millis": round(now * 1000)}
        try:
            value = super().evaluate(text, variables, now)
        except ExpressionError:
            record["failed"] = True
            raise
        else:
            record["value"] = value
        finally:
            if record not in evaluations:
                evaluations.append(record)
        return value

    @property
    def scopes(self) -> list[dict[str, Any]]:
        """What was bound when a state was last in each of its moments."""
        return list(self.met.values())


def as_it_is(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What is bound, without what changes under a recording: the context, and a world's answer."""
    states = {**variables["states"], "context": {**variables["states"]["context"]}}
    if "result" in states:
        states["result"] = json.loads(json.dumps(states["result"]))
    return {**variables, "states": states}


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    """Runs with whatever may befall them."""
    rng = random.Random(1)
    zone = offsets_of("Australia/Lord_Howe")
    machine = Recorder(job_definition(Failures="1", ZoneOffsets=zone))
    for request in (*TAKEN, *(one for one, _ in REFUSED)):
        world = RunWorld(now=START, work_seconds=60.0, market=lambda *_: Offer())
        machine.run(world, request, name="asked")
    machine.most = EACH
    for number in range(60):
        offers = rng.choices([*CALL_FAILED, *STOPPED, Offer(), Offer(ends_after=600.0)], k=4)

        def market(launch: Launch, _left: float, offers: list[Offer] = offers) -> Offer:
            return offers.pop() if offers else Offer()

        world = RunWorld(now=START, work_seconds=3_600.0, market=market)
        if number % 7 == 0:
            world.faults = {"Record the attempt": [("States.TaskFailed", "for now")]}
        if number % 9 == 0:
            world.faults = {"How far did it get?": [("States.TaskFailed", "for now")]}
        if number % 11 == 0:
            world.faults = {"Park the run": [("States.TaskFailed", "for now")]}
        within = rng.choice([0, 70, 80, 200])
        request = {"scheduledTime": iso(START)[:-5] + "Z", "finishWithinMinutes": within}
        machine.run(world, request, name=f"x{number}")
    machine.kept |= kept_in_turn(machine.met)
    machine.kept |= kept_of_shards(machine.met)
    for number, met in enumerate(met_by_claims()):
        machine.run(met.world, met.request, name=f"claim{number}")
    # As the last: a task is taken back that left progress behind, so that Spot is asked at once.
    taken = iter([Offer(ends_after=600.0)])
    world = RunWorld(now=START, work_seconds=3_600.0, market=lambda *_: next(taken, Offer()))
    assert machine.run(world, {"scheduledTime": TIME}, name="taken").status == "SUCCEEDED"
    after = Recorder(AFTER_THE_END)
    after.kept, after.met = machine.kept, machine.met
    after.run(broken_off(), END, name="end")
    launches = Recorder(definition("before-the-start"))
    for starts, environment in itertools.product((60.0, 7_200.0, 90_000.0), START_BYS):
        launching = Launching(START, START + starts)
        launches.run(launching, launch_event(environment), name="launch")
    machine.kept |= launches.kept
    looks = Recorder(looking_definition())
    for status, every in itertools.product(("", "complete", "unfinished", "skipped"), (0, 5)):
        runs = {LOOKED_FOR: status} if status else {}
        table = Table(lambda _, runs=runs: runs)  # type: ignore[misc]
        request = {"scheduledTime": TIME, "lookAfterMinutes": 75, "everyMinutes": every}
        looks.run(table, request, name="look")
    machine.kept |= looks.kept
    machine.met |= looks.met
    others = after_others()
    machine.kept |= others.kept
    machine.met |= others.met
    mails = by_mail()
    machine.kept |= mails.kept
    machine.met |= mails.met
    offers = [Offer(ends_after=600.0), Offer()]  # Taken back, and straight on.
    world = RunWorld(now=START, work_seconds=3_600.0, market=lambda *_: offers.pop(0))
    machine.run(world, {}, name="back")
    return machine


def kept_of_shards(met_before: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What runs evaluate that are spread over shards."""
    kept: dict[str, list[dict[str, Any]]] = {}

    def recording(given: Any) -> Recorder:
        made = Recorder(given)
        made.kept, made.met, made.most = kept, met_before, EACH
        return made

    for met in all_that_may_come(recording):
        met.world.machine.run(met.world, met.request, name=met.name)
    return kept


def by_mail() -> Recorder:
    """Mails of all kinds, which SES takes or does not."""
    mails = Recorder(mailing_definition())
    for told, refusal in itertools.product((FINISHED, MISSED, ALARM), ("", "not verified")):
        post(told, refusal, mails)
    return mails


def after_others() -> Recorder:
    """Runs that come after others, of which one has finished or not."""
    others = Recorder(starting_definition())
    for status in ("complete", "running"):
        finished_after(RunsOfOthers("complete", status), machine=others)
    return others


def kept_in_turn(met_before: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What runs evaluate that meet another one of their job, which gives way in the end."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for policy in POLICIES:
        other = Recorder(job_definition(Overlap=policy))
        other.kept, other.met, other.most = kept, met_before, EACH
        for met in all_in_the_way():
            if met.policy == policy:

                def watch(_state: str, _variables: Any, world: RunWorld = met.world) -> None:
                    if world.now > START + 60:
                        world.turn.clear()

                other.run(met.world, met.request, name="turn", watch=watch)
    return kept


START_BYS: tuple[dict[str, str], ...] = (
    {},
    {"STEADYSPOT_START_BY": iso(START + 300)},
    {"STEADYSPOT_START_BY": iso(START - 300), "OTHER": ""},
)


def ask(**question: Any) -> Any:
    assert NODE
    answered = subprocess.run(
        [NODE, "ask.cjs"],
        cwd=FOLDER,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)


@needs_node
def test_what_aws_checks_with_finds_nothing_in_either_definition() -> None:
    asked = {
        name: {"text": path_of(name).read_text("utf-8"), "graph": definition(name)}
        for name in DEFINITIONS
    }
    assert ask(definitions=asked)["definitions"] == {name: [] for name in DEFINITIONS}


@pytest.fixture(scope="module")
def by_name(recorder: Recorder) -> list[dict[str, Any]]:
    """The evaluations of every file, and what each comes to."""
    return [{**one, **outcome(recorder, one)} for one in named(recorder)]


def named(recorder: Recorder) -> Iterator[dict[str, Any]]:
    """Every file by its name, with what a run has in each of its states."""
    parameters, scopes = library()["parameters"].name, recorder.scopes
    others = ENDED | AFTER_ITS_TIME | AFTER_OTHERS
    more = {"capacity": "spot", "more": 1, "answers": ["stop"], "isOfClose": True}
    bound, numbers = [{**more, **met, **others} for met in scopes], Numbers()
    for name in sorted(library().keys() - {parameters}):
        text = expression(name).removeprefix("{%").removesuffix("%}").strip()
        for key, value in DEFAULTS.items():
            text = text.replace(f"${{{key}}}", value)
        is_function = library()[name].lines[0].startswith("function(")
        met = set()
        for scope in bound:
            if (read := tuple(map(numbers.of, read_by(text, scope)))) in met:
                continue
            met.add(read)
            variables = {key: value for key, value in scope.items() if f"${key}" in text}
            yield {
                "name": name,
                "text": f"$type(({text}))" if is_function else text,
                "variables": variables,
                "millis": round(START * 1000) + 1,
            }


ENDED: dict[str, Any] = {
    "jobName": "night",
    "queue": "q",
    "region": "eu-central-1",
    "key": "20261124T020000Z",
    "row": {
        "name": "replaced",
        "outcome": "replaced",
        "sentence": "{how_ended}",
        "nextStep": "-",
    },
    "title": "Steadyspot: night was stopped",
    "isParked": True,
    "sentence": "The execution was stopped before the run had finished.",
    "request": {"scheduledTime": "2026-11-24T02:00:00Z"},
    "ended": {
        "execution": "e",
        "name": "n",
        "status": "FAILED",
        "error": "States.Runtime",
        "at": iso(START),
    },
    "launch": {
        "attempt": "2",
        "capacity": "spot",
        "zone": "us-east-1a",
        "begun": iso(START - 60),
        "seconds": 60,
        "task": "arn:task",
        "cluster": "arn:cluster",
    },
    "refusal": {"times": 1, "isCondition": False, "isOfClose": True},
}


AFTER_ITS_TIME: dict[str, Any] = {
    "firstTime": "2026-11-24T01:55:01Z",
    "lastTime": "2026-11-24T02:00:00Z",
    "due": 1_795_485_600_000,
    "seen": "none",
}


AFTER_OTHERS: dict[str, Any] = {
    "others": "one,other",
    "tableOfRuns": "runs",
    "isDue": True,
    "time": "2026-11-24T02:00:00Z",
}


def outcome(machine: Machine, evaluation: dict[str, Any]) -> dict[str, Any]:
    try:
        made = Machine.evaluate(
            machine, evaluation["text"], evaluation["variables"], evaluation["millis"] / 1000
        )
    except ExpressionError:
        return {"failed": True}
    return {"value": made}


def test_every_file_has_a_value_in_some_state_of_a_run(by_name: list[dict[str, Any]]) -> None:
    valued = {one["name"] for one in by_name if "value" in one}
    assert {one["name"] for one in by_name} - valued == set()


def meaning(value: Any) -> Any:
    """A value, the JSON in its texts read: one engine writes letters beyond ASCII as numbers."""
    if isinstance(value, dict):
        return {key: meaning(item) for key, item in value.items()}
    if isinstance(value, list):
        return [meaning(item) for item in value]
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(json.JSONDecodeError):  # Else it only begins like JSON.
            return meaning(json.loads(value))
    return value


def differing(evaluations: list[dict[str, Any]]) -> list[Any]:
    """The evaluations that the other engine answers otherwise."""
    return [
        (one["text"][-300:], one["variables"], one.get("value", "failed"), other)
        for one, other in zip(evaluations, ask(evaluations=evaluations)["evaluations"], strict=True)
        if meaning(other.get("value")) != meaning(one.get("value"))
        or ("failed" in other) != ("failed" in one)
    ]


@needs_node
def test_both_engines_agree_on_what_runs_evaluate(recorder: Recorder) -> None:
    evaluations = [one for kept in recorder.kept.values() for one in kept]
    assert len(evaluations) > 500
    assert differing(evaluations) == []


@needs_node
def test_both_engines_agree_on_every_file_by_its_name(by_name: list[dict[str, Any]]) -> None:
    assert differing(by_name) == []


LANGUAGE = (FOLDER / "language.txt").read_text("utf-8").splitlines()
"""JSONata of every kind, an expression a line, also such as must fail."""
GIVEN: dict[str, Any] = {
    "one": {"name": "a", "many": [{"n": 1}, {"n": 2}, {"n": 3, "in": [4, 5]}], "none": None},
    "list": [3, 1, 2],
    "single": [{"v": [7]}],
    "empty": [],
    "text": "to be or not",
    "number": 2.5,
    "yes": True,
}
DIFFERENT = (
    # Patterns: letters and digits are Unicode's, and nothing looks around or back.
    *(r"$match('Größe 12', /\w+/)", r"$contains('Straße', /\W/)", r"$contains('٣', /\d/)"),
    *("$contains('ab', /a(?=b)/)", "$contains('ab', /(?<!a)b/)"),
    *(r"$contains('aa', /(a)\1/)", "$contains('x', /[^]/)"),
    # Numbers and times that are none.
    *("1e308 * 10", "$fromMillis(9e15)", "$fromMillis(1795485600000, '[H01]', 'nope')"),
    *("$toMillis('2018-02-30T00:00:00Z')", "$toMillis('2026-11-24T25:00:00Z')"),
    *("$substring('hello', 1.5, 2.7)", "$pad('a', 3.7)"),
    # Letters beyond ASCII, and blanks.
    *("$base64encode('hällo')", "$encodeUrl('http://a b/')"),
    # Of a later JSONata.
    *("1 ?: 2", "null ?? 1"),
    # Nothing is null.
    "$reduce([], function($a, $b) { $a + $b })",
)
"""Where the engine is known not to do as AWS's; what is deployed may not come to depend on it."""


def evaluated(texts: Sequence[str]) -> list[dict[str, Any]]:
    asked = [{"text": text, "variables": GIVEN, "millis": 1_510_067_557_121} for text in texts]
    return [{**one, **outcome(Machine({}), one)} for one in asked]


@needs_node
def test_both_engines_agree_on_the_language() -> None:
    assert len(LANGUAGE) > 500
    assert differing(evaluated(LANGUAGE)) == []


@needs_node
def test_where_the_engines_differ_is_known() -> None:
    assert [text for text, *_ in differing(evaluated(DIFFERENT))] == [*DIFFERENT]


@needs_node
@settings(max_examples=1, deadline=None, derandomize=True)
@given(unknown=st.lists(unknown_texts(), min_size=100, max_size=100))
def test_both_engines_read_the_same_in_what_aws_says(unknown: list[str]) -> None:
    spoken = expression("spoken").removeprefix("{%").removesuffix("%}")
    said = [*unknown, *(read(*one.reported)["stopped_reason"] for one in TEXTS.values())]
    asked = [
        {"text": f"({spoken})($text)", "variables": {"text": text}, "millis": 0} for text in said
    ]

    assert differing([{**one, **outcome(Machine({}), one)} for one in asked]) == []
