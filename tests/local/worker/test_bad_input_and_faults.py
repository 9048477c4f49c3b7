"""Bad input and a world that fails: one sentence what, one what to do, the right exit code."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.local.worker.door import Door
from tests.local.worker.kit import STARTED, Bench, Worker, assert_said, sha256, wait_until

ONE_UNIT = """
from steadyspot import current_run
run = current_run()
for part in run.remaining(range(UNITS)):
    with run.output(f"part-{part}") as path:
        path.write_text("x")
"""


def job(units: int = 1) -> str:
    return ONE_UNIT.replace("UNITS", str(units))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("STEADYSPOT_FENCE", "many", "Give a whole number"),
        ("STEADYSPOT_JOB", "../up", "cannot be part of an object's key"),
        ("STEADYSPOT_RUN_KEY", "a/b", "cannot be part of an object's key"),
        ("STEADYSPOT_TABLE", "", "STEADYSPOT_TABLE not set"),
        ("STEADYSPOT_STOP_BY", "soon", "Give an ISO time"),
        ("STEADYSPOT_STOP_TIMEOUT", "-1", "0 or more"),
        ("STEADYSPOT_RERUN", "perhaps", "'always' or 'never'"),
        ("STEADYSPOT_ENVIRONMENT", "{", "is not JSON"),
        ("STEADYSPOT_SECRETS", "{", "is not JSON"),
        ("STEADYSPOT_SECRETS", '["a"]', "Write it like"),
        ("STEADYSPOT_SECRETS", '{"A": 1}', "Write it like"),
        ("STEADYSPOT_SECRETS", '{"A=B": "b"}', "Write it like"),
        ("STEADYSPOT_SECRETS", '{"STEADYSPOT_JOB": "b"}', "Write it like"),
        ("STEADYSPOT_ENVIRONMENT", '{"A": "a\\u0000"}', "Write it like"),
        ("STEADYSPOT_SIGNAL_JOB", "NOTHING", "There is no signal"),
        ("STEADYSPOT_SIGNAL", "all", "Use first, group, none"),
        ("STEADYSPOT_FORWARD", "USR1,NOTHING", "STEADYSPOT_FORWARD"),
        ("STEADYSPOT_FORWARD", "TERM", "always is a stop"),
        ("STEADYSPOT_OUTPUT_IGNORE", "*.tmp", "STEADYSPOT_OUTPUT_IGNORE is not JSON"),
        ("STEADYSPOT_OUTPUT_IGNORE", "[1]", "is not a list of patterns"),
        ("STEADYSPOT_SCRATCH_DIR", "/proc/x", "another folder, in STEADYSPOT_SCRATCH_DIR"),
        ("TMPDIR", "/proc/x", "one for its own files in STEADYSPOT_SCRATCH_DIR"),
        ("STEADYSPOT_MARKER", "/m", "STEADYSPOT_MARKER names /m, but there is no folder"),
        ("STEADYSPOT_EVERY_SECONDS", "often", "STEADYSPOT_EVERY_SECONDS is 'often'"),
    ],
)
def test_wrong_value_in_the_environment(bench: Bench, name: str, value: str, words: str) -> None:
    assert_said(bench.start("sh", "-c", "echo ran", **{name: value}), 125, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sideways"], "There is no option '--sideways'"),
        (["--every"], "--every: expected one argument"),
        (["--every", "often", "true"], "Give seconds"),
        ([], "There is no command to run"),
    ],
)
def test_wrong_options(bench: Bench, arguments: list[str], words: str) -> None:
    assert_said(bench.start(*arguments), 125, words)


def test_command_and_environment_may_come_from_the_task_definition(bench: Bench) -> None:
    worker = bench.start(
        STEADYSPOT_COMMAND=json.dumps(["sh", "-c", "echo $COLOUR"]),
        STEADYSPOT_ENVIRONMENT=json.dumps({"COLOUR": "green"}),
    )
    assert worker.end() == 0
    assert "green" in worker.text


def test_secrets_reach_the_job_and_nothing_else_does(bench: Bench) -> None:
    worker = bench.start(
        "sh",
        "-c",
        "test $TOKEN$COLOUR = hidden-green && ! env | grep -q ^STEADYSPOT_SECRETS && echo ok",
        STEADYSPOT_ENVIRONMENT=json.dumps({"COLOUR": "green", "TOKEN": "shown"}),
        STEADYSPOT_SECRETS=json.dumps({"TOKEN": "hidden-"}),
    )
    assert worker.end() == 0
    assert "ok" in worker.text
    assert "hidden" not in worker.said()


@pytest.mark.parametrize("text", ["hush, no JSON", '["hush"]', '{"HUSH": "hush", "A": 1}'])
def test_secrets_that_cannot_be_used_are_named_and_never_shown(bench: Bench, text: str) -> None:
    worker = bench.start("sh", "-c", "echo ran", STEADYSPOT_SECRETS=text)
    assert_said(worker, 125, "STEADYSPOT_SECRETS is not")
    assert "hush" not in worker.said().lower()


def test_command_not_found_leaves_a_word(bench: Bench) -> None:
    assert_said(bench.start("no-such-command"), 127, "is not in the image")
    assert bench.item()["stop_report"]["reason"] == "not-found"


def test_bucket_that_is_not_there(bench: Bench) -> None:
    command = bench.job_file(job())
    assert_said(bench.start(*command, STEADYSPOT_BUCKET="not-there"), 125, "There is no such place")
    assert bench.item()["status"] == "running"


def test_table_that_is_not_there_ends_the_job_early(bench: Bench) -> None:
    worker = bench.start("sleep", "60", STEADYSPOT_TABLE="not-there")
    assert_said(worker, 125, "There is no such place", "Deploy the platform")


def test_aws_out_of_reach_is_worth_another_try(bench: Bench) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        worker = bench.start("--patience", "1", "sleep", "60", AWS_ENDPOINT_URL=address)
        assert_said(worker, 69, "did not answer", "Try again")


def assert_own_fault(worker: Worker, error: str, where: str) -> None:
    """It ended with its own code, one line of JSON that holds the traceback, and took the job."""
    assert worker.end() == 70, worker.said()
    (line,) = [line for line in worker.lines if "traceback" in line]
    assert error in line["message"]
    assert "Report it" in line["message"]
    assert line["exit_code"] == 70
    assert where in line["traceback"]
    assert not [text for text in worker.text if text.startswith("Traceback")]
    jobs = [int(text.split()[1]) for text in worker.text if text.startswith("job ")]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in jobs))


def test_fault_in_the_main_thread_is_the_worker_s_own(bench: Bench) -> None:
    """A library of the worker's image is broken, which no setting of the job's mends."""
    (bench.folder / "concurrent.py").write_text("raise RuntimeError('broken')\n")
    worker = bench.start("sh", "-c", "echo job $$; exec sleep 60", way=STARTED)

    assert_own_fault(worker, "RuntimeError('broken')", "concurrent.py")


def test_fault_in_the_keeper_s_thread_is_the_worker_s_own(bench: Bench) -> None:
    """It loads the library of AWS's, once the job has begun."""
    (bench.folder / "botocore.py").write_text("raise RuntimeError('broken')\n")
    worker = bench.start("sh", "-c", "echo job $$; exec sleep 60", way=STARTED)

    assert_own_fault(worker, "RuntimeError('broken')", "botocore.py")


