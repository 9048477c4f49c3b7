"""What the name of an image says: whether it lies in a registry, and where in ECR; pure."""

from __future__ import annotations

import re

ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def in_registry(image: str) -> bool:
    """Return whether a name says in which registry the image lies, as ``docker pull`` reads it."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first)


def repository_in(image: str) -> str:
    """Return the ECR repository that an image lies in, empty where it is none of ECR."""
    found = ECR.fullmatch(image)
    return found["repository"] if found else ""
