"""How resources stand in a template: as CloudFormation's JSON, on as few bytes as may be; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
_TAGS = {"Ref": "!Ref", "Fn::GetAtt": "!GetAtt", "Fn::Sub": "!Sub", "Fn::If": "!If"}
_PLAIN = re.compile(r"[A-Za-z][\w-]*((\.|::?)\w[\w-]*)*", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""Texts that YAML takes for something else."""
NOTHING = {"Ref": "AWS::NoValue"}


def lines_of(name: str, resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield a resource; a state machine has lines, since its definition is put in for one."""
    properties = resource["Properties"]
    if "DefinitionS3Location" not in properties:
        yield f"  {name}: {compact(resource)}"
        return
    yield from (f"  {name}:", f"    Type: {resource['Type']}", "    Properties:")
    for key, value in properties.items():
        is_path = key == "DefinitionS3Location"
        yield f"      {key}: {value if is_path else compact(value)}"


def role_for(service: str, source: Any, *statements: Mapping[str, Any]) -> dict[str, Any]:
    """Return the role of a service, for what ``source`` names, else for what the account has."""
    if source:
        condition: dict[str, Any] = {"ArnLike": {"aws:SourceArn": source}}
    else:
        condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    policy = {
        "PolicyName": "tell",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [*statements]},
    }
    return of_kind(
        "IAM::Role",
        Path={"Ref": "RolePath"},
        PermissionsBoundary={"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, NOTHING]},
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sts:AssumeRole",
                    # Amazon Q Developer says nothing of for whom it acts.
                    **({} if service.startswith("chatbot") else {"Condition": condition}),
                }
            ],
        },
        **({"Policies": [policy]} if statements else {}),
    )


def allow(action: str | list[str], resource: Any) -> dict[str, Any]:
    """Return the statement of a policy that allows it."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def of_kind(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a resource, whose ``kind`` is written as ``SQS::Queue``."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def compact(value: Any) -> str:
    """Return YAML on one line, in as few bytes as may be: a template has few to spare."""
    if isinstance(value, Mapping):
        name = next(iter(value), None)
        if name in _TAGS and len(value) == 1:
            inner = value[name]
            return f"{_TAGS[name]} {compact('.'.join(inner) if name == 'Fn::GetAtt' else inner)}"
        return f"{{{','.join(f'{compact(key)}: {compact(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(compact, value))}]"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return str(value) if is_plain else json.dumps(value)


def here(service: str, resource: str) -> dict[str, str]:
    """Return the ARN of a service's resource in the stack's account and region."""
    return {"Fn::Sub": arn_of(service, resource)}


def arn_of(service: str, resource: str) -> str:
    """Return the same as a text, in which CloudFormation puts in what it knows."""
    return _ARN % (service, resource)


def queue_policy(queue: str, service: str, source: Any) -> dict[str, Any]:
    """Return the policy of a queue to which a service may send, for ``source``, by TLS alone."""
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    statements = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source}},
        },
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return of_kind("SQS::QueuePolicy", Queues=[{"Ref": queue}], PolicyDocument=document)