def test_completion_of_a_large_output_may_take_longer_than_other_calls(
    bench: Bench, door: Door
) -> None:
    """With this grace any other call is given up when nothing comes for a second."""
    door.completion_seconds = 5
    worker = bench.start(
        "--stop-timeout", "4", *bench.job_file(job()), AWS_ENDPOINT_URL=door.address
    )

    assert worker.end() == 0, worker.said()
    assert door.completions == 1


def test_run_that_was_never_claimed(bench: Bench) -> None:
    worker = bench.start("sleep", "60", STEADYSPOT_RUN_KEY="another")
    assert_said(worker, 125, "not in the run table", "state machine")


def test_checkpoint_of_a_newer_worker(bench: Bench) -> None:
    assert bench.start(*bench.job_file(job()), STEADYSPOT_FENCE="10001").end() == 0
    _reopen(bench)
    pointer = bench.item()["checkpoint"]
    _replace(bench, json.dumps({"format": 99, "worker_version": "9.9"}).encode())
    assert pointer
    worker = bench.start("sh", "-c", "echo ran")

    assert_said(worker, 125, "format 99", "newer image")
    assert "ran" not in worker.text


UNITS_UNTIL = """
import sys
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(4)):
    if unit == int(sys.argv[1]):
        sys.exit(75)
    print("unit", unit, flush=True)
    with run.output(f"{unit}") as path:
        path.write_text(f"{unit}")
"""


@pytest.mark.parametrize("both", [False, True], ids=["the newest", "both"])
def test_checkpoint_that_was_cut_costs_time_and_no_more(bench: Bench, both: bool) -> None:
    command = bench.job_file(UNITS_UNTIL)
    assert bench.start(*command, "3").end() == 75
    pointer = bench.item()["checkpoint"]
    for key in [pointer["key"]] + [pointer["previous"]["key"]] * both:
        bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=b'{"form')
    worker = bench.start(*command, "-1")

    assert_said(worker, 0, "was changed or cut", "done again")
    again = [line for line in worker.text if line.startswith("unit")]
    assert again == [f"unit {unit}" for unit in range(0 if both else 2, 4)]
    objects = bench.objects()
    assert {name: objects[name] for name in "0123"} == {n: n.encode() for n in "0123"}


