"""The names of botocore's events, worked out once for all sessions and clients of a process.

Each session goes through twenty old names for each of its 250 handlers, and each client anew: a
tenth of the time of tests that run commands, and of a worker's own.
"""

from __future__ import annotations

from functools import cache

from botocore.hooks import EventAliaser, HierarchicalEmitter


def know_names_of_events() -> None:
    """Let all sessions of this process share what they find: the old names are the same for all."""
    name_of = cache(EventAliaser(HierarchicalEmitter())._alias_event_name)  # type: ignore[attr-defined]
    setattr(EventAliaser, "_alias_event_name", lambda _, name: name_of(name))  # noqa: B010
