"""What `check` looks at in who is told: mails confirmed, senders verified, secrets complete.

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
    by_sns = any(entry.mail and not entry.sender for entry in entries)
    confirmed = _confirmed(looks) if by_sns else set()
    for entry in entries:
        about = f"notify: {entry.way} {entry.whom}"
        if entry.sender:
            yield _sender(looks, about, entry.sender)
        elif entry.mail:
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
    if any(entry.sender for entry in entries) and not looks.local:
        yield _sandbox(looks)


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


def _sender(looks: Looks, about: str, sender: str) -> Finding:
    """Return whether SES may send from an address: it is verified, or its domain is."""
    verified = any(_is_verified(looks, one) for one in (sender, sender.split("@")[1]))
    return judged(
        about,
        verified,
        f"SES may send from {sender}" if verified else f"SES may not send from {sender} yet.",
        f"Verify it, or its domain: aws sesv2 create-email-identity --email-identity {sender}",
    )


def _is_verified(looks: Looks, identity: str) -> bool:
    try:
        found = looks.client("sesv2").get_email_identity(EmailIdentity=identity)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return False
    return bool(found["VerificationStatus"] == "SUCCESS")


def _sandbox(looks: Looks) -> Finding:
    """Return whether the account sends to anybody."""
    anybody = looks.client("sesv2").get_account()["ProductionAccessEnabled"]
    return judged(
        "notify: SES",
        anybody,
        "sends to anybody"
        if anybody
        else "is in its sandbox: it sends to verified addresses alone",
        "Verify each address in mail, too, or ask for production access in the console of SES.",
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
