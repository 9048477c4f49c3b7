"""What a definition says more than once, under names, so that a template says it once.

CloudFormation takes a template within a call up to 51,200 bytes; the workflow of a job, written
out, is nearly as long. In the template it is the text of an ``Fn::Sub``, which puts a named piece
where ``${Name}`` stands; the rendered file beside the code and the console show it written out.
Pieces are sought in the order of their length, and none is part of another: ``Fn::Sub`` does not
look into what it puts in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from statemachines import claiming, job, mail, money
from statemachines import expressions as x
from statemachines.calls import CONDITION_FAILED, WORK, patient
from statemachines.causes import CAUSES
from statemachines.jsonata import compact
from statemachines.marks import NAME

_OF_PLATFORM = (
    *("Table", "Bucket", "Topic", "Cluster"),
    *("Subnets", "SecurityGroups", "AssignPublicIp"),
)
NAMES = {
    **{name: f'{{Fn::ImportValue: !Sub "${{Platform}}-{name}"}}' for name in _OF_PLATFORM},
    "Region": "!Ref AWS::Region",
    "LogGroup": "!Ref Log",
    "StopTimeoutSeconds": "!Ref StopTimeout",
    "Vcpu": "!Sub ${Cpu}/1024",
}
"""What the definition calls otherwise than the template does, or takes from the platform. All other
names of the definition are parameters and resources of the template."""

_OF_EVERY_CALL = ("TableName", "Key", "ExpressionAttributeNames")
_ENTRY_CHARACTERS = 40
"""What an entry and the mentions of its name cost beside its text, about."""


def packed(data: Any) -> str:
    """Return a part of a definition as it stands in the template: JSON without spaces."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def within(expression: str) -> str:
    """Return JSONata as it stands in the template, where it is part of a JSON string."""
    return json.dumps(compact(expression), ensure_ascii=False)[1:-1]


def pieces(text: str) -> dict[str, str]:
    """Return the known pieces that a definition is shorter with, the longest first."""
    found = {}
    for name, piece in sorted(_known(), key=lambda known: -len(known[1])):
        times = text.count(piece)
        if times * (len(piece) - len(name)) > len(piece) + _ENTRY_CHARACTERS:
            text = text.replace(piece, "")
            found[name] = piece
    return found


def _known() -> Iterator[tuple[str, str]]:
    yield "RetryTable", _retry(CONDITION_FAILED)
    yield "Retry", _retry("FIRST").partition('"FIRST",')[2]
    close = job.close().to_dict()
    call = {name: close["Arguments"][name] for name in _OF_EVERY_CALL}
    begun = {"Resource": close["Resource"], "TimeoutSeconds": close["TimeoutSeconds"]}
    yield "UpdateRun", packed({**begun, "Arguments": call})[1:-2]
    yield "WorkDone", within(WORK).partition("WORD")[2]
    yield "AsDynamoDb", within(x.to_dynamodb("ROWS")).partition("ROWS")[2]
    yield "AllAttempts", within(x.ALL)
    yield "LastMoment", within(x.ENDS)
    yield "Stalled", within(x.STALLED)
    yield "NotClaimed", packed(claiming.not_claimed())
    yield "KeyOnly", within(claiming.KEY_ONLY)
    yield "RunKey", within(claiming.RUN_KEY)
    for name, attempt in (
        ("Refused", x.refused_attempt),
        ("Failed", x.failed_attempt),
        ("Succeeded", x.succeeded_attempt),
    ):
        yield f"{name}Attempt", within(attempt("HERE")).partition("'HERE';")[2]
    spot, demand = (launch.fields["arguments"] for launch in (job.on_spot(), job.on_demand()))
    yield "Network", packed(spot["NetworkConfiguration"])
    yield "WorkerEnvironment", _same_start(packed(spot["Overrides"]), packed(demand["Overrides"]))
    told = mail.publish_arguments()
    yield "Mail", packed(told)
    yield "Money", within(money.money("ROWS", "STATES")).partition("STATES;")[2]
    yield "AsNumbers", within(money.to_dynamodb("NUMBERS")).partition("NUMBERS,")[2]
    yield "ToLearn", within(job.TO_LEARN)
    yield "MailSubject", packed(told["Subject"])[3:-3]
    for name in ("outcome", "cause", "severity"):
        value = told["MessageAttributes"][name]["StringValue"]
        yield f"Told{name.capitalize()}", packed(value)[3:-3]
    for cause in CAUSES:
        name = cause.name.title().replace("-", "")
        yield name, packed(job.verdict(cause))
        yield f"Is{name}", within(x.condition(cause))


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
            yield from (f"{name}: !Sub", "- |-", f" {piece}", f"- {foreign[0]}")
            yield from (f"  {line}" for line in foreign[1:])
        else:
            yield from (f"{name}: {'!Sub ' if inside else ''}|-", f" {piece}")
