"""The signals that stop a task: those of them that an image may name as its STOPSIGNAL.

Their numbers are Linux's, whatever the system is that the command line reads an image on.
"""

from __future__ import annotations

import re

_NUMBERS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "USR1": 10,
    "USR2": 12,
    "TERM": 15,
    "WINCH": 28,
    "PWR": 30,
}
_REAL_TIME = range(34, 65)
_OF_REAL_TIME = re.compile(r"RTMIN(?:\+(?P<up>\d{1,2}))?|RTMAX(?:-(?P<down>\d{1,2}))?")

STOPS = frozenset((*_NUMBERS.values(), *_REAL_TIME))
"""What the worker takes as a stop, unless the job has it forwarded."""


def stop_number(text: str) -> int | None:
    """The number of a STOPSIGNAL such as ``SIGTERM``, ``QUIT``, ``RTMIN+3`` or ``15``.

    None where it is no signal that the worker takes as a stop.
    """
    word = text.upper().removeprefix("SIG")
    if found := _OF_REAL_TIME.fullmatch(word):
        first = _REAL_TIME[0] if word.startswith("RTMIN") else _REAL_TIME[-1]
        number = first + int(found["up"] or 0) - int(found["down"] or 0)
    else:
        number = int(word) if word.isdecimal() else _NUMBERS.get(word, 0)
    return number if number in STOPS else None
