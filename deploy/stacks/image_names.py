"""What the name of an image says: whether it lies in a registry, and where in ECR; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from steadyspot.deploy.forms import shown
from steadyspot.deploy.trouble import USAGE, Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Platform

ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    rf"{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_LONGEST = 255
FORM = 'a name such as "night:1", "registry.example.com/night:1" or one that ends in "@sha256:…"'
"""What the name of an image must be, to complete a sentence."""


def is_image(text: str) -> bool:
    """Return whether a text can be the name of an image, as ``docker pull`` takes it."""
    return len(text) <= _LONGEST and bool(_IMAGE.fullmatch(text))


def name_of_image(text: str) -> str:
    """Return the name of an image that somebody typed.

    Raises
    ------
    Trouble
        When it can be none.
    """
    if not is_image(text):
        raise Trouble(f"{shown(text)} is no image.", f"It must be {FORM}.", USAGE)
    return text


def in_registry(image: str) -> bool:
    """Return whether a name says in which registry the image lies, as ``docker pull`` reads it."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first)


def lies_elsewhere(image: str, home: Platform) -> bool:
    """Return whether an image lies in ECR of another account or region, as far as that is known.

    The platform's own repository has a name by which it is known, the account has not always.
    """
    found = ECR.fullmatch(image)
    if found is None or found["repository"].startswith(f"{home.name}-repository-"):
        return False
    return (found["account"], found["region"]) != (home.account, home.region)


def repository_in(image: str) -> str:
    """Return the ECR repository that an image lies in, empty where it is none of ECR."""
    found = ECR.fullmatch(image)
    return found["repository"] if found else ""
