"""Bad input at the command line: a sentence, a next step, an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from steadyspot.deploy.aws.local_address import ADDRESS, Address, read, write
from steadyspot.deploy.aws.local_session import LocalSession
from steadyspot.deploy.cli.main import VERBS, main
from steadyspot.deploy.stacks.config import Config, Platform
from steadyspot.deploy.target import Target, on_this_machine
from steadyspot.deploy.trouble import Trouble

ROOT = Path(__file__).parents[3]
CONFIG = '[jobs.night]\nimage = "night:1"\n'


def steadyspot(folder: Path, *words: str, config: str = CONFIG) -> Result:
    (folder / "steadyspot.toml").write_text(config)
    environment = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        **dict.fromkeys((name for name in os.environ if name.startswith("AWS_")), ""),
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_PROFILE": None,
        "AWS_DEFAULT_REGION": None,
        "AWS_REGION": None,
    }
    where = ["--config", str(folder / "steadyspot.toml")]
    return CliRunner(env=environment).invoke(main, [*words, *where])


@pytest.mark.parametrize(
    ("words", "config", "what", "step"),
    [
        (["up", "--region", "eu-central-1"], CONFIG, "no AWS credentials", "--local"),
        (["up"], CONFIG, "No region is set", "--region"),
        (["up", "--profile", "nobody"], CONFIG, "nobody", "--profile"),
        (["up", "--local"], CONFIG, "No embedded AWS runs", "steadyspot local"),
        (["runs", "--local"], "[jobs", "TOML", "Correct it"),
        (["runs", "--local"], "[jobs.night]\nimages = 1", "did you mean image", "Correct it"),
        (
            ["up", "--local"],
            f'[jobs.{"n" * 40}]\nimage = "i"',
            "2 to 32 lower-case letters",
            "Correct it",
        ),
    ],
)
def test_bad_input_ends_in_a_sentence_and_a_next_step(
    tmp_path: Path, words: list[str], config: str, what: str, step: str
) -> None:
    result = steadyspot(tmp_path, *words, config=config)
    said = " ".join(result.output.split())
    assert result.exit_code == 1, said
    assert said.startswith("Error: ")
    assert what in said
    assert step in said
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "verb", ["check", "diff", "run", "watch", "logs", "runs", "explain", "redrive", "cost", "down"]
)
def test_no_verb_goes_anywhere_without_credentials(tmp_path: Path, verb: str) -> None:
    result = steadyspot(tmp_path, verb, "--region", "eu-central-1")
    assert result.exit_code == 1
    assert result.output.startswith("Error: There are no AWS credentials.")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder whose embedded AWS seems to run: the address names a process that lives."""
    write(tmp_path / ADDRESS, Address("http://127.0.0.1:9", "us-east-1", "token"))
    return tmp_path


def plant(folder: Path, text: str) -> None:
    """Put a text where the address of the embedded AWS stands, as only its owner could read it."""
    (folder / ADDRESS).write_text(text)


