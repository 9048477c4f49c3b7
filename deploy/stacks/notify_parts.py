"""What ``[[notify]]`` comes to in the stacks: JSON that is put into their templates; pure.

All that people are told goes through one topic, with job, outcome and severity as attributes;
alarms come through it, too, as CloudWatch writes them. A mail is a subscription with a filter.
What is called by HTTP needs an event: a queue at the topic and a pipe put what is told onto the
account's bus, where a rule for each entry chooses, makes the form that the service wants, and calls
it, for hours where it does not answer. A mail with a sender is such a call, too: of the state
machine *ByMail*, which has SES send it. What is not delivered in the end lies in the queue
*Untold*, which rings. Heartbeats need none of that: Step Functions itself tells the bus of each
start and end, so they stand in the stack of their job; one that is missing is what their service
rings of. So no workflow has a state more, and none waits for anybody.
Secrets are named by a reference that CloudFormation resolves, and stand in no template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from steadyspot.contract import messages
from steadyspot.deploy.stacks.notify import Notify
from steadyspot.deploy.stacks.resources import (
    NOTHING,
    allow,
    compact,
    here,
    lines_of,
    of_kind,
    queue_policy,
    role_for,
)

PLACE = "# here: who is told"
"""Where the resources go in ``platform.yaml``."""
SOURCE = "steadyspot.${AWS::StackName}"
"""The source of a platform's events."""
TOLD = "Run told"
"""Their type; the detail is the notification."""

_TOPIC = {"Fn::If": ["OwnTopic", {"Ref": "Topic"}, {"Ref": "TopicArn"}]}
_ENCRYPTED = {
    "SqsManagedSseEnabled": {"Fn::If": ["HasKey", False, True]},
    "KmsMasterKeyId": {"Fn::If": ["HasKey", {"Ref": "Key"}, NOTHING]},
}
_MAY_USE_THE_KEY = {"ManagedPolicyArns": [{"Fn::If": ["HasKey", {"Ref": "KeyPolicy"}, NOTHING]}]}
_IS_TRIED = {
    "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 43_200},
    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Untold", "Arn"]}},
}
"""For half a day; a heartbeat only for a quarter of an hour, since a start that came after its end
would say something else than what happened."""
_NO_KEY = {"ApiKeyName": "X-Steadyspot", "ApiKeyValue": "steadyspot"}
"""A connection must have a key; this one is for those who want none."""
_ENDPOINTS = {
    "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
}
# A value stands in quotes of its own only where it holds none itself: job, outcome, severity, key.
_TITLE = "<job> <outcome> (<severity>), run <runKey>"
_NAMES = {
    name: name
    for name in (
        *(messages.JOB, messages.OUTCOME, messages.SEVERITY, messages.RUN_KEY, messages.SENTENCE),
        *(messages.NEXT_STEP, messages.EXECUTION),
    )
}
_FORMS: Mapping[str, str] = {
    "slack": f'{{"text":"Steadyspot: {_TITLE}","attachments":[{{"text":<sentence>}},'
    '{"text":<nextStep>},{"text":<execution>}]}',
    "pagerduty": '{"event_action":"trigger","dedup_key":"<job>/<runKey>/<outcome>","payload":'
    f'{{"summary":"{_TITLE}","source":"<job>","severity":"<severity>","custom_details":<all>}}}}',
    "opsgenie": f'{{"message":"{_TITLE}","alias":"<job>/<runKey>/<outcome>",'
    '"description":<sentence>,"source":"steadyspot","tags":["<job>","<severity>"],'
    '"details":{"nextStep":<nextStep>,"execution":<execution>}}',
}
_ALARM = {"name": "AlarmName", "description": "AlarmDescription", "reason": "NewStateReason"}
_FORMS_OF_ALARMS: Mapping[str, str] = {
    "slack": '{"text":"Steadyspot: alarm <name>","attachments":[{"text":<description>},'
    '{"text":<reason>}]}',
    "pagerduty": '{"event_action":"trigger","dedup_key":"<name>","payload":{"summary":'
    '"Alarm <name>","source":"<name>","severity":"error","custom_details":<all>}}',
    "opsgenie": '{"message":"Alarm <name>","alias":"<name>","description":<description>,'
    '"source":"steadyspot","details":{"reason":<reason>}}',
}
_MOMENTS_SAID = {
    "healthchecks": (None, "start 0 fail"),
    "cronitor": ("state", "run complete fail"),
    "sentry": ("status", "in_progress ok error"),
}
"""How each service is told of start, success and failure: by the end of its URL, or a parameter."""
_NO_SHARD = {"anything-but": {"wildcard": f'*"{messages.SHARD}":*'}}
_FIRST = {
    "anything-but": {"wildcard": [f'*"{messages.SHARD}":*', f'*"{messages.GOES_ON}":*']},
}
_MOMENTS: Mapping[str, dict[str, Any]] = {
    "start": {"status": ["RUNNING"], "input": [_FIRST]},
    "success": {
        "status": ["SUCCEEDED"],
        "input": [_NO_SHARD],
        "output": [{"wildcard": '*"finished"*'}],
    },
    "fail": {"status": ["FAILED", "ABORTED", "TIMED_OUT"], "input": [_NO_SHARD]},
}
"""Which executions a heartbeat tells of: no shard, no duplicate, none whose run goes on."""


