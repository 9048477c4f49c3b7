"""The worker's options as a task definition has them: one text, with a line for each.

A variable of its own, were it empty, would hide what the image says; a line that is empty hides
nothing. So a template names every option without asking which of them are set.
"""

from __future__ import annotations

from collections.abc import Mapping

from steadyspot.contract import Env


def spread(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the lines of ``OPTIONS`` (``NAME=VALUE``) as its variables.

    They come before what the image says; one without a value leaves that as it is.
    """
    lines = (line.partition("=") for line in environ.get(Env.OPTIONS, "").split("\n"))
    own = {name: value for name, value in environ.items() if name != Env.OPTIONS}
    return own | {name: value for name, _, value in lines if value}
