"""The worker's options in a task definition: lines that come before what the image says."""

from __future__ import annotations

import pytest

from steadyspot.contract import Env
from steadyspot.contract.options import spread


@pytest.mark.parametrize(
    ("image", "deployed", "in_force"),
    [
        ({}, "", {}),
        ({Env.UPLOADS: "2"}, "", {Env.UPLOADS: "2"}),
        ({Env.UPLOADS: "2"}, f"{Env.UPLOADS}=\n", {Env.UPLOADS: "2"}),
        ({Env.UPLOADS: "2"}, f"{Env.UPLOADS}=3\n", {Env.UPLOADS: "3"}),
        (
            {},
            f"{Env.MARKER}=/a b\u2028=c\n{Env.UPLOADS}=3\n",
            {Env.MARKER: "/a b\u2028=c", Env.UPLOADS: "3"},
        ),
        ({}, f"{Env.MARKER}\n", {}),
    ],
)
def test_a_line_with_a_value_comes_before_the_image_and_an_empty_one_hides_nothing(
    image: dict[str, str], deployed: str, in_force: dict[str, str]
) -> None:
    assert spread({"PATH": "/bin", **image, Env.OPTIONS: deployed}) == {"PATH": "/bin", **in_force}


def test_without_a_task_definition_an_environment_stays_as_it_is() -> None:
    assert spread({"A": "1", Env.UPLOADS: ""}) == {"A": "1", Env.UPLOADS: ""}
