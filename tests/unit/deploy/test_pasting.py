"""A command in advice works where it is pasted: with the options that this one was given."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from steadyspot.deploy.cli.main import VERBS, main
from steadyspot.deploy.cli.pasting import WITH_A_TARGET, given_words, pastable


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("See: steadyspot runs night.", ["--local"], "See: steadyspot runs --local night."),
        (
            "First steadyspot up, then steadyspot run night.",
            ["--profile", "my own"],
            "First steadyspot up --profile 'my own', then steadyspot run --profile 'my own' night.",
        ),
        ("Start one: steadyspot local.", ["--local"], "Start one: steadyspot local."),
        ("The steadyspot runner.", ["--local"], "The steadyspot runner."),
        ("See: steadyspot runs.", [], "See: steadyspot runs."),
    ],
)
def test_the_options_stand_behind_the_verb(text: str, given: list[str], said: str) -> None:
    assert pastable(text, given) == said


def test_every_verb_that_has_a_target_is_known() -> None:
    context = click.Context(main)
    with_a_target = [
        name
        for name in VERBS
        if any("--profile" in one.opts for one in main.get_command(context, name).params)  # type: ignore[union-attr]
    ]
    assert sorted(with_a_target) == sorted(WITH_A_TARGET)


def test_options_are_written_as_they_are_typed() -> None:
    words = given_words(config=None, env="prod", local=False, profile="x", region=None)
    assert words == ["--env", "prod", "--profile", "x"]
    assert given_words(local=True, config=Path("a/b.toml")) == ["--local", "--config", "a/b.toml"]


def test_advice_of_a_verb_that_failed_has_them(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text('[jobs.night]\nimage = "night:1"\n')
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": None}
    words = ["redrive", "--to", "2026-01-01", "--region", "eu-central-1", "--config", str(path)]
    result = CliRunner(env={**keys, "HOME": os.devnull}).invoke(main, words)
    assert "--to needs --from" in result.output