def with_notify(entries: Iterable[Notify], text: str) -> str:
    """Return the platform's template with what the entries come to in its place.

    Its outputs, which are the last of it, have each state machine's ARN.
    """
    assert text.count(PLACE) == 1
    resources = resources_of([*entries])
    lines = [line for name, one in resources.items() for line in lines_of(name, one)]
    whole = text.replace(PLACE, "\n".join([PLACE, *lines]))
    return f"{whole}  ByMail: {{Value: !Ref ByMail}}\n" if "ByMail" in resources else whole


def resources_of(entries: list[Notify]) -> dict[str, Any]:
    """Return by their logical ids the resources of the platform that the entries come to."""
    found: dict[str, Any] = {}
    webhooks = [one for one in entries if one.webhook]
    senders = sorted({one.sender for one in entries if one.sender})
    if any(one.webhook or one.topic or one.sender for one in entries):
        found |= {**_onto_the_bus(), **_undelivered()}
    if webhooks or senders:
        found["CallRole"] = _caller(webhooks, "rule/${AWS::StackName}-*", posts=bool(senders))
    if senders:
        found |= _by_mail(senders)
    if any(_connection(one) == _NO_KEY and one.webhook == "slack" for one in webhooks):
        found["NoKey"] = _connected(_NO_KEY)
    if any(one.chat for one in entries):
        found["ChatRole"] = role_for("chatbot.amazonaws.com", None)
    ways = {"mail": _mail, "topic": _topic, "chat": _chat, "webhook": _webhook}
    for entry in entries:
        if entry.way in ways:
            found |= ways[entry.way](entry)
    return found


def heartbeats_of(job: str, entries: Iterable[Notify]) -> Iterator[str]:
    """Yield the resources of a job's stack by which others are told of its starts and ends."""
    told = [one for one in entries if one.heartbeat and job in one.jobs]
    found: dict[str, Any] = {}
    if told:
        found["NoKey"] = _connected(_NO_KEY)
        found["CallRole"] = _caller(told, "rule/*")
    for entry in told:
        found |= _heartbeat(entry)
    for name, resource in found.items():
        yield f"{name}: {compact(resource)}"


# --- the ways -----------------------------------------------------------------------------------


def filter_of(entry: Notify) -> dict[str, list[Any]]:
    """Return the filter of a subscription, empty for everything.

    Alarms have no attributes: they come to who chooses by severity alone and takes errors.
    """
    chosen: dict[str, list[Any]] = {key: [*names] for key, names in _chosen(entry)}
    if set(chosen) == {messages.SEVERITY} and "error" in entry.severities:
        chosen[messages.SEVERITY].append({"exists": False})
    return chosen


def _chosen(entry: Notify) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, names in (
        (messages.JOB, entry.jobs),
        (messages.OUTCOME, entry.outcomes),
        (messages.SEVERITY, entry.severities),
    ):
        if names:
            yield key, names


