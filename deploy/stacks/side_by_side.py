"""Works on many stacks at once: what one meets does not stop the others.

Each worker is a thread that nobody waits for, so that Ctrl-C ends the command at once; what AWS
was told goes on there. How quickly CloudFormation is asked is left to its client, which slows down
where AWS throttles it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.trouble import Trouble

AT_ONCE = 8
MOST_AT_ONCE = 32
T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """What became of the work on one stack: a result, or the trouble it met."""

    stack: str
    result: T | None = None
    trouble: Trouble | None = None


def side_by_side(work: Mapping[str, Callable[[], T]], at_once: int) -> Iterator[Ended[T]]:
    """Do the work on each stack, so many at once, and yield what became of it as it ends.

    Raises
    ------
    Exception
        What a worker met that is no trouble a person can mend.
    """
    waiting: SimpleQueue[tuple[str, Callable[[], T]]] = SimpleQueue()
    ended: SimpleQueue[Ended[T] | BaseException] = SimpleQueue()
    for item in work.items():
        waiting.put(item)

    def worker() -> None:
        while True:
            try:
                stack, do = waiting.get_nowait()
            except Empty:
                return
            try:
                ended.put(Ended(stack, do()))
            except BaseException as error:  # It is raised again where the command can tell it.
                trouble = trouble_of(error) if isinstance(error, Exception) else None
                ended.put(error if trouble is None else Ended(stack, trouble=trouble))

    for _ in range(min(at_once, len(work))):
        threading.Thread(target=worker, daemon=True).start()
    for _ in work:
        one = ended.get()
        if isinstance(one, BaseException):
            raise one
        yield one


def in_order(work: Mapping[str, Callable[[], T]], at_once: int) -> list[Ended[T]]:
    """Do the work on each stack and return what became of it, in the order of the work."""
    found = {one.stack: one for one in side_by_side(work, at_once)}
    return [found[stack] for stack in work]


def failure_of(ended: Sequence[Ended[T]], what: str) -> Trouble | None:
    """Return the trouble that some stacks met as one, None where none did; ``what`` failed."""
    bad = [(one.stack, one.trouble) for one in ended if one.trouble]
    if not bad:
        return None
    if len(ended) == 1:
        return bad[0][1]
    told = "; ".join(f"{stack}: {trouble.what}" for stack, trouble in bad)
    advice = " ".join(dict.fromkeys(trouble.what_to_do for _, trouble in bad))
    return Trouble(
        f"{len(bad)} of {len(ended)} stacks could not be {what}. {told}",
        f"The others were. {advice} The same command goes on.",
    )
