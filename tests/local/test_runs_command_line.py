"""`steadyspot local` as a process of its own, and the verbs that work on it with `--local`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.aws.local_address import ADDRESS, read
from steadyspot.deploy.aws.local_session import LocalSession
from tests.local.bench import is_alive
from tests.local.forks import Forked, Forks
from tests.local.parts import HELD
from tests.local.runs import DEADLINE_SECONDS, NEVER_MEANWHILE, ROOT, eventually, parts
from tests.local.stacks import everything

CONFIG = """
[platform]
name = "shop"
mail = "oncall@example.com"
[jobs.quick]
image = "steadyspot-worker:local"
command = {quick}
schedule = "{schedule}"
command_override = true
expected_minutes = 1
maximum_wait_minutes = 0.02
backoff = {{ seconds = 1, cap_seconds = 2 }}
[jobs.held]
image = "steadyspot-worker:local"
command = {held}
stop_timeout = 5
"""


class Local:
    """A folder with a configuration, and the embedded AWS that runs beside it."""

    def __init__(self, commands: Forks, folder: Path, scratch: Path, ignored: str = "") -> None:
        """`ignored`: signals that it ignores from the start, as the shell's `trap` names them."""
        self.commands = commands
        self.folder = folder
        self.config = folder / "steadyspot.toml"
        quick, held = parts(pause=0.2), parts(folder / "met", at=3)
        jobs = {"quick": json.dumps(quick), "held": json.dumps(held)}
        self.config.write_text(CONFIG.format(schedule=NEVER_MEANWHILE, **jobs))
        self.scratch = scratch
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "TMPDIR": str(self.scratch),
            "PYTHONPATH": str(ROOT),
        }
        self.process = (
            subprocess.Popen(
                [*ignoring(ignored), sys.executable, "-m", "steadyspot", "local"],
                cwd=folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if ignored
            else self.begin("local", stderr=subprocess.STDOUT)
        )
        self.address = folder / ADDRESS
        eventually(self._announced)
        self.session = LocalSession(read(self.address))

    def _announced(self) -> dict[str, Any]:
        assert self.process.poll() is None, self.process.communicate()[0]
        text = self.address.read_text() if self.address.exists() else ""
        return dict(json.loads(text)) if text else {}

    def verb(self, *words: str, code: int = 0) -> str:
        """Run a verb; what it printed, or what it complained of."""
        process = self.begin(*words, "--local")
        said, complained = process.communicate(timeout=200)
        assert process.returncode == code, said + complained
        return str(said or complained)

    def begin(self, *words: str, stderr: int = subprocess.PIPE) -> Forked:
        """Run a command as a process of its own."""
        return self.commands.start(
            "steadyspot", words, self.environment, self.folder, stderr=stderr, text=True
        )

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack."""
        cloudformation = self.session.client("cloudformation")
        (shown,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in shown["Outputs"]}

    def output(self, job: str, name: str) -> str:
        """An output of a job's stack."""
        return self.outputs(f"shop-{job}")[name]

    def everything(self) -> set[str]:
        """All that there is, of every service."""
        return everything(self.session.client, "")

    def held(self) -> list[int]:
        """Start a run of the job that stops in its middle; its processes once it is there."""
        self.verb("up", "held")
        self.session.client("stepfunctions").start_execution(
            stateMachineArn=self.output("held", "StateMachine"), input="{}"
        )
        logs, group = self.session.client("logs"), self.output("held", "LogGroup")

        def look() -> list[int]:
            said = logs.filter_log_events(logGroupName=group)["events"]
            line = next((e["message"] for e in said if HELD in e["message"]), "")
            return family(int(line.split()[-1])) if line else []

        return eventually(look)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def ignoring(signals: str) -> list[str]:
    """The beginning of a command that ignores signals from the start."""
    return ["sh", "-c", f"trap '' {signals}; exec \"$@\"", "sh"] if signals else []


@contextmanager
def running(commands: Forks, folder: Path, ignored: str = "") -> Iterator[Local]:
    scratch = folder / "scratch"
    scratch.mkdir()
    local = Local(commands, folder, scratch, ignored)
    try:
        yield local
    finally:
        local.close()


def family(process: int) -> list[int]:
    """A process, its parent and its children."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(fields[1]), process, *map(int, children)]


@pytest.fixture
def local(commands: Forks, tmp_path: Path) -> Iterator[Local]:
    with running(commands, tmp_path) as local:
        yield local


def pages_of_what_ran(staying: Local, run_key: str) -> None:
    """Look at each page as a browser does, until Ctrl-C ends their server."""
    server = staying.begin("ui", "--local", "--no-open")
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        origin = address.partition("/?")[0]
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

        def page(path: str) -> str:
            return str(browser.open(origin + path).read().decode())

        assert "All jobs" in browser.open(address).read().decode()
        # A page that AWS is still asked for says so, and has it when it is opened again.
        eventually(lambda: run_key in page("/jobs/quick"))
        run = f"/jobs/quick/runs/{run_key}"
        eventually(lambda: "The run is complete" in page(run))
        assert "The way through the workflow" in page(run)
        assert json.loads(page(f"{run}/record.json"))["run"]["run_key"] == run_key
        assert json.loads(page(f"{run}/outputs/completion.json"))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(origin)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=DEADLINE_SECONDS)[0].endswith("Ended.\n")
        assert server.returncode == 0
    finally:
        server.kill()
        server.communicate()


@pytest.fixture(scope="module")
def staying(commands: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One that serves more than one test."""
    with running(commands, tmp_path_factory.mktemp("staying")) as local:
        yield local


def test_a_second_one_beside_the_same_configuration_is_refused(staying: Local) -> None:
    second = staying.begin("local")
    _, complained = second.communicate(timeout=DEADLINE_SECONDS)
    assert second.returncode == 1
    assert "already runs here" in complained
    assert staying.process.poll() is None


@pytest.mark.timeout(240)
def test_up_run_redrive_drill_and_down_work_on_the_local_aws(staying: Local) -> None:
    before = staying.everything()
    assert re.search(r"shop-quick\W+up to date", staying.verb("up"))
    assert staying.verb("up").count("nothing to change") == 3
    assert staying.verb("diff", "--exit-code").count("nothing to change") == 3
    assert "finished" in staying.verb("run", "quick")

    fails_once = "test -e failed || { touch failed; exit 3; }"
    request = {"scheduledTime": "2026-11-24T02:00:00Z", "command": ["sh", "-c", fails_once]}
    failed = staying.verb("run", "quick", "--json", "--input", json.dumps(request), code=1)
    run = json.loads(failed)["run"]
    assert (run["status"], run["run_key"]) == ("unfinished", "20261124T020000Z")
    (waiting,) = json.loads(staying.verb("redrive", "quick", "--json", "--dry-run"))
    assert waiting["run_key"] == run["run_key"]
    (redriven,) = json.loads(staying.verb("redrive", "quick", "--json"))
    sfn = staying.session.client("stepfunctions")
    eventually(
        lambda: sfn.describe_execution(executionArn=redriven["execution"])["status"] == "SUCCEEDED"
    )
    assert "Nothing waits" in staying.verb("redrive", "quick")

    drilled = json.loads(staying.verb("drill", "interrupt", "quick", "--yes", "--json"))
    assert [finding["text"] for finding in drilled["findings"] if not finding["good"]] == []

    assert "The run is complete" in staying.verb("explain", "quick")
    page = staying.folder / "run.html"
    assert "is told in" in staying.verb("explain", "quick", "--html", str(page))
    assert 'class="bar spot finished"' in page.read_text()
    assert "is told in" in staying.verb("status", "--html", str(page))
    assert "2 jobs" in page.read_text()
    assert "is told in" in staying.verb("cost", "quick", "--html", str(page))
    assert "on on-demand only the same work would have cost" in page.read_text()
    pages_of_what_ran(staying, run["run_key"])

    shop = staying.outputs("shop")
    assert "Kept: AWS::S3::Bucket" in staying.verb("down", "--yes")
    assert staying.everything() - before == {shop["Bucket"], shop["Table"]}
    stacks = staying.session.client("cloudformation").list_stacks()["StackSummaries"]
    assert {stack["StackStatus"] for stack in stacks} == {"DELETE_COMPLETE"}
    assert "Deploy first" in staying.verb("run", "quick", code=1)


def test_ctrl_c_ends_all_processes_and_leaves_no_file(local: Local) -> None:
    processes = local.held()
    assert all(is_alive(process) for process in processes)
    assert list(local.scratch.iterdir())
    local.process.send_signal(signal.SIGINT)
    said, _ = local.process.communicate(timeout=DEADLINE_SECONDS)
    assert local.process.returncode == 0, said
    assert "Traceback" not in said
    assert [process for process in processes if is_alive(process)] == []
    assert not local.address.exists()
    assert list(local.scratch.iterdir()) == []


def test_in_the_background_of_a_script_it_ignores_ctrl_c_and_sigterm_ends_it(
    commands: Forks, tmp_path: Path
) -> None:
    with running(commands, tmp_path, ignored="INT HUP") as local:
        local.process.send_signal(signal.SIGINT)
        local.process.send_signal(signal.SIGHUP)
        assert "Stack shop-quick" in local.verb("up", "quick")
        local.process.send_signal(signal.SIGTERM)
        said, _ = local.process.communicate(timeout=DEADLINE_SECONDS)
        assert (local.process.returncode, "Traceback" in said) == (0, False)
        assert not local.address.exists()
        assert list(local.scratch.iterdir()) == []


def test_so_does_the_demo(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*ignoring("INT"), sys.executable, "-m", "steadyspot", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout
    said = demo.stdout.readline() + demo.stdout.readline()
    assert "An AWS of your own" in said
    demo.send_signal(signal.SIGINT)
    assert "deployed by CloudFormation" in demo.stdout.readline()
    assert "lie in the bucket" in demo.stdout.readline()
    demo.send_signal(signal.SIGTERM)
    rest = demo.stdout.read()  # Some of it may be read ahead, which communicate() would lose.
    demo.wait(DEADLINE_SECONDS)
    assert (demo.returncode, "Traceback" in rest) == (143, False)
    assert "Stopped by SIGTERM" in rest
    assert "Ctrl-C" not in rest
    assert list(tmp_path.iterdir()) == []


def test_kill_9_leaves_no_orphan_and_no_verb_believes_that_it_still_runs(local: Local) -> None:
    processes = local.held()
    local.process.kill()
    local.process.wait()
    eventually(lambda: not any(is_alive(process) for process in processes))
    eventually(lambda: list(local.scratch.iterdir()) == [])
    assert "No embedded AWS runs" in local.verb("up", code=1)
