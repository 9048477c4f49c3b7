"""What `check` looks at in what is deployed already: cluster, mail, and the stacks themselves.

Before the first `up` it says what will be made.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged


def providers(looks: Looks) -> Iterator[Finding]:
    """Yield whether the cluster has Fargate's two capacity providers."""
    given = looks.target.config.platform.cluster
    name = given or looks.target.platform_stack
    clusters = looks.client("ecs").describe_clusters(clusters=[name])["clusters"]
    alive = [cluster for cluster in clusters if cluster["status"] == "ACTIVE"]
    if not alive and given:
        text = f"there is no cluster {given}."
        yield Finding("capacity", Level.BAD, text, "Create it, or correct cluster in the file.")
        return
    if not alive:
        yield Finding("capacity", Level.GOOD, "the cluster will be made, with FARGATE_SPOT")
        return
    providers = set(alive[0].get("capacityProviders", []))
    missing = {"FARGATE", "FARGATE_SPOT"} - providers
    yield judged(
        "capacity",
        not missing,
        f"the cluster lacks {', '.join(sorted(missing))}."
        if missing
        else "FARGATE and FARGATE_SPOT are associated with the cluster",
        f"Associate them: aws ecs put-cluster-capacity-providers --cluster {given} …"
        if given
        else "Run steadyspot up, which associates them again.",
    )


def mail(looks: Looks) -> Iterator[Finding]:
    """Yield whether somebody is told of trouble."""
    config = looks.target.config
    mail = config.platform.mail
    if mail is None:
        if not any(entry.takes_alarms for entry in config.notify):
            text = "nobody is told of all trouble"
            yield Finding("mail", Level.NOTE, text, "Set mail in [platform], or write [[notify]].")
        return
    if not looks.target.stacks.exists(looks.target.platform_stack):
        yield Finding("mail", Level.GOOD, f"{mail} will be asked by AWS to confirm")
        return
    topic = looks.target.platform["Topic"]
    found = looks.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arns = [s["SubscriptionArn"] for s in found if s["Endpoint"] == mail]
    confirmed = any(arn.startswith("arn:") for arn in arns)
    yield judged(
        "mail",
        confirmed,
        f"{mail} is told" if confirmed else f"{mail} has not confirmed yet, and is told nothing",
        "Click the link in AWS's mail; steadyspot up sends none again while it is pending.",
        Level.NOTE,
    )


def stacks(looks: Looks) -> Iterator[Finding]:
    """Yield in which state the stacks are, once their names are nobody else's."""
    target = looks.target
    names = (target.platform_stack, *map(target.config.job_stack, looks.jobs))
    target.stacks.refuse_names(names)
    for name in names:
        stack = target.stacks.describe(name)
        status = stack["StackStatus"] if stack else "not there yet"
        yield judged(
            f"stack {name}",
            not status.endswith("FAILED") and status != "ROLLBACK_COMPLETE",
            status,
            "steadyspot up settles that before it changes anything.",
            Level.NOTE,
        )