def _mail(entry: Notify) -> Iterator[tuple[str, Any]]:
    if entry.sender:
        given = f'{{"to":{json.dumps(entry.mail)},"from":{json.dumps(entry.sender)},"told":<all>}}'
        target = {
            "Arn": {"Ref": "ByMail"},
            "RoleArn": {"Fn::GetAtt": ["CallRole", "Arn"]},
            **_shaped(given),
        }
        yield from _rules(entry, target)
        return
    chosen = filter_of(entry)
    yield (
        entry.identity,
        of_kind(
            "SNS::Subscription",
            TopicArn=_TOPIC,
            Protocol="email",
            Endpoint=entry.mail,
            **({"FilterPolicy": chosen} if chosen else {}),
        ),
    )


def _topic(entry: Notify) -> Iterator[tuple[str, Any]]:
    yield from _rules(entry, {"Arn": entry.topic, "InputPath": "$.detail"})


def _chat(entry: Notify) -> Iterator[tuple[str, Any]]:
    """Yield the channel, which Amazon Q Developer subscribes to the topic; it may do nothing."""
    chat = entry.chat
    common: dict[str, Any] = {
        "ConfigurationName": {"Fn::Sub": f"${{AWS::StackName}}-{entry.identity}"},
        "IamRoleArn": {"Fn::GetAtt": ["ChatRole", "Arn"]},
        "SnsTopicArns": [_TOPIC],
    }
    if "workspace" in chat:
        kind = "Chatbot::SlackChannelConfiguration"
        ids = {"SlackWorkspaceId": chat["workspace"], "SlackChannelId": chat["channel"]}
    else:
        kind = "Chatbot::MicrosoftTeamsChannelConfiguration"
        ids = {
            "TeamsTenantId": chat["tenant"],
            "TeamId": chat["team"],
            "TeamsChannelId": chat["channel"],
        }
    yield entry.identity, of_kind(kind, **common, **ids)


def _webhook(entry: Notify) -> Iterator[tuple[str, Any]]:
    yield from _destination(entry, _called_at(entry))
    kind, calling = str(entry.webhook), _calling(entry)
    if kind == "json":
        yield from _rules(entry, {**calling, "InputPath": "$.detail"})
    else:
        of_alarms = {**calling, **_shaped(_FORMS_OF_ALARMS[kind], _ALARM)}
        yield from _rules(entry, {**calling, **_shaped(_FORMS[kind])}, of_alarms)


def _shaped(template: str, names: Mapping[str, str] = _NAMES) -> dict[str, Any]:
    """Return how a target's input is made of what is told, of which ``names`` name keys."""
    paths = {name: f"$.detail.{key}" for name, key in names.items() if f"<{name}>" in template}
    if "<all>" in template:
        paths["all"] = "$.detail"
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}


