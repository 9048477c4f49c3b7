"""What careless people type and write who use what is new: two sentences each, and no traceback.

A sibling of ``test_careless_input`` and ``test_careless_verbs``, for turns, schedules, parameters,
environments, tags, plans, pages and forms.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.test_careless_input import JOB, is_told_in_two_sentences, steadyspot

HOURLY = JOB + 'schedule = "rate(1 hour)"\n'
FILES = [
    JOB + 'overlap = "never"',
    JOB + "overlap = true",
    JOB + 'overlap = "Queue"',
    JOB + "queue_at_most = 0",
    JOB + 'overlap = "queue"\nqueue_at_most = 1000000',
    JOB + "[jobs.night.parameters]\nday = 1",
    JOB + '[jobs.night.parameters]\n"Day!" = { type = "string" }',
    JOB + '[jobs.night.parameters]\nday = { type = "date" }',
    JOB + '[jobs.night.parameters]\nday = { type = "number", default = "x" }',
    JOB + "[jobs.night.parameters]\nday = { default = [] }",
    JOB + "[environments]\nprod = 1",
    JOB + '[environments.prod]\nregon = "x"',
    JOB + "[environments.prod.jobs.noon]\ncpu = 1",
    "[environments.prod]\n",
    "[platform]\naccount = 123\n" + JOB,
    '[platform]\naccount = "12345"\n' + JOB,
    '[platform]\nservice_role = "role"\n' + JOB,
    '[platform]\npermissions_boundary = "boundary"\n' + JOB,
    '[platform]\nrole_path = "steadyspot"\n' + JOB,
    '[platform]\ntags = ["a"]\n' + JOB,
    '[platform]\ntags = { "aws:x" = "y" }\n' + JOB,
    "[platform]\ntags = { a = 1 }\n" + JOB,
    '[platform]\ntags = { "" = "x" }\n' + JOB,
    "[platform]\nlock_days = -1\n" + JOB,
    "[platform]\nversion_days = 1.5\n" + JOB,
    '[platform]\nprotect_table = "yes"\n' + JOB,
    HOURLY + "spread_minutes = 2000",
    HOURLY + 'missed = "sometimes"',
    HOURLY + "missed = true",
    JOB + 'user = "root:root:x"',
    JOB + "user = 0",
    JOB + 'after = "noon"',
    JOB + 'after = ["night"]',
    JOB + "shards = 0",
    JOB + 'shards = "four"',
    JOB + '[jobs.night.schedules.hourly]\nschedule = "hourly"',
    JOB + '[jobs.night.schedules.Hourly]\nschedule = "rate(1 hour)"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = "../../etc/passwd"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = "/etc/localtime"',
    JOB + 'schedule = "cron(0 2 * * ? *)"\ntimezone = "Europe/"',
    JOB + "expected_minutes = 1979-05-27",
    JOB + 'environment = { A = "\\u0000" }',
    JOB + "a = " + "[" * 3_000,
    JOB + "a = " + "[" * 3_000 + "]" * 3_000,
    JOB + "a = " + "{ b = " * 3_000,
]
LINES = [
    ["runs", "--json-schema=x"],
    ["pause", "--json-schema", "--jsn"],
    ["redrive", "--set", "day"],
    ["redrive", "--all", "night", "x"],
    ["redrive", "--from", "9999-12-31"],
    ["redrive", "--from", "0001-01-01"],
    ["redrive", "--from", "1999-12-31"],
    ["redrive", "--to", "2026"],
    ["status", "--html", "."],
    ["status", "--html", "nowhere/x.html"],
    ["cost", "--html", "nowhere/x.html"],
    ["explain", "night", "--html", ""],
    ["explain", "night", "--html", "file/x.html"],
    ["up", "plan.json"],
    ["up", "./plan"],
    ["up", "--plan", "."],
    ["up", "--plan", "no/such/plan"],
    ["up", "--plan", ""],
    ["up", "--at-once", "33"],
    ["permissions", "admin"],
    ["run", "--set", "a"],
    ["run", "--set", "=1"],
    ["run", "--set", "day=1"],
    ["run", "--input", "null"],
    ["run", "--input", '{"scheduledTime":"now"}'],
    ["run", "--input", '{"budgets":{"x":1}}'],
    ["run", "--input", "@file"],
    ["check", "--env", "test"],
    ["weather", "night"],
    ["worker-image", "--tag", "a:b c"],
    ["worker-image", "--tag", "a\nb"],
    ["init", "new", "--kind", "node", "--schedule", ""],
    ["init", "new", "--kind", "shell", "--schedule", " "],
    ["🚀"],
]


@pytest.mark.parametrize("text", FILES, ids=lambda text: ascii(text[-40:]))
def test_a_careless_file_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(text)
    said = is_told_in_two_sentences(steadyspot(tmp_path, "run", "--config", str(path)))
    assert f"{path}" in said.replace("\n", "")
    assert "credentials" not in said


@pytest.mark.parametrize("words", LINES, ids=lambda words: ascii(" ".join(words))[:60])
def test_a_careless_line_is_told_before_aws_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steadyspot.toml").write_text(HOURLY)
    (tmp_path / "file").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    said = is_told_in_two_sentences(steadyspot(tmp_path, *words, AWS_DEFAULT_REGION="eu-central-1"))
    assert "credentials" not in said
    assert ".." not in said.replace("...", "")
    assert "allowed: ." not in said
    assert "exit code 125" not in said
    assert sorted(tmp_path.rglob("*")) == before
