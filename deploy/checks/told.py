"""What `check` looks at in who is told: mails confirmed, secrets with what their service needs.

No value of a secret is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from botocore.exceptions import ClientError

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.checks.secrets import NO_SECRET
from steadyspot.deploy.stacks.notify import Notify


def told(looks: Looks) -> Iterator[Finding]:
    """Yield whether each entry of `[[notify]]` can be told."""
    entries = looks.target.config.notify
    confirmed = _confirmed(looks) if any(entry.mail for entry in entries) else set()
    for entry in entries:
        about = f"notify: {entry.way} {entry.whom}"
        if entry.mail:
            yield _mail(about, entry.mail, confirmed)
        elif entry.chat:
            yield Finding(
                about,
                Level.NOTE,
                "its workspace must have been signed in to once",
                "Console of Amazon Q Developer in chat applications: configure a new client.",
            )
        elif entry.topic:
            yield Finding(
                about,
                Level.NOTE,
                "its policy must let events.amazonaws.com publish",
                "Try it: steadyspot notify --test.",
            )
        elif entry.secret:
            yield _secret(looks, about, entry)


def _confirmed(looks: Looks) -> set[str] | None:
    """Return the addresses that have confirmed; None before there is a topic."""
    if not looks.target.stacks.exists(looks.target.platform_stack):
        return None
    topic = looks.target.platform["Topic"]
    found = looks.client("sns").list_subscriptions_by_topic(TopicArn=topic)
    return {
        one["Endpoint"]
        for one in found["Subscriptions"]
        if one["SubscriptionArn"].startswith("arn:")
    }


def _mail(about: str, mail: str, confirmed: set[str] | None) -> Finding:
    if confirmed is None:
        return Finding(about, Level.GOOD, "AWS will ask it to confirm")
    return judged(
        about,
        mail in confirmed,
        "has confirmed" if mail in confirmed else "has not confirmed yet, and is told nothing",
        "Click the link in AWS's mail; steadyspot up sends none again while it is pending.",
        Level.NOTE,
    )


def _secret(looks: Looks, about: str, entry: Notify) -> Finding:
    """Return whether the secret is there, and has the one key that the service needs."""
    try:
        held = looks.client("secretsmanager").get_secret_value(SecretId=entry.secret)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NO_SECRET:
            raise
        return Finding(
            about, Level.BAD, f"{entry.secret} is not there.", "Create it, or correct secret."
        )
    has = _has(held.get("SecretString", ""), entry.secret_key)
    return judged(
        about,
        has,
        f"{entry.secret} {'has' if has else 'lacks'} {entry.secret_key}",
        f'Make it a JSON object with a text under "{entry.secret_key}".',
    )


def _has(text: str, key: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get(key), str) and bool(found[key])
