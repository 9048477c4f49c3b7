"""Named constants that load at once, in the place of the standard library's enumerations.

A job's first instruction waits for what the worker imports, and ``enum`` alone takes 5 of the 25 ms
it may take. A type checker is shown the real ones; what differs is that these cannot be iterated.
"""

from __future__ import annotations


class _Constants:
    """Turns the names in capitals of a subclass into instances of it that know name and value."""

    name: str
    value: object

    def __init_subclass__(cls) -> None:
        for name, value in list(vars(cls).items()):
            if name.isupper():
                member = cls(value)  # type: ignore[call-arg]
                member.name, member.value = name, value
                setattr(cls, name, member)


class StrEnum(_Constants, str):
    """Constants that are strings."""


class IntEnum(_Constants, int):
    """Constants that are whole numbers."""