def test_list_of_uploads_that_is_gone_is_made_anew(bench: Bench) -> None:
    command = bench.job_file(UNITS_UNTIL)
    assert bench.start(*command, "3").end() == 75
    bench.runs.update_item(
        Key=bench.key,
        UpdateExpression="SET #s = :s, #c = :c",
        ExpressionAttributeNames={"#s": "status", "#c": "commit"},
        ExpressionAttributeValues={":s": "committing", ":c": {"key": "gone", "sha256": "0"}},
    )
    worker = bench.start(*command, "-1")

    assert_said(worker, 0, "gone is gone or was changed", "made anew")
    assert [line for line in worker.text if line.startswith("unit")] == ["unit 3"]
    assert len(bench.objects()) == 5


def test_output_name_that_climbs_out(bench: Bench) -> None:
    command = bench.job_file(
        "from steadyspot import current_run\n"
        "with current_run().output('../up') as path: path.write_text('x')\n"
    )
    worker = bench.start(*command)

    assert worker.end() == 1
    assert "climbs out of its folder" in worker.said()
    assert "Traceback" not in worker.said()
    assert bench.objects() == {}


def test_climbing_name_is_refused_by_the_worker_itself_too(bench: Bench) -> None:
    """Whoever speaks the protocol directly gets no further."""
    command = bench.job_file(
        "import json, os, socket\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(os.environ['STEADYSPOT_SOCKET'])\n"
        "f = s.makefile('rw')\n"
        "def ask(**r):\n"
        "    f.write(json.dumps(r) + '\\n'); f.flush(); return json.loads(f.readline())\n"
        "print(ask(do='output', name='../up'), ask(do='stage', output=7))\n"
        "print(ask(do='nonsense')); f.write('no json\\n'); f.flush(); print(f.readline())\n"
    )
    worker = bench.start(*command)
    assert worker.end() == 0, worker.said()

    assert "climbs out" in worker.said()
    assert "no such output" in worker.said()
    assert worker.said().count("'ok': False") == 3


def test_permission_lost_half_way_ends_with_125_and_publishes_nothing(bench: Bench) -> None:
    """The bucket goes away under a running job, as it does when a policy is withdrawn."""
    text = job(3).replace("        path.write", "        input_();path.write")
    command = bench.job_file("import os,time\ndef input_():\n"
        " while not os.path.exists('go'): time.sleep(0.02)\n" + text)  # fmt: skip
    worker = bench.start(*command)
    wait_until(lambda: bench.item().get("fence"))
    bench.s3.delete_bucket(Bucket=bench.bucket)
    (bench.folder / "go").touch()

    assert_said(worker, 125, "There is no such place")
    assert bench.item()["stop_report"]["reason"] == "bad-setup"


@pytest.mark.skipif(os.getuid() != 0, reason="a small file system can be mounted by root only")
def test_full_disk_fails_the_save_but_not_the_run(bench: Bench) -> None:
    """The copy of a changing folder finds no room: said once a try, and the job goes on."""
    small = bench.folder / "small"
    small.mkdir()
    assert os.system(f"mount -t tmpfs -o size=1m tmpfs {small}") == 0
    try:
        worker = bench.start(
            "--checkpoint-dir", "state", "--every", "0.2", "--scratch-dir", str(small),
            "sh", "-c",
            "head -c 3000000 /dev/urandom > state/big; while [ ! -e go ]; do sleep 0.05; done;"
            " echo went on",
        )  # fmt: skip
        worker.wait_for("No space left", 60)
        (bench.folder / "go").touch()
        assert_said(worker, 0, "went on")
    finally:
        os.system(f"umount {small}")


def _reopen(bench: Bench) -> None:
    """Make the run look as if its last attempt had been interrupted after its checkpoint."""
    bench.runs.update_item(
        Key=bench.key,
        UpdateExpression="SET #s = :s REMOVE completion, #c",
        ExpressionAttributeNames={"#s": "status", "#c": "commit"},
        ExpressionAttributeValues={":s": "running"},
    )


def _replace(bench: Bench, body: bytes) -> None:
    """Replace the manifest and point to it with its true hash."""
    key = bench.item()["checkpoint"]["key"]
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=body)
    bench.runs.update_item(
        Key=bench.key,
        UpdateExpression="SET checkpoint.sha256 = :h",
        ExpressionAttributeValues={":h": sha256(body)},
    )
