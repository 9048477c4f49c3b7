"""What a definition says more than once, under names, so that a template says it once.

CloudFormation takes a template within a call up to 51,200 bytes; the workflow of a job, written
out, is longer than that. In the template it is the text of an ``Fn::Sub``, which puts a named piece
where ``${Name}`` stands; the rendered file beside the code and the console show it written out.
None is part of another: ``Fn::Sub`` does not look into what it puts in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from steadyspot.statemachines import claiming, job, mail, money
from steadyspot.statemachines import expressions as x
from steadyspot.statemachines.calls import CONDITION_FAILED, EXECUTION, WORK, patient
from steadyspot.statemachines.causes import CAUSES, CauseClass
from steadyspot.statemachines.jsonata import compact
from steadyspot.statemachines.marks import NAME

_OF_PLATFORM = ("Table", "Bucket", "Topic", "Cluster", "Network")
NAMES = {name: f'{{Fn::ImportValue: !Sub "${{Platform}}-{name}"}}' for name in _OF_PLATFORM} | {
    "Region": "!Ref AWS::Region"
}
"""What the definition takes from the platform. All its other names are the template's own."""

_OF_EVERY_CALL = ("TableName", "Key", "ExpressionAttributeNames")
_PLAIN = re.compile(r"[\w$(]")
_MARKED = re.compile(r":( |$)| #")
"""What a text of YAML begins with, and has not in it, where it needs no mark."""
_QUOTES_THAT_PAY = 7
"""Up to so many, doubling them is shorter than a block of its own."""
_ENTRY_CHARACTERS = 12
"""What an entry and the mentions of its name cost beside its text, about."""


