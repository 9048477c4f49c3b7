"""Who is told, as `[[notify]]` says it: what is taken, and what the stacks come to by it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from steadyspot.contract import messages
from steadyspot.contract.states import ByMailState
from steadyspot.deploy.checks import platform as of_platform
from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.checks.told import told
from steadyspot.deploy.local.cloudformation.text import parsed
from steadyspot.deploy.local.events import is_matched
from steadyspot.deploy.runs.telling import all_told, told_by, trials_of
from steadyspot.deploy.stacks.config import Config, ConfigError
from steadyspot.deploy.stacks.config_file import parse, schema
from steadyspot.deploy.stacks.marks import mark_of, with_mark
from steadyspot.deploy.stacks.notify import WAYS, Notify
from steadyspot.deploy.stacks.notify_parts import resources_of
from steadyspot.deploy.stacks.resources import compact
from steadyspot.deploy.stacks.rights import OF_TYPES
from steadyspot.deploy.stacks.templates import LARGEST_BYTES
from steadyspot.deploy.stacks.up import platform_of, stack_of
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble
from steadyspot.statemachines.composing import FOLDER
from tests.unit.deploy.fakes import Calls, refusal
from tests.unit.linting import lint

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:told-AbCdEf"
JOBS = '[jobs.night]\nimage = "x"\n[jobs.noon]\nimage = "x"\n'
PLATFORM = '[platform]\nname = "shop"\nmail = "all@example.com"\n'
EVERY_WAY = f"""
[[notify]]
mail = "oncall@example.com"
severities = ["error"]

[[notify]]
mail = "night@example.com"
jobs = ["night"]
outcomes = ["failed", "missed"]

[[notify]]
topic = "arn:aws:sns:eu-central-1:210987654321:others"

[[notify]]
chat = {{ workspace = "T07ABC", channel = "C07ABC" }}

[[notify]]
[notify.chat]
tenant = "00000000-0000-4000-8000-000000000001"
team = "00000000-0000-4000-8000-000000000002"
channel = "19%3ab6ef%40thread.tacv2"

[[notify]]
webhook = "slack"
secret = "{SECRET}"

[[notify]]
webhook = "pagerduty"
secret = "{SECRET}"
severities = ["error"]
jobs = ["night", "noon"]

[[notify]]
webhook = "opsgenie"
secret = "{SECRET}"

[[notify]]
webhook = "json"
url = "https://example.com/told"
secret = "{SECRET}"

[[notify]]
heartbeat = "healthchecks"
url = "https://hc-ping.com/night"
jobs = ["night"]

