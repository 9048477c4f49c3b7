"""What moto loads slowest, imported with less work, so that the embedded AWS is up sooner.

For the regions of EC2, moto asks four sessions of boto3 one after the other, and each would read
the list of all endpoints and the description of EC2, the longest there is, anew. Here they share
what was read, also with the sessions of this program. The types of EC2's machines and where there
are which, in a hundred files, are not read at all: no task runs on one.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import botocore.session
from moto.utilities import utils

from steadyspot.deploy.aws.local_session import DESCRIPTIONS

_MACHINES = "ec2/resources/instance_type"
_load = utils.load_resource


def _load_but_for_machines(resource: str) -> Any:
    return {} if resource.startswith(_MACHINES) else _load(resource)


@contextlib.contextmanager
def _in_place(module: Any, name: str, other: Any) -> Iterator[None]:
    """Let something else stand for what a module has under a name."""
    its_own = getattr(module, name)
    setattr(module, name, other)
    yield
    setattr(module, name, its_own)


with (
    _in_place(botocore.session, "create_loader", lambda *_: DESCRIPTIONS),
    _in_place(utils, "load_resource", _load_but_for_machines),
):
    ecs_paths: dict[str, Any] = importlib.import_module("moto.ecs.urls").url_paths
    """By path what answers the API of ECS; it is this import that loads EC2, too."""