def packed(data: Any) -> str:
    """Return a part of a definition as it stands in the template: JSON without spaces."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def within(jsonata: str) -> str:
    """Return JSONata as it stands in the template, where it is part of a JSON string."""
    return json.dumps(compact(jsonata), ensure_ascii=False)[1:-1]


def pieces(text: str) -> dict[str, str]:
    """Return the known pieces that a definition is shorter with.

    The core comes first, since longer pieces contain it: those are cut where it stands, and their
    parts are numbered. After it the longest is sought first.
    """
    found: dict[str, str] = {}
    graph = json.loads(text)
    longest_first = sorted(_known(graph["States"]), key=lambda known: -len(known[1]))
    for name, piece in (*_core(), *longest_first):
        parts = _parts(piece, found)
        for number, part in enumerate(parts, 1):
            named = f"{name}{number}" if len(parts) > 1 else name
            times = text.count(part)
            if times * (len(part) - len(named) - 3) > len(part) + len(named) + _ENTRY_CHARACTERS:
                text = text.replace(part, f"${{{named}}}")
                found[named] = part
    return found


def _parts(piece: str, found: Mapping[str, str]) -> list[str]:
    text = substituted(piece, found)
    for name in found:
        text = text.replace(f"${{{name}}}", "\0")
    return [part.strip() for part in text.split("\0") if part.strip()]


def _core() -> Iterator[tuple[str, str]]:
    yield "Money", within(money.money("ROWS", "ENTERED")).partition("ENTERED")[2]
    yield "Begun", within(x.BEGUN)
    yield "All", within(x.ALL)
    yield "Ends", within(x.ENDS)
    yield "MailSubject", packed(mail.publish_arguments()["Subject"])[3:-3]
    yield "Me", packed({":me": {"S": EXECUTION}})[1:-1]
    yield "Own", "$states.context.Execution."


def _known(states: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "RetryTable", _retry(CONDITION_FAILED)
    yield "Retry", _retry("FIRST").partition('"FIRST",')[2]
    close = states["Close the run"]
    call = {name: close["Arguments"][name] for name in _OF_EVERY_CALL}
    begun = {"Resource": close["Resource"], "TimeoutSeconds": close["TimeoutSeconds"]}
    yield "UpdateRun", packed({**begun, "Arguments": call})[1:-2]
    yield "AsNumbers", within(money.to_dynamodb("NUMBERS")).partition("NUMBERS,")[2]
    yield "Work", within(WORK).partition("WORD")[0]
    yield "AsDynamoDb", within(x.to_dynamodb("ROWS")).partition("ROWS")[2]
    for ending in ("finished", "unknown"):
        yield f"As{_word(ending)}", within(x.with_cause(ending))
    yield "StopBy", within(x.STOP_BY_SLACK)
    yield "Stalled", within(x.STALLED)
    yield "NotClaimed", packed(claiming.not_claimed())
    yield "FromDynamoDb", within(x.FROM_DYNAMODB)
    key = states["Claim the run"]["Arguments"]["Key"]["run_key"]["S"]
    yield "Given", packed(key)[4:].partition(within(claiming.RUN_KEY))[0]
    spot, demand = (states[f"Run on {where}"] for where in ("Fargate Spot", "on-demand Fargate"))
    _, succeeded, refused, failed = packed(spot).split("$on:='spot';")
    yield from (("Succeeded", succeeded), ("Refused", refused), ("Failed", failed))
    spot, demand = spot["Arguments"], demand["Arguments"]
    yield "WorkerEnvironment", _same_start(packed(spot["Overrides"]), packed(demand["Overrides"]))
    told, complained = (packed(states[name]) for name in states if name.startswith("Tell people"))
    yield "Telling", _same_start(told, complained).rpartition('"Next"')[0]
    for cause in CAUSES:
        yield _word(cause.name), packed(job.verdict(cause))
        yield f"Is{_word(cause.name)}", within(x.condition(cause))
    yield from _glue()


def _glue() -> Iterator[tuple[str, str]]:
    """Yield what stands between the words of a rule, so that it reads as a row of a table does."""
    yield "If", '{"Condition":"{%'
    yield "ThenIs", '%}","Assign":{"cause":{"name":"'
    for kind in CauseClass:
        yield _word(kind), f'","class":"{kind}","sentence":"'
    yield "Said", ": '&$last.said%}"
    yield "ExitCode", within("($last.exit_code < 0 ? 'none' : $string($last.exit_code))")
    yield "Do", '","nextStep":"'
    yield "AndRedrive", ", then redrive the run."
    for name, state in (
        ("ThenStop", "Mark it unfinished"),
        ("ThenChoose", "Choose capacity"),
        ("ThenWait", "Wait a moment"),
    ):
        yield name, f'"}}}},"Next":"{state}"}},'
    yield "AnyError", '{"ErrorEquals":["States.ALL"]'
    yield "OnConflict", f'{{"ErrorEquals":["{CONDITION_FAILED}"],'
    yield "OfItem", f"{{%{within('($item := $states.result.Attributes;')}"
    yield "Entered", packed(x.entered())[1:-1]
    yield "SpotAgain", within(x.SPOT_AGAIN)
    yield "ToLearn", within(f"{job.TO_LEARN} and $")[:-1]
    yield "NoWord", within("$work.word = '' and $last.exit_code")
    yield "Says", within("$contains($last.said, /")
    yield "Resource", '"Resource":"arn:aws:states:::'
    yield "Call", ',"TimeoutSeconds":60,"Arguments":{'
    yield "TypeTask", ',"Output":{},"Type":"Task","Next":"'


def _word(name: str) -> str:
    return name.title().replace("-", "")


def _same_start(one: str, other: str) -> str:
    return "".join(
        a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )


def _retry(*never: str) -> str:
    return packed([retry.to_dict() for retry in patient(*never)])


def substituted(text: str, named: Mapping[str, str]) -> str:
    """Return text with ``${Name}`` in the place of each piece."""
    for name, piece in named.items():
        text = text.replace(piece, f"${{{name}}}")
    return text


def mapping(text: str, named: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of what ``Fn::Sub`` puts into a text: names it uses, then the pieces."""
    used = set(NAME.findall(substituted(text, named)))
    for name, value in NAMES.items():
        if name in used:
            yield f"{name}: {value}"
    for name, piece in named.items():
        inside = set(NAME.findall(piece))
        foreign = [f"{other}: {NAMES[other]}" for other in NAMES if other in inside]
        if foreign:
            yield from (f"{name}: !Sub", *_scalar("- ", piece), f"- {foreign[0]}")
            yield from (f"  {line}" for line in foreign[1:])
        else:
            yield from _scalar(f"{name}: !Sub " if inside else f"{name}: ", piece)


def _scalar(before: str, text: str) -> Iterator[str]:
    """Yield a text in the shortest way that YAML has for it."""
    if _PLAIN.match(text) and not _MARKED.search(text):
        yield f"{before}{text}"
    elif text.count("'") <= _QUOTES_THAT_PAY:
        doubled = text.replace("'", "''")
        yield f"{before}'{doubled}'"
    else:
        yield from (f"{before}|-", f" {text}")