[[notify]]
heartbeat = "sentry"
secret = "{SECRET}"
jobs = ["noon"]
"""

BY_SES = """
[[notify]]
mail = "oncall@example.com"
sender = "steadyspot@example.com"
severities = ["error"]
"""


def config(entries: str) -> Config:
    return parse(PLATFORM + JOBS + entries, Path("steadyspot.toml"))


def refused(entries: str) -> str:
    with pytest.raises(ConfigError) as fault:
        config(entries)
    return str(fault.value)


def templates(of: Config) -> dict[str, str]:
    """The texts of the stacks of a platform and its jobs, by name."""
    target = Target(of, None)  # type: ignore[arg-type]
    stacks = [platform_of(target), *(stack_of(target, job) for job in of.jobs.values())]
    return {stack.stack: stack.template.text for stack in stacks}


def test_every_way_is_taken_and_names_whom_it_tells() -> None:
    entries = config(EVERY_WAY).notify
    assert {entry.way for entry in entries} == set(WAYS)
    assert entries[1] == Notify(
        mail="night@example.com", jobs=("night",), outcomes=("failed", "missed")
    )
    assert entries[3].whom == "T07ABC/C07ABC"
    assert len({entry.identity for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", "must name one of mail, topic, chat, webhook, heartbeat, but names none of them"),
        (f'mail = "a@b.de"\nwebhook = "slack"\nsecret = "{SECRET}"', "names mail and webhook"),
        ('mail = "all@example.com"', "platform.mail, which is told of everything already"),
        ('mail = "a@b.de"\njobs = ["nite"]', 'has no job "nite" (did you mean night?)'),
        ('mail = "a@b.de"\nurl = "https://a.de"', "has no url, which is for webhook and heartbeat"),
        ('mail = "a@b.de"\noutcomes = ["broken"]', 'is "broken", but must be one of "finished"'),
        ('webhook = "pagerduty"', "needs secret: the ARN of a JSON object of Secrets Manager with"),
        (f'webhook = "slack"\nurl = "https://a.de"\nsecret = "{SECRET}"', "can't have url"),
        (f'webhook = "json"\nsecret = "{SECRET}"', "needs url, where it is called"),
        ('heartbeat = "sentry"\nsender = "a@b.de"', "has no sender, which is for mail"),
        ('mail = "a@b.de"\nsender = "me"', "must be a mail address that SES may send from"),
        ('webhook = "json"\nurl = "http://a.de"', "must be an address that begins with https://"),
        ('heartbeat = "sentry"\nurl = "https://a.de"', "needs jobs with one job"),
        ('heartbeat = "sentry"\njobs = ["night"]', "needs url, or secret with a url in it"),
        ('chat = { workspace = "T1" }', "must be a table with the ids of a channel"),
        (
            'chat = { workspace = "T1", channel = "C1" }\nseverities = ["error"]',
            "can't choose for a chat, which Amazon Q Developer shows all of a topic: a webhook can",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_line(entry: str, said: str) -> None:
    before = '[[notify]]\nmail = "first@example.com"\n'
    fault = refused(f"{before}[[notify]]\n{entry}\n")
    assert said in fault
    header = (PLATFORM + JOBS + before).count("\n") + 1
    lines = range(header, header + entry.count("\n") + 2)
    assert int(fault.split(":")[1]) in lines


def test_no_secret_is_shown_where_it_stands_in_the_place_of_its_name() -> None:
    assert "hush" not in refused('[[notify]]\nwebhook = "slack"\nsecret = "hush"\n')


def test_who_is_told_twice_is_told_to_be_one_entry() -> None:
    one = '[[notify]]\nmail = "a@example.com"\njobs = ["{}"]\n'
    assert "the same mail as another entry" in refused(one.format("night") + one.format("noon"))


def test_a_job_whose_events_say_nothing_has_no_heartbeat() -> None:
    key = 'key = "arn:aws:kms:eu-central-1:123456789012:key/1"\n'
    jobs = JOBS.replace('image = "x"\n', 'image = "x"\nencrypt_history = true\n', 1)
    entry = '[[notify]]\nheartbeat = "sentry"\nurl = "https://a.de"\njobs = ["night"]\n'
    with pytest.raises(ConfigError, match="which has encrypt_history: its events say nothing"):
        parse(PLATFORM + key + jobs + entry, Path("steadyspot.toml"))


def test_an_environment_has_its_own() -> None:
    text = (
        PLATFORM + JOBS + '[[notify]]\nmail = "a@example.com"\n[environments.prod]\n'
        'notify = [{ mail = "b@example.com" }]\n'
    )
    for environment, mail in ((None, "a@example.com"), ("prod", "b@example.com")):
        (entry,) = parse(text, Path("steadyspot.toml"), environment).notify
        assert entry.mail == mail


def test_the_schema_has_the_outcomes_severities_and_keys_that_there_are() -> None:
    notification = json.loads((FOLDER.parent / "schemas/notification.schema.json").read_text())
    properties = schema()["$defs"]["notify"]["items"]["properties"]
    for key, name in (("outcomes", messages.OUTCOME), ("severities", messages.SEVERITY)):
        assert properties[key]["items"]["enum"] == notification["properties"][name]["enum"]
    assert set(properties) == set(Notify.__dataclass_fields__)
    for key in ("webhook", "heartbeat"):
        kinds = get_args(get_args(get_type_hints(Notify)[key])[0])
        assert tuple(properties[key]["enum"]) == kinds


def test_each_entry_gets_a_test_and_as_few_are_sent_as_that_takes() -> None:
    of = config(EVERY_WAY)
    tests = trials_of(all_told(of), of.jobs)
    for entry in all_told(of):
        reached = [one for one in tests if entry.is_told(one.job, one.outcome, one.severity)]
        assert reached or entry.heartbeat, entry
    assert len(tests) == 1


def test_who_chose_another_job_is_told_by_a_test_of_its_own() -> None:
    entries = [Notify(mail="a@b.de", jobs=("noon",)), Notify(mail="c@d.de", severities=("info",))]
    tests = trials_of(entries, ["night", "noon"])
    assert [(one.job, one.severity) for one in tests] == [("noon", "error"), ("night", "info")]


def test_explain_names_whom_each_notification_was_for() -> None:
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in (("job", "night"), ("outcome", "failed"), ("severity", "error"))
    }
    call = {"TopicArn": "t", "Message": "hush", "MessageAttributes": attributes}

    def scheduled(kind: str, parameters: str) -> dict[str, Any]:
        details = {"resourceType": kind, "parameters": parameters}
        return {"type": "TaskScheduled", "taskScheduledEventDetails": details}

    entries = config(EVERY_WAY).notify[:3]
    sent, well = scheduled("sns", json.dumps(call)), {"type": "TaskSucceeded"}
    for events in ([sent], [scheduled("dynamodb", "{}"), well], [scheduled("sns", "{cut"), well]):
        assert list(told_by(events, entries)) == []
    assert list(told_by([scheduled("sqs", "{}"), well, sent, well, well], entries)) == [
        "failed (error): mail oncall@example.com, mail night@example.com, "
        "topic arn:aws:sns:eu-central-1:210987654321:others"
    ]
    assert list(told_by([sent, well], ())) == ["failed (error): nobody"]


# --- what `check` says --------------------------------------------------------------------------


def checked(
    entries: str,
    secret: str | None = None,
    mails: tuple[str, ...] = (),
    sesv2: Calls | None = None,
) -> list[Finding]:
    """What `check` finds about who is told, of a platform that is deployed."""

    def get_secret_value(**_: Any) -> dict[str, Any]:
        if secret is None:
            raise refusal("ResourceNotFoundException")
        return {"SecretString": secret}

    subscriptions = [{"Endpoint": one, "SubscriptionArn": "arn:aws:sns:x"} for one in mails]
    services = {
        "sesv2": sesv2 or Calls(),
        "secretsmanager": Calls(get_secret_value=get_secret_value),
        "sns": Calls(list_subscriptions_by_topic=lambda **_: {"Subscriptions": subscriptions}),
    }
    target = SimpleNamespace(
        config=config(entries),
        stacks=SimpleNamespace(exists=lambda _: True),
        platform_stack="shop",
        platform={"Topic": "t"},
        switches=None,
        client=services.__getitem__,
    )
    return list(told(Looks(target, [])))  # type: ignore[arg-type]


def test_check_says_which_secret_is_missing_or_lacks_what_its_service_needs() -> None:
    entry = f'[[notify]]\nwebhook = "pagerduty"\nsecret = "{SECRET}"\n'
    for held, level, said in (
        (None, Level.BAD, "is not there"),
        ("hush", Level.BAD, "lacks key"),
        ('{"url": "hush"}', Level.BAD, "lacks key"),
        ('{"key": "hush"}', Level.GOOD, "has key"),
    ):
        (found,) = checked(entry, held)
        assert (found.level, found.about) == (level, "notify: webhook pagerduty")
        assert said in found.text
        assert "hush" not in found.text + found.what_to_do


def test_check_says_who_has_not_confirmed_and_what_is_done_by_hand() -> None:
    entries = (
        '[[notify]]\nmail = "a@b.de"\n[[notify]]\nmail = "c@d.de"\n'
        '[[notify]]\nchat = { workspace = "T1", channel = "C1" }\n'
    )
    first, second, chat = checked(entries, mails=("a@b.de",))
    assert (first.level, second.level, chat.level) == (Level.GOOD, Level.NOTE, Level.NOTE)
    assert "has not confirmed yet" in second.text
    assert "Amazon Q Developer" in chat.what_to_do


@pytest.mark.parametrize(
    ("chosen", "is_said"),
    [("", False), ('severities = ["error"]', False), ('jobs = ["night"]', True), (None, True)],
)
def test_check_says_that_nobody_is_told_of_all_trouble_only_where_that_is_so(
    chosen: str | None, is_said: bool
) -> None:
    entry = "" if chosen is None else f'[[notify]]\nmail = "a@b.de"\n{chosen}\n'
    of = parse(PLATFORM.replace("mail", "# mail") + JOBS + entry, Path("steadyspot.toml"))
    target = SimpleNamespace(config=of, switches=None)
    found = [*of_platform.mail(Looks(target, []))]  # type: ignore[arg-type]
    assert [one.text for one in found] == ["nobody is told of all trouble"] * is_said


def ses(verified: dict[str, str], *, production: bool = True) -> Calls:
    """SES with these identities and how far their verification is."""

    def get_email_identity(EmailIdentity: str) -> dict[str, Any]:  # noqa: N803
        if EmailIdentity not in verified:
            raise refusal("NotFoundException")
        return {"VerificationStatus": verified[EmailIdentity]}

    return Calls(
        get_email_identity=get_email_identity,
        get_account=lambda: {"ProductionAccessEnabled": production},
    )


@pytest.mark.parametrize(
    ("identities", "level"),
    [
        ({"steadyspot@example.com": "SUCCESS"}, Level.GOOD),
        ({"example.com": "SUCCESS"}, Level.GOOD),
        ({"steadyspot@example.com": "PENDING"}, Level.BAD),
        ({"steadyspot@example.com": "PENDING", "example.com": "SUCCESS"}, Level.GOOD),
        ({}, Level.BAD),
    ],
)
def test_check_says_whether_ses_may_send_from_the_address(
    identities: dict[str, str], level: Level
) -> None:
    found, sandbox = checked(BY_SES, sesv2=ses(identities))
    assert (found.level, sandbox.level) == (level, Level.GOOD)
    assert ("create-email-identity" in found.what_to_do) == (level is Level.BAD)


def test_check_says_that_ses_is_in_its_sandbox() -> None:
    _, sandbox = checked(BY_SES, sesv2=ses({"example.com": "SUCCESS"}, production=False))
    assert sandbox.level is Level.NOTE
    assert "verified addresses alone" in sandbox.text


# --- what the stacks come to --------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_way() -> dict[str, str]:
    return templates(config(EVERY_WAY))


@pytest.fixture(scope="module")
def by_ses() -> dict[str, Any]:
    return resources_of([*config(BY_SES).notify])


def test_a_mail_with_a_sender_goes_by_ses_from_that_address_alone(by_ses: dict[str, Any]) -> None:
    assert not [one for one in by_ses.values() if one["Properties"].get("Protocol") == "email"]
    send, keep = by_ses["ByMailRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert send["Action"] == "ses:SendEmail"
    assert [one["Fn::Sub"].rpartition(":")[2] for one in send["Resource"]] == [
        "identity/steadyspot@example.com",
        "identity/example.com",
    ]
    assert send["Condition"] == {"StringEquals": {"ses:FromAddress": ["steadyspot@example.com"]}}
    assert keep["Resource"] == {"Fn::GetAtt": ["Untold", "Arn"]}


def test_its_rules_start_the_machine_that_sends_it_for_runs_and_alarms(
    by_ses: dict[str, Any],
) -> None:
    rules = [one["Properties"] for one in by_ses.values() if one["Type"] == "AWS::Events::Rule"]
    chosen = [one["EventPattern"]["detail"] for one in rules]
    assert chosen == [{"severity": ["error"]}, {"AlarmName": [{"exists": True}]}]
    for rule in rules:
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Ref": "ByMail"}
        shaped = target["InputTransformer"]
        assert json.loads(shaped["InputTemplate"].replace("<all>", "{}")) == {
            "to": "oncall@example.com",
            "from": "steadyspot@example.com",
            "told": {},
        }
        assert shaped["InputPathsMap"] == {"all": "$.detail"}


def test_the_platform_is_sent_the_definition_and_says_where_the_machine_is() -> None:
    template = templates(config(BY_SES))["shop"]
    whole = parsed(template)
    definition = json.loads(whole["Resources"]["ByMail"]["Properties"]["DefinitionString"])
    assert set(definition["States"]) == set(ByMailState)
    assert whole["Outputs"]["ByMail"] == {"Value": {"Ref": "ByMail"}}
    assert [match.message for match in lint(template) if match.rule.id != "W3002"] == []


def test_it_leaves_room_for_webhooks_and_a_chat() -> None:
    parts = EVERY_WAY.split("[[notify]]")
    others = [one for one in parts if "slack" in one or "json" in one or "workspace" in one]
    (text, *_) = templates(config("[[notify]]".join([BY_SES, *others]))).values()
    assert len(with_mark(text, mark_of("shop", "shop")).encode()) <= LARGEST_BYTES


def test_without_an_entry_the_templates_are_as_they_stand() -> None:
    for name, text in templates(config("")).items():
        found = parsed(text)["Resources"]
        assert not {"Told", "Untold", "CallRole", "NoKey", "ChatRole", "ByMail"} & set(found), name


def test_cfn_lint_is_content_with_every_way(every_way: dict[str, str]) -> None:
    for stack in ("shop", "shop-night"):
        found = lint(every_way[stack])
        assert [match.message for match in found if match.rule.id != "W3002"] == []


def test_a_stack_has_room_for_every_way(every_way: dict[str, str]) -> None:
    for stack, text in every_way.items():
        assert len(with_mark(text, mark_of("shop", stack)).encode()) <= LARGEST_BYTES


def test_what_is_written_short_is_read_as_what_it_was() -> None:
    words = ["no", "On", "y", "null", "1e3", "2012-10-17", "a: b", "a,b", "a:", "-", "*", "", "é<>"]
    hard = {word: [word, {"Ref": word}, {}, {word: 1}, True, None, 0.5] for word in words}
    resources = [hard, *resources_of([*config(EVERY_WAY).notify, *config(BY_SES).notify]).values()]
    for one in resources:
        assert parsed(f"it: {compact(one)}")["it"] == parsed(f"it: {json.dumps(one)}")["it"]


def test_more_entries_than_a_template_holds_are_refused_with_what_to_do() -> None:
    entry = '[[notify]]\nwebhook = "json"\nurl = "https://example.com/{}"\nsecret = "{}"\n'
    many = config("".join(entry.format(number, SECRET) for number in range(20)))
    with pytest.raises(Trouble, match=r"With so many entries of \[\[notify\]\]") as trouble:
        templates(many)
    assert "let one entry name several jobs" in trouble.value.what_to_do


def test_what_is_secret_is_named_by_reference_alone(every_way: dict[str, str]) -> None:
    reference = re.compile(r"\{\{resolve:secretsmanager:[^{}]+:SecretString:(url|key)\}\}")
    for text in every_way.values():
        assert SECRET not in reference.sub("", text)
    platform = json.dumps(parsed(every_way["shop"])["Resources"])
    assert {match[1] for match in reference.finditer(platform)} == {"url", "key"}


def test_every_type_that_is_made_has_a_row_of_rights(every_way: dict[str, str]) -> None:
    for text in every_way.values():
        for resource in parsed(text)["Resources"].values():
            assert resource["Type"].removeprefix("AWS::") in OF_TYPES


def test_alarms_reach_who_takes_errors_of_everything_and_nobody_who_chose_jobs() -> None:
    mails = {
        one["Properties"]["Endpoint"]: one["Properties"].get("FilterPolicy")
        for one in resources_of([*config(EVERY_WAY).notify]).values()
        if one["Properties"].get("Protocol") == "email"
    }
    assert mails["oncall@example.com"] == {"severity": ["error", {"exists": False}]}
    assert mails["night@example.com"] == {"job": ["night"], "outcome": ["failed", "missed"]}


def test_alarms_are_told_by_every_way_that_takes_errors_and_chooses_nothing_else() -> None:
    def entry(way: str, chosen: str) -> str:
        return f"[[notify]]\n{way}\n{chosen}\n"

    ways = (
        'topic = "arn:aws:sns:eu-central-1:210987654321:others"',
        f'webhook = "slack"\nsecret = "{SECRET}"',
        f'webhook = "pagerduty"\nsecret = "{SECRET}"',
        f'webhook = "opsgenie"\nsecret = "{SECRET}"',
        f'webhook = "json"\nurl = "https://example.com/told"\nsecret = "{SECRET}"',
        'mail = "a@example.com"\nsender = "b@example.com"',
    )
    alarm = {"AlarmName": "shop-night-parked", "NewStateValue": "ALARM"}
    of_a_run = {"job": "night", "outcome": "failed", "severity": "error"}
    for way in ways:
        for chosen, of_alarms in (
            ("", 1),
            ('severities = ["error", "info"]', 1),
            ('severities = ["info"]', 0),
            ('outcomes = ["failed"]', 0),
            ('jobs = ["night"]', 0),
        ):
            resources = resources_of([*config(entry(way, chosen)).notify])
            rules = [one for one in resources.values() if one["Type"] == "AWS::Events::Rule"]
            patterns = [one["Properties"]["EventPattern"] for one in rules]
            told = [one.get("detail") for one in patterns]
            assert matches(told, alarm) == of_alarms, (way, chosen)
            assert matches(told, of_a_run) == ('["info"]' not in chosen), (way, chosen)


def matches(patterns: list[Any], detail: dict[str, Any]) -> int:
    """How many of the patterns are for an event with this detail."""
    return sum(one is None or is_matched({"detail": detail}, {"detail": one}) for one in patterns)


def test_a_topic_that_others_publish_to_is_asked_for_notifications_alone(
    every_way: dict[str, str],
) -> None:
    subscription = parsed(every_way["shop"])["Resources"]["ToldSubscription"]["Properties"]
    assert subscription["FilterPolicy"] == {
        "Fn::If": ["OwnTopic", {"Ref": "AWS::NoValue"}, {"outcome": [{"exists": True}]}]
    }


def transformers(of: Any) -> list[dict[str, Any]]:
    """All input transformers of a template."""
    if isinstance(of, list):
        return [one for part in of for one in transformers(part)]
    if not isinstance(of, dict):
        return []
    own = [of["InputTransformer"]] if "InputTransformer" in of else []
    return own + transformers(list(of.values()))


def test_a_text_that_may_hold_quotes_is_put_into_a_form_as_a_whole_value(
    every_way: dict[str, str],
) -> None:
    """EventBridge writes a bare placeholder as JSON, and one within a text as it is."""
    resources = parsed(every_way["shop"])["Resources"]
    found = transformers([one for name, one in resources.items() if name.startswith("Webhook")])
    assert len(found) == 5
    for one in found:
        for name in ("sentence", "nextStep", "execution", "description", "reason", "all"):
            for match in re.finditer(f"<{name}>", one["InputTemplate"]):
                assert one["InputTemplate"].count('"', 0, match.start()) % 2 == 0, name
        named = set(re.findall(r"<(\w+)>", one["InputTemplate"]))
        assert named == set(one["InputPathsMap"])
