"""What a careless person types to the verbs around a run: two sentences each, and no traceback.

A sibling of ``test_careless_input``, for the verbs that write a job's files, show a configuration,
build an image, end, rest, fetch and forget, and for the local target's own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.test_careless_input import (
    JOB,
    is_told_in_two_sentences,
    process,
    steadyspot,
)

ALONE = [
    ["init", "--kind", "pyton"],
    ["init", "--kind", ""],
    ["init", "--kind"],
    ["init", "a", "b"],
    ["init", "file"],
    ["init", "file/below"],
    ["init", "new", "--kind", "shell", "--name", "Night Job"],
    ["init", "new", "--kind", "shell", "--name", ""],
    ["init", "new", "--kind", "shell", "--name", "x" * 33],
    ["init", "new", "--kind", "shell", "--name", "-x"],
    ["init", "new", "--kind", "shell", "--name", "a\nb"],
    ["init", "new", "--kind", "shell", "--schedule", "daily"],
    ["init", "new", "--kind", "shell", "--schedule", "cron(0 2 * * *)"],
    ["init", "new", "--kind", "shell", "--schedule", "rate(0 hours)"],
    ["init", "new", "--kind", "shell", "--mail", "anna"],
    ["init", "new", "--kind", "shell", "--mail", "anna@example"],
    ["init", "new", "--kind", "shell", "--ci", "jenkins"],
    ["init", "new", "--kind", "own", "--command", "''"],
    ["init", "new", "--kind", "own", "--command", ""],
    ["init", "new", "--kind", "own", "--command", "sh -c 'open"],
    ["init", "new", "--kind", "shell", "--command", "ls"],
    ["init", "new", "--from-copilot", "nowhere"],
    ["init", "new", "--from-copilot", "file"],
    ["init", "new", "--from-task-definition", "nowhere.json"],
    ["init", "new", "--from-task-definition", "file"],
    ["init", "new", "--from-task-definition", "list.json"],
    ["init", "new", "--from-task-definition", "empty.json"],
    ["init", "new", "--from-task-definition", "."],
    ["worker-image", "--tag", "bad tag"],
    ["worker-image", "--tag", ""],
    ["worker-image", "--tag", "A:B:C"],
    ["worker-image", "--architecture", "arm"],
    ["worker-image", "--architecture", "x86_64", "now"],
]
"""Verbs that need no configuration; beside them lie ``file`` and some odd JSON."""

CONFIGURED = [
    ["config", "noon"],
    ["config", "night", "noon"],
    ["config", "--env", "prod"],
    ["config", "--env", ""],
    ["config", "--shcema"],
    ["stop", "noon"],
    ["stop", "night", ""],
    ["stop", "night", "a b"],
    ["stop", "night", "x" * 81],
    ["stop", "night", "20261124T020000Z", "again"],
    ["stop", "night", "--reason"],
    ["stop", "--local", "--region", "eu-central-1"],
    ["pause", "noon"],
    ["pause", "night", "noon"],
    ["pause", "--until", "monday"],
    ["pause", "--local", "--profile", "x"],
    ["resume", "noon"],
    ["resume", "night", "noon"],
    ["resume", "--yes"],
    ["outputs", "noon"],
    ["outputs", "night", "a/b"],
    ["outputs", "night", "../.."],
    ["outputs", "night", "", "--to", "x"],
    ["outputs", "--to"],
    ["outputs", "--to", "file"],
    ["outputs", "--to", "file/below"],
    ["outputs", "--to", ""],
    ["forget"],
    ["forget", "night"],
    ["forget", "noon", "x"],
    ["forget", "night", ""],
    ["forget", "night", "a b"],
    ["forget", "night", "\x1b[2J"],
    ["forget", "night", "x", "y"],
    ["redrive", "--from", "2026-11-24", "--capacity", "cheap"],
    ["redrive", "--from", "2026-11-24", "--capacity", ""],
    ["status", "night"],
    ["status", "--wach"],
    ["ui", "--port", "99999"],
    ["ui", "--port", "http"],
    ["local", "mail"],
    ["local", "mails", "now"],
    ["local", "env", "now"],
    ["local", "mails"],
    ["local", "env"],
    ["local", "--runtime", "lxc"],
    ["local", "--port"],
]
"""Verbs for the job ``night``; no embedded AWS is kept up beside it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no JSON")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty.json").write_text("{}")
    return tmp_path


def told(folder: Path, words: list[str]) -> str:
    return is_told_in_two_sentences(steadyspot(folder, *words, AWS_DEFAULT_REGION="eu-central-1"))


@pytest.mark.parametrize("words", ALONE, ids=lambda words: ascii(" ".join(words))[:60])
def test_a_careless_line_without_a_configuration_writes_nothing(
    folder: Path, words: list[str]
) -> None:
    before = sorted(folder.rglob("*"))
    told(folder, words)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("words", CONFIGURED, ids=lambda words: ascii(" ".join(words))[:60])
def test_a_careless_line_is_told_before_aws_is_looked_for(folder: Path, words: list[str]) -> None:
    (folder / "steadyspot.toml").write_text(JOB)
    assert "credentials" not in told(folder, words)


def test_there_are_eighty_of_them() -> None:
    assert len({tuple(words) for words in (*ALONE, *CONFIGURED)}) >= 80


@pytest.mark.parametrize("words", [ALONE[0], ["local", "env"], ["forget"]], ids=" ".join)
def test_as_a_process_it_leaves_with_a_code_and_a_pair_of_lines(words: list[str]) -> None:
    code, said = process(*words)
    assert code in (1, 2)
    assert said.startswith("Error: ")
    assert "Traceback" not in said
