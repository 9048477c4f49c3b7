"""What ``steadyspot check`` looks at before anything is deployed; it changes nothing.

Each check is a function from a :class:`Looks` to findings. Where the account does not let us look,
or the target has no such service, that is a finding of its own and no failure.
"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.checks import (
    account,
    existing,
    hardening,
    images,
    keys,
    network,
    platform,
    records,
    secrets,
    shards,
    stops,
    timing,
    told,
)
from steadyspot.deploy.checks.findings import Check, Finding, Level, Looks
from steadyspot.deploy.trouble import Trouble

CHECKS: tuple[tuple[str, Check], ...] = (
    ("stacks", platform.stacks),
    ("permissions", account.permissions),
    ("role of ECS", account.linked_role),
    ("roles", account.terms),
    ("key", keys.key),
    ("quotas", account.quotas),
    ("zones", network.zones),
    ("way out", network.way_out),
    ("egress", network.egress),
    ("capacity", platform.providers),
    ("topic", existing.topic),
    ("bucket", existing.bucket),
    ("log groups", existing.log_groups),
    ("what jobs hold", existing.moved),
    ("images", images.images),
    ("secrets", secrets.secrets),
    ("schedules", timing.schedules),
    ("missed runs", timing.missed),
    ("spread", timing.spread),
    ("shards", shards.shards),
    ("chains", timing.chains),
    ("launches", timing.launches),
    ("grace", timing.grace),
    ("past stops", stops.past_stops),
    ("containers", hardening.containers),
    ("outputs", hardening.outputs),
    ("records", records.records),
    ("logs", records.logs),
    ("mail", platform.mail),
    ("notify", told.told),
)


def run(looks: Looks) -> Iterator[Finding]:
    """Yield all findings, in an order in which one would mend them.

    Who is asking comes first. AWS answers that to everybody, so an error there is not caught:
    credentials or region are wrong, and nothing else could be looked at. Trouble in which several
    checks run is told once.
    """
    told: set[str] = set()
    yield from account.identity(looks)
    for about, check in CHECKS:
        try:
            yield from check(looks)
        except (ClientError, BotoCoreError) as error:
            trouble = trouble_of(error)
            reason = trouble.what if trouble else str(error)
            yield Finding(
                about,
                Level.NOTE,
                f"could not be checked: {reason}",
                "" if looks.local else "Check with credentials that may look there.",
            )
        except Trouble as trouble:
            if trouble.what in told:
                continue
            told.add(trouble.what)
            yield Finding(about, Level.BAD, trouble.what, trouble.what_to_do)