def _rules(
    entry: Notify, target: Mapping[str, Any], of_alarms: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the rule for what an entry is told, and where alarms need one of their own, that, too.

    One is enough where both are told alike, and the entry chooses nothing.
    """
    chosen: dict[str, list[Any]] = {key: [*names] for key, names in _chosen(entry)}
    whole = entry.takes_alarms and not chosen and of_alarms is None
    detail = None if whole else chosen or {messages.OUTCOME: [{"exists": True}]}
    yield entry.identity, _rule(_told(detail), {**target, **_IS_TRIED})
    if entry.takes_alarms and not whole:
        alarm = {**(of_alarms or target), **_IS_TRIED}
        yield f"{entry.identity}Alarm", _rule(_told({"AlarmName": [{"exists": True}]}), alarm)


def _heartbeat(entry: Notify) -> Iterator[tuple[str, Any]]:
    """Yield a rule for the start, one for success and one for failure.

    The body has when the execution began and ended, in epoch milliseconds: with the start and the
    end of it the service knows the duration.
    """
    url, kind = _called_at(entry), str(entry.heartbeat)
    yield from _destination(entry, f"{url}/*" if kind == "healthchecks" else url)
    names = ("name", "status", "startDate", "stopDate")
    shaped = {
        "InputTransformer": {
            "InputPathsMap": {name: f"$.detail.{name}" for name in names},
            "InputTemplate": "{" + ",".join(f'"{name}":<{name}>' for name in names) + "}",
        }
    }
    parameter, words = _MOMENTS_SAID[kind]
    for (moment, detail), word in zip(_MOMENTS.items(), words.split(), strict=True):
        said: dict[str, Any] = {"PathParameterValues": [word]}
        if parameter:
            said = {"QueryStringParameters": {parameter: word}}
        pattern = {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"stateMachineArn": [{"Ref": "StateMachine"}], **detail},
        }
        target = {
            **_calling(entry),
            **shaped,
            "HttpParameters": said,
            "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 900},
        }
        yield entry.identity + moment.title(), _rule(pattern, target)


# --- what they have in common -------------------------------------------------------------------


def _secret(entry: Notify) -> str:
    return f"{{{{resolve:secretsmanager:{entry.secret}:SecretString:{entry.secret_key}}}}}"


def _called_at(entry: Notify) -> str:
    if entry.url:
        return entry.url.rstrip("/") if entry.heartbeat == "healthchecks" else entry.url
    return _ENDPOINTS.get(str(entry.webhook)) or _secret(entry)


def _connection(entry: Notify) -> dict[str, str]:
    """Return the header that an entry's calls have."""
    if entry.webhook in ("opsgenie", "json"):
        scheme = "GenieKey " if entry.webhook == "opsgenie" else ""
        return {"ApiKeyName": "Authorization", "ApiKeyValue": f"{scheme}{_secret(entry)}"}
    return _NO_KEY


def _connected(key: Mapping[str, str], body: Mapping[str, str] | None = None) -> dict[str, Any]:
    auth: dict[str, Any] = {"ApiKeyAuthParameters": dict(key)}
    if body:
        auth["InvocationHttpParameters"] = {
            "BodyParameters": [
                {"Key": name, "Value": value, "IsValueSecret": True} for name, value in body.items()
            ]
        }
    return of_kind("Events::Connection", AuthorizationType="API_KEY", AuthParameters=auth)


def _destination(entry: Notify, endpoint: str) -> Iterator[tuple[str, Any]]:
    """Yield what is called, and by which key."""
    connection = "NoKey"
    body = {"routing_key": _secret(entry)} if entry.webhook == "pagerduty" else None
    if body or _connection(entry) != _NO_KEY:
        connection = f"{entry.identity}Key"
        yield connection, _connected(_connection(entry), body)
    yield (
        f"{entry.identity}Url",
        of_kind(
            "Events::ApiDestination",
            ConnectionArn={"Fn::GetAtt": [connection, "Arn"]},
            HttpMethod="POST",
            InvocationEndpoint=endpoint,
        ),
    )


def _calling(entry: Notify) -> dict[str, Any]:
    return {
        "Arn": {"Fn::GetAtt": [f"{entry.identity}Url", "Arn"]},
        "RoleArn": {"Fn::GetAtt": ["CallRole", "Arn"]},
    }


def _told(detail: Mapping[str, Any] | None) -> dict[str, Any]:
    pattern = {"source": [{"Fn::Sub": SOURCE}], "detail-type": [TOLD]}
    return {**pattern, "detail": detail} if detail else pattern


def _rule(pattern: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    return of_kind("Events::Rule", EventPattern=pattern, Targets=[{"Id": "told", **target}])


def _onto_the_bus() -> dict[str, Any]:
    """Return what puts each notification onto the account's bus.

    Others may publish whatever they like to a topic that was there before: of that one, only
    notifications are taken.
    """
    queue, bus = {"Fn::GetAtt": ["Told", "Arn"]}, here("events", "event-bus/default")
    role = role_for(
        "pipes.amazonaws.com",
        None,
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue),
        allow("events:PutEvents", bus),
    )
    return {
        "Told": of_kind("SQS::Queue", MessageRetentionPeriod=86_400, **_ENCRYPTED),
        "ToldPolicy": queue_policy("Told", "sns.amazonaws.com", _TOPIC),
        "ToldSubscription": of_kind(
            "SNS::Subscription",
            TopicArn=_TOPIC,
            Protocol="sqs",
            Endpoint=queue,
            RawMessageDelivery=True,
            FilterPolicy={"Fn::If": ["OwnTopic", NOTHING, {messages.OUTCOME: [{"exists": True}]}]},
        )
        | {"DependsOn": ["ToldPolicy"]},
        "PipeRole": role | {"Properties": {**role["Properties"], **_MAY_USE_THE_KEY}},
        "ToldPipe": of_kind(
            "Pipes::Pipe",
            Source=queue,
            Target=bus,
            RoleArn={"Fn::GetAtt": ["PipeRole", "Arn"]},
            TargetParameters={
                "InputTemplate": "<$.body>",
                "EventBridgeEventBusParameters": {
                    "Source": {"Fn::Sub": SOURCE},
                    "DetailType": TOLD,
                },
            },
        ),
    }


def _undelivered() -> dict[str, Any]:
    """Return the queue for what was tried in vain, and the alarm that rings of it."""
    alarm = (
        "Something could not be told by a topic, webhook or mail of [[notify]], and lies in "
        "${Untold.QueueName} for 14 days with what its service answered. Correct its entry; "
        "to see it work: steadyspot notify --test. docs/runbooks/untold.md"
    )
    return {
        "Untold": of_kind("SQS::Queue", MessageRetentionPeriod=1_209_600, **_ENCRYPTED),
        "UntoldPolicy": queue_policy(
            "Untold", "events.amazonaws.com", here("events", "rule/${AWS::StackName}-*")
        ),
        "UntoldAlarm": of_kind(
            "CloudWatch::Alarm",
            AlarmName={"Fn::Sub": "${AWS::StackName}-untold"},
            AlarmDescription={"Fn::Sub": alarm},
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Untold", "QueueName"]}}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[_TOPIC],
        ),
    }


def _by_mail(senders: list[str]) -> dict[str, Any]:
    """Return the machine that sends mails, in a role that may send from these addresses alone."""
    addresses = dict.fromkeys(one for sender in senders for one in (sender, sender.split("@")[1]))
    identities = [here("ses", f"identity/{one}") for one in addresses]
    may_send = allow("ses:SendEmail", identities)
    role = role_for(
        "states.amazonaws.com",
        here("states", "stateMachine:${AWS::StackName}-ByMail"),
        {**may_send, "Condition": {"StringEquals": {"ses:FromAddress": senders}}},
        allow("sqs:SendMessage", {"Fn::GetAtt": ["Untold", "Arn"]}),
    )
    policies = [{"Ref": "LogDelivery"}, *_MAY_USE_THE_KEY["ManagedPolicyArns"]]
    logs = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["MachinesLog", "Arn"]}}}
    return {
        "ByMailRole": role
        | {
            "Properties": {
                **role["Properties"],
                "ManagedPolicyArns": policies,
                # The platform's key is for machines by this tag.
                "Tags": [{"Key": "Job", "Value": "ByMail"}],
            }
        },
        "ByMail": of_kind(
            "StepFunctions::StateMachine",
            StateMachineName={"Fn::Sub": "${AWS::StackName}-ByMail"},
            RoleArn={"Fn::GetAtt": ["ByMailRole", "Arn"]},
            LoggingConfiguration={
                "Level": "ALL",
                "IncludeExecutionData": False,
                "Destinations": [logs],
            },
            EncryptionConfiguration={
                "Fn::If": [
                    "HasKey",
                    {
                        "Type": "CUSTOMER_MANAGED_KMS_KEY",
                        "KmsKeyId": {"Ref": "Key"},
                        "KmsDataKeyReusePeriodSeconds": 900,
                    },
                    {"Type": "AWS_OWNED_KEY"},
                ]
            },
            DefinitionS3Location="../../statemachines/rendered/by-mail.asl.yaml",
            DefinitionSubstitutions={"Untold": {"Ref": "Untold"}},
        ),
    }


def _caller(entries: Iterable[Notify], rules: str, *, posts: bool = False) -> dict[str, Any]:
    """Return the role in which rules call what the entries name, and nothing else."""
    called = [{"Fn::GetAtt": [f"{one.identity}Url", "Arn"]} for one in entries]
    may = [
        *([allow("events:InvokeApiDestination", called)] if called else []),
        *([allow("states:StartExecution", {"Ref": "ByMail"})] if posts else []),
    ]
    return role_for("events.amazonaws.com", here("events", rules), *may)