def of_this_machine(folder: Path) -> Target:
    return on_this_machine(Config(folder / "steadyspot.toml", Platform(), {}))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["run", "--local", "--input", "{"], "The input is no JSON"),
        (["run", "--local", "--input", "[]"], "A run cannot be asked for like this"),
        (["run", "--local", "--input", '{"capacity": "cheap"}'], "capacity"),
        (["run", "--local", "--input", '{"environment": {}}'], "Allowed keys"),
        (["run", "noon", "--local"], "has no job"),
        (["redrive", "--local", "--to", "2026-11-24"], "--to needs --from"),
        (["redrive", "--local", "--from", "monday"], "monday is no time"),
        (["down", "night", "--local", "--delete-data"], "whole platform"),
    ],
)
def test_a_wrong_request_is_refused_before_aws_is_asked(
    local: Path, words: list[str], what: str
) -> None:
    result = steadyspot(local, *words)
    assert result.exit_code == 1, result.output
    assert what in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"pid": 1}',
        '{"pid": 99999999, "endpoint_url": "http://127.0.0.1:9", "region": "y", "token": "t"}',
        '{"pid": "1", "endpoint_url": "http://127.0.0.1:9", "region": "y", "token": "t"}',
        '{"pid": 1, "endpoint_url": "http://127.0.0.1:9", "region": "y", "token": null}',
        "[" * 100_000,
    ],
    ids=[
        "empty",
        "broken",
        "no object",
        "not whole",
        "of a process that is gone",
        "a wrong pid",
        "no token",
        "nested without end",
    ],
)
def test_a_stale_address_of_the_embedded_aws_is_not_believed(local: Path, text: str) -> None:
    plant(local, text)
    with pytest.raises(Trouble, match="No embedded AWS runs"):
        of_this_machine(local)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://evil.example:80",
        "https://127.0.0.1:9",
        "http://127.0.0.1:9@evil.example",
        "http://127.0.0.1.evil.example:9",
        "http://127.0.0.1:9/../x",
        "http://127.0.0.1:9\n",
        "http://0.0.0.0:9",
        "http://127.0.0.1",
        "http://127.0.0.1:99999",
        None,
        9,
    ],
)
def test_an_address_that_came_with_the_repository_leads_to_no_other_host(
    local: Path, endpoint: object
) -> None:
    address = {"pid": os.getpid(), "endpoint_url": endpoint, "region": "r", "token": "t"}
    plant(local, json.dumps(address))
    with pytest.raises(Trouble, match="No embedded AWS runs"):
        of_this_machine(local)


@pytest.mark.parametrize(
    "changed",
    [
        {"pid": 2**70},
        {"pid": 0},
        {"pid": -1},
        {"pid": True},
        {"token": ""},
        {"token": "t\r\nHost: evil.example"},
        {"region": "evil.example/#"},
        {"region": "us-east-1\x1b[2J"},
        {"region": ["us-east-1"]},
    ],
    ids=str,
)
def test_an_address_that_no_embedded_aws_writes_is_not_believed(
    local: Path, changed: dict[str, object]
) -> None:
    """A process id of 0 or less is a group's, and always there."""
    good = asdict(Address("http://127.0.0.1:9", "us-east-1", "token"))
    plant(local, json.dumps({**good, **changed}))
    with pytest.raises(Trouble, match="No embedded AWS runs"):
        of_this_machine(local)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606, 0o777], ids=oct)
def test_an_address_that_others_can_read_or_write_is_not_believed(local: Path, mode: int) -> None:
    """As git checks out what came with a repository."""
    (local / ADDRESS).chmod(mode)
    with pytest.raises(Trouble, match="is not believed: its owner must be you") as refused:
        of_this_machine(local)
    assert "steadyspot local" in refused.value.what_to_do


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_address_that_another_user_wrote_is_not_believed(local: Path) -> None:
    os.chown(local / ADDRESS, 65534, 65534)
    with pytest.raises(Trouble, match="is not believed"):
        of_this_machine(local)


def test_an_address_is_not_followed_to_another_file(local: Path) -> None:
    (local / ADDRESS).rename(local / "elsewhere")
    (local / ADDRESS).symlink_to(local / "elsewhere")
    with pytest.raises(Trouble, match="No embedded AWS runs"):
        of_this_machine(local)
    (local / ADDRESS).unlink()
    os.mkfifo(local / ADDRESS, 0o600)
    with pytest.raises(Trouble, match="No embedded AWS runs"):
        of_this_machine(local)


def test_an_address_is_written_for_its_owner_alone_whatever_lay_there(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / ADDRESS).parent.mkdir()
    (tmp_path / ADDRESS).symlink_to(tmp_path / "kept")
    before = os.umask(0)
    try:
        write(tmp_path / ADDRESS, Address("http://127.0.0.1:9", "us-east-1", "token"))
    finally:
        os.umask(before)
    assert (tmp_path / "kept").read_text() == "kept"
    assert stat.S_IMODE((tmp_path / ADDRESS).lstat().st_mode) == 0o600
    assert read(tmp_path / ADDRESS).token == "token"
    assert "token=" not in repr(read(tmp_path / ADDRESS))


