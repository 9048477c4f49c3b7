"""What `check` looks at in the platform's customer key: its state, and whom its policy lets in."""

from __future__ import annotations

import json
from collections.abc import Iterator

from botocore.exceptions import ClientError

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.stacks.keys import kept_out, place_of

_POLICY = "What its policy must say: steadyspot permissions key."


def key(looks: Looks) -> Iterator[Finding]:
    """Yield whether the key can encrypt, and services that act by themselves may use it."""
    platform = looks.target.config.platform
    if platform.key is None:
        return
    if looks.local:
        yield Finding("key", Level.NOTE, "the embedded AWS encrypts nothing")
        return
    region, here = place_of(platform)[0], looks.target.session.region_name
    kms = looks.client("kms")
    yield judged(
        "key",
        region == here,
        f"it lies in {region}"
        if region == here
        else f"it lies in {region}, but the platform in {here}.",
        "Name a key of that region in steadyspot.toml: key.",
    )
    if region != here:
        return
    try:
        found = kms.describe_key(KeyId=platform.key)["KeyMetadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        yield Finding("key", Level.BAD, f"there is no {platform.key}.", "Correct key in the file.")
        return
    form = (found["KeyState"], found["KeySpec"], found["KeyUsage"])
    good = form == ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    yield judged(
        "key",
        good,
        "it is enabled, and can encrypt" if good else f"it is {', '.join(form)}.",
        "Enable it, or name a symmetric one that encrypts: key in steadyspot.toml.",
    )
    yield _policy(looks)


def _policy(looks: Looks) -> Finding:
    platform = looks.target.config.platform
    try:
        shown = looks.client("kms").get_key_policy(KeyId=platform.key, PolicyName="default")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return Finding(
            "key",
            Level.NOTE,
            "its policy cannot be read, so that it is not known whether logs, alarms and rules may "
            "use it",
            f"Ask who administers it. {_POLICY}",
        )
    out = kept_out(platform, json.loads(shown["Policy"]))
    return judged(
        "key",
        not out,
        f"its policy keeps out {', '.join(out)}."
        if out
        else "its policy lets the account's roles, logs, alarms and rules use it",
        _POLICY,
    )
