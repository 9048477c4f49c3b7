"""Brings up, compares or removes the stacks of many jobs side by side, and shows how it goes.

One stack is shown with all its resources; of several each has a line. What somebody has to agree to
is asked afterwards, one by one, since questions cannot be asked side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from steadyspot.deploy.cli.under_way import UnderWay
from steadyspot.deploy.stacks.down import remove_stack
from steadyspot.deploy.stacks.side_by_side import AT_ONCE, Ended, failure_of, side_by_side
from steadyspot.deploy.stacks.up import NotAgreed, Wanted, bring

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.changes import Plan
    from steadyspot.deploy.target import Target


def bring_all(
    target: Target,
    stacks: Sequence[Wanted],
    screen: Screen,
    agreed: Callable[[Plan], bool],
    needs_nobody: Callable[[Plan], bool],
    at_once: int,
) -> Iterator[tuple[str, bool]]:
    """Bring stacks up; yield each that is, and whether there was anything to change.

    ``needs_nobody`` says of a plan that it is carried out without a question.

    Raises
    ------
    Trouble
        At the end, of all stacks that could not be brought up.
    """
    if len(stacks) == 1:
        yield stacks[0].stack, bring(target, stacks[0], screen, agreed)
        return
    target.platform  # noqa: B018  # read before threads would all read it
    ended: list[Ended[bool]] = []
    to_ask: list[Wanted] = []
    with UnderWay(screen, len(stacks)) as lines:
        work = {
            one.stack: partial(bring, target, one, lines.screen_of(one.stack), needs_nobody)
            for one in stacks
        }
        for one in side_by_side(work, at_once):
            if isinstance(one.trouble, NotAgreed):
                to_ask += [wanted for wanted in stacks if wanted.stack == one.stack]
                lines.end(one.stack, "has to be agreed to", "yellow")
                continue
            ended.append(one)
            if one.trouble:
                lines.end(one.stack, one.trouble.what, "red")
            else:
                lines.end(one.stack, "up to date" if one.result else "nothing to change")
                yield one.stack, bool(one.result)
    for wanted in to_ask:
        yield wanted.stack, bring(target, wanted, screen, agreed)
    if failed := failure_of(ended, "brought up"):
        raise failed


def remove_all(
    target: Target, stacks: Sequence[str], screen: Screen, at_once: int = AT_ONCE
) -> Iterator[str]:
    """Remove stacks of jobs; yield each that is gone.

    Raises
    ------
    Trouble
        At the end, of all stacks that could not be removed.
    """
    if len(stacks) <= 1:
        for stack in stacks:
            remove_stack(target, stack, screen)
            yield stack
        return
    ended: list[Ended[None]] = []
    with UnderWay(screen, len(stacks)) as lines:
        work = {
            stack: partial(remove_stack, target, stack, lines.screen_of(stack)) for stack in stacks
        }
        for one in side_by_side(work, at_once):
            ended.append(one)
            if one.trouble:
                lines.end(one.stack, one.trouble.what, "red")
            else:
                lines.end(one.stack, "removed")
                yield one.stack
    if failed := failure_of(ended, "removed"):
        raise failed
