"""What `check` looks at in the network: the zones that the subnets lie in, and the way out.

Spot runs out by zone, so one zone is not enough. A task needs a way to AWS's services: a public
address and an internet gateway, or a NAT, or an endpoint in the VPC for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.stacks.config import Job

_OUT = "0.0.0.0/0"
_TLS_PORT = 443
_NEEDED = ("ecr.api", "ecr.dkr", "s3", "logs", "dynamodb")
_BETTER, _OF_TRACES = "sts", "xray"
"""Endpoints without which a task runs: what the job asks of STS is lost, and traces."""


def zones(looks: Looks) -> Iterator[Finding]:
    """Yield whether the network spans zones enough for Spot."""
    platform, ec2 = looks.target.config.platform, looks.client("ec2")
    if platform.vpc is None:
        found = ec2.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
        )
        zones = {zone["ZoneName"] for zone in found["AvailabilityZones"]}
        yield judged(
            "zones",
            len(zones) >= 3,
            f"a network of its own, in three of {len(zones)} zones",
            "Take a region with three zones, or name vpc and subnets.",
        )
        return
    subnets = ec2.describe_subnets(SubnetIds=list(platform.subnets))["Subnets"]
    strangers = [s["SubnetId"] for s in subnets if s["VpcId"] != platform.vpc]
    if strangers:
        yield Finding(
            "zones",
            Level.BAD,
            f"{', '.join(strangers)} are not in {platform.vpc}.",
            "Name subnets of that VPC in steadyspot.toml.",
        )
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    yield judged(
        "zones",
        len(zones) >= 2,
        f"subnets in {', '.join(sorted(zones))}",
        "Name subnets in two zones or more: Spot runs out by zone.",
    )


def way_out(looks: Looks) -> Iterator[Finding]:
    """Yield whether tasks in given subnets reach AWS, and which endpoints are missing if not."""
    platform, ec2 = looks.target.config.platform, looks.client("ec2")
    if platform.vpc is None:
        return
    in_vpc = [{"Name": "vpc-id", "Values": [platform.vpc]}]
    tables = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]
    used = [_table_of(subnet, tables) for subnet in platform.subnets]
    ways = {_way(table) for table in used}
    if platform.assign_public_ip:
        yield judged(
            "way out",
            ways == {"internet"},
            "public addresses behind an internet gateway"
            if ways == {"internet"}
            else "tasks have public addresses, but a subnet has no route to an internet gateway.",
            "Add that route, or set assign_public_ip = false for subnets behind a NAT.",
        )
        return
    if ways == {"inside"}:
        yield Finding("way out", Level.GOOD, "private subnets behind a NAT or another network")
        return
    ids = {table["RouteTableId"] for table in used}
    there = {
        one["ServiceName"].split(".", 3)[3]
        for one in ec2.describe_vpc_endpoints(Filters=in_vpc)["VpcEndpoints"]
        if one["VpcEndpointType"] != "Gateway" or ids <= set(one.get("RouteTableIds", ()))
    }
    missing = [name for name in _needed(looks.jobs) if name not in there]
    yield judged(
        "way out",
        not missing,
        f"private subnets without a NAT lack the endpoints {', '.join(missing)}."
        if missing
        else "private subnets with an endpoint for all that tasks need",
        "Create them in the VPC (for s3 and dynamodb in the subnets' route tables), or a NAT.",
    )
    traced = any(map(looks.target.config.is_traced, looks.jobs))
    wanted = (_BETTER, *([_OF_TRACES] if traced else []))
    better = [name for name in wanted if name not in there]
    if better and not missing:
        text = f"there is no endpoint for {', '.join(better)}"
        mend = "Create them for jobs that send traces or ask STS for credentials."
        yield Finding("way out", Level.NOTE, text, mend)


def egress(looks: Looks) -> Iterator[Finding]:
    """Yield whether the rules of the file let tasks reach AWS, which they all ask by TLS."""
    rules = looks.target.config.platform.egress
    if rules:
        out = any(rule.protocol == "tcp" and rule.port == _TLS_PORT for rule in rules)
        yield judged(
            "egress",
            out,
            f"{len(rules)} rules; AWS is reached by port {_TLS_PORT}, as far as they lead to it"
            if out
            else f"no rule lets tcp out to port {_TLS_PORT}, by which tasks reach AWS.",
            "Add one: to the endpoints' addresses or prefix lists, or to 0.0.0.0/0.",
        )


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the route table of a subnet: its own, else the main one of the VPC."""
    nothing: Mapping[str, Any] = {"RouteTableId": "", "Routes": []}
    main = nothing
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def _way(table: Mapping[str, Any]) -> str:
    """Return where what is for elsewhere goes: to the internet, inside AWS, or nowhere."""
    route = next((one for one in table["Routes"] if one.get("DestinationCidrBlock") == _OUT), None)
    if route is None or route.get("State") == "blackhole":
        return "nowhere"
    return "internet" if str(route.get("GatewayId", "")).startswith("igw-") else "inside"


def _needed(jobs: Sequence[Job]) -> list[str]:
    """Return the services that jobs need to start and to work, as endpoints are named; pure."""
    arns = [
        arn
        for job in jobs
        for table in (job.secrets, *(one.secrets for one in job.sidecars.values()))
        for arn in table.values()
    ]
    arns += [job.secret for job in jobs if job.secret]
    more = [name for name in ("secretsmanager", "ssm") if any(f":{name}:" in arn for arn in arns)]
    more += ["ssmmessages"] if any(job.debug for job in jobs) else []
    efs = any(volume.efs for job in jobs for volume in job.volumes.values())
    return [*_NEEDED, *more, *(["elasticfilesystem"] if efs else [])]
