"""What `check` looks at in the network: the zones that the subnets lie in.

Spot runs out by zone, so one zone is not enough.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged


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
