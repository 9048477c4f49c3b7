"""A worker whose keys lie below a prefix touches nothing beside it, and knows nothing of it."""

from __future__ import annotations

import inspect
from typing import Any

from steadyspot.worker.keeping.below import Below
from steadyspot.worker.keeping.store import Bucket


class Asked:
    """A bucket that keeps the first argument of each call."""

    def __init__(self) -> None:
        self.keys: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda key, *_: self.keys.append(key)


def test_every_call_on_a_bucket_is_made_below_the_prefix() -> None:
    asked = Asked()
    below = Below(asked, "team/spot/")
    calls = [name for name in vars(Bucket) if not name.startswith("_")]
    assert "complete" in calls
    for name in calls:
        method = getattr(below, name)
        more = len(inspect.signature(method).parameters) - 1
        method(["k"] if name == "delete" else "k", *[None] * more)
    assert {str(one) for one in asked.keys} == {"team/spot/k", "['team/spot/k']"}
