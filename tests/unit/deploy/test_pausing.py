"""Which jobs can rest, asked of stacks as they are described."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.pausing import set_paused
from steadyspot.deploy.trouble import Trouble


class Deployed:
    """A stack with some parameters, which takes no change."""

    def __init__(self, **parameters: str) -> None:
        self._parameters = parameters

    def outputs(self, _name: str) -> dict[str, str]:
        return {}

    def parameters(self, _name: str) -> dict[str, str]:
        return self._parameters


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"Paused": "false", "ScheduleExpression": ""}, "night is deployed without a schedule"),
        ({"ScheduleExpression": "rate(1 hour)"}, "by a version that knows no pause"),
    ],
)
def test_what_cannot_rest_is_said(parameters: dict[str, str], told: str) -> None:
    config = parse('[jobs.night]\nimage = "x"\n')
    target: Any = SimpleNamespace(config=config, stacks=Deployed(**parameters))

    with pytest.raises(Trouble, match=told):
        set_paused(target, config.job(), lambda _event: None, paused=True)