@pytest.mark.parametrize("key", ["endpoint", "endpoint_url", "local", "profile"])
@pytest.mark.parametrize("section", ["platform", "jobs.night"])
def test_no_key_of_a_configuration_leads_to_another_host(
    tmp_path: Path, section: str, key: str
) -> None:
    lines = {"platform": ['name = "pp"'], "jobs.night": ['image = "i"']}
    lines[section].append(f'{key} = "http://evil.example"')
    config = "\n".join(f"[{name}]\n" + "\n".join(given) for name, given in lines.items())
    result = steadyspot(tmp_path, "runs", "--local", config=config)
    assert result.exit_code == 1
    assert f'{section} has no key "{key}"' in " ".join(result.output.split()), result.output


def test_the_local_target_is_a_session_at_its_address(local: Path) -> None:
    target = of_this_machine(local)
    assert isinstance(target.session, LocalSession)
    assert target.client("sqs").meta.endpoint_url == "http://127.0.0.1:9"


def test_a_shell_is_told_what_makes_its_clients_use_the_embedded_aws(local: Path) -> None:
    assert steadyspot(local, "local", "env").output.splitlines() == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:9",
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=token",
        "export AWS_SECRET_ACCESS_KEY=token",
    ]
    (local / ADDRESS).unlink()
    assert "No embedded AWS runs" in steadyspot(local, "local", "env").output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: main " + verb)


@pytest.mark.parametrize(
    "verb", ["check", "diff", "up", "run", "watch", "logs", "runs", "explain", "outputs", "drill",
             "redrive", "forget", "cost", "down"]
)  # fmt: skip
def test_every_verb_that_shows_something_has_json_for_machines(verb: str) -> None:
    assert "--json" in CliRunner().invoke(main, [verb, "--help"]).output


@pytest.mark.parametrize("columns", [40, 80])
def test_the_list_of_verbs_has_their_whole_sentences(columns: int) -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=columns).output
    assert "..." not in said.partition("Commands:")[2]
    assert "RUN of it, or a window of times." in " ".join(said.split())


def test_the_help_of_drill_says_what_each_causes() -> None:
    said = CliRunner().invoke(main, ["drill", "--help"]).output
    assert "short-grace    a stop_timeout that is too short to save" in said


@pytest.mark.parametrize("verb", ["up", "drill", "down"])
def test_every_verb_that_asks_can_be_told_not_to(verb: str) -> None:
    assert "--yes" in CliRunner().invoke(main, [verb, "--help"]).output


def test_help_loads_neither_boto3_nor_rich_nor_jsonschema() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from steadyspot.deploy.cli.main import main\n"
        "CliRunner().invoke(main, ['--help'])\n"
        "slow = ('boto3', 'botocore', 'rich', 'jsonschema', 'moto')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


def test_help_takes_at_most_150_ms_of_processor() -> None:
    def spent(*arguments: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
        after = os.times()
        return (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )

    # What else the machine does costs processor, too (caches): a bare Python, of 20 ms on a machine
    # that is left alone, says how much, and the best of some tries is its own.
    assert any(
        spent("-m", "steadyspot", "--help") <= 0.150 * max(1.0, spent("-c", "pass") / 0.020)
        for _ in range(20)
    )


def test_a_shell_completes_verbs() -> None:
    typed = {"COMP_WORDS": "steadyspot che", "COMP_CWORD": "1"}
    shown = CliRunner().invoke(
        main, env={**typed, "_STEADYSPOT_COMPLETE": "bash_complete"}, prog_name="steadyspot"
    )
    assert shown.output.splitlines() == ["plain,check"]
