"""Checkpoint and output folders of commands that know nothing of Steadyspot."""

from __future__ import annotations

import gzip
import os
import shlex
import shutil
from pathlib import Path

import pytest

from steadyspot.contract.logs import MESSAGE
from steadyspot.worker.keeping.packing import DATA_BYTES
from tests.local.worker.kit import Bench, wait_until

COUNTER = """
mkdir -p out
while [ "$(cat state/count 2>/dev/null || echo 0)" -lt 6 ]; do
  n=$(( $(cat state/count 2>/dev/null || echo 0) + 1 ))
  echo "counting $n"
  echo "part $n" > out/part-$n.tmp && mv out/part-$n.tmp out/part-$n
  echo $n > state/count.tmp && mv state/count.tmp state/count
  sleep "$PAUSE"
done
"""
BIG = 2 << 20
LINES = 10_000
FOLDERS = ("--checkpoint-dir", "state", "--output-dir", "out")


def _command(folder: Path) -> list[str]:
    (folder / "job.sh").write_text(COUNTER)
    return ["sh", str(folder / "job.sh")]


def test_shell_job_resumes_where_its_folder_was_saved(bench: Bench) -> None:
    command = _command(bench.folder)
    first = bench.start(*FOLDERS, *command, PAUSE="0.5")
    first.wait_for("counting 3")
    first.terminate()
    assert first.end() == 143, first.said()
    assert bench.objects() == {}
    assert bench.item()["progress"]["saved"] is True
    for name in ("state", "out"):  # The next task has a disk of its own.
        (bench.folder / name).rename(bench.folder / f"{name}-of-the-first")

    second = bench.start(*FOLDERS, *command, PAUSE="0")
    assert second.end() == 0, second.said()

    assert "counting 3" not in second.text or "counting 4" in second.text
    assert "counting 2" not in second.text
    objects = bench.objects()
    assert {n: objects[n] for n in objects if n != "completion.json"} == {
        f"part-{n}": f"part {n}\n".encode() for n in range(1, 7)
    }
    assert bench.open_uploads() == []


def test_folder_is_saved_at_the_interval_while_the_job_runs(bench: Bench) -> None:
    # A save may come in the midst of a file that is written in its place.
    job = "i=0; while true; do i=$((i+1)); echo $i > new; mv new state/n; sleep 0.05; done"
    worker = bench.start("--checkpoint-dir", "state", "--every", "0.3", "sh", "-c", job)

    wait_until(lambda: bench.item().get("checkpoint", {}).get("sequence", 0) >= 3)
    worker.kill_all()
    worker.end()

    assert int(bench.saved()["n"]) > 0


def test_marker_is_removed_once_its_save_is_durable(bench: Bench) -> None:
    job = (
        "echo kept > state/file; touch marker;"
        " while [ -e marker ]; do sleep 0.05; done; echo durable; sleep 60"
    )
    worker = bench.start("--checkpoint-dir", "state", "--marker", "marker", "sh", "-c", job)
    worker.wait_for("durable")

    assert bench.saved() == {"file": b"kept\n"}
    worker.kill_all()
    worker.end()


def test_only_what_changed_is_uploaded_and_old_files_are_dropped(bench: Bench) -> None:
    wait = "touch m; while [ -e m ]; do sleep 0.05; done;"
    job = (
        f"head -c {BIG} /dev/zero > state/big; seq 1 {LINES} > state/file; {wait}"
        f" for n in 2 3; do seq $n {LINES} > state/file; {wait} done; echo saved; sleep 60"
    )
    worker = bench.start("--checkpoint-dir", "state", "--marker", "m", "sh", "-c", job)
    worker.wait_for("saved")

    def of_files() -> list[bytes]:
        objects = bench.objects("checkpoints/")
        return sorted(data for key, data in objects.items() if key.startswith("blocks/"))

    second, third = ("".join(f"{n}\n" for n in range(m, LINES + 1)).encode() for m in (2, 3))
    wait_until(lambda: len(of_files()) == 3)  # What the last two checkpoints name.
    assert of_files() == [bytes(BIG), second, third]
    assert bench.saved() == {"big": bytes(BIG), "file": third}
    worker.kill_all()
    worker.end()


def test_small_files_travel_in_the_manifest_and_come_back(bench: Bench) -> None:
    """While there is room for all of them; else, and what grew, they lie in objects."""
    fill = f"for n in 1 2 3 4 5; do head -c {DATA_BYTES // 5} /dev/zero > state/$n; done"
    job = f"{fill}; : > state/empty; touch m; while [ -e m ]; do sleep 0.05; done; echo saved"
    options = ("--checkpoint-dir", "state", "--marker", "m")
    worker = bench.start(*options, "sh", "-c", f"{job}; sleep 60")
    worker.wait_for("saved")
    assert not [key for key in bench.objects("checkpoints/") if key.startswith("blocks/")]
    before = bench.saved()
    worker.kill_all()
    worker.end()

    assert before == {"empty": b"", **{str(n): bytes(DATA_BYTES // 5) for n in range(1, 6)}}
    shutil.rmtree(bench.folder / "state")
    grow = f"cat state/* | wc -c; head -c {BIG} /dev/zero > state/1; exit 3"
    again = bench.start(*options, "sh", "-c", grow)
    assert again.end() == 3, again.said()
    assert str(DATA_BYTES // 5 * 5) in again.text
    assert bench.saved() == before | {"1": bytes(BIG)}


def test_on_stop_command_may_save_in_its_share_of_the_grace(bench: Bench) -> None:
    worker = bench.start(
        "--checkpoint-dir", "state", "--on-stop", "echo last > state/last",
        "sh", "-c", "echo ready; sleep 60",
    )  # fmt: skip
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end() == 143
    assert bench.saved() == {"last": b"last\n"}


def test_on_stop_command_that_hangs_is_killed_and_the_folder_still_saved(bench: Bench) -> None:
    worker = bench.start(
        "--checkpoint-dir", "state", "--on-stop", "sleep 60", "--on-stop-timeout", "0.5",
        "--stop-timeout", "6", "sh", "-c", "echo kept > state/file; echo ready; sleep 60",
    )  # fmt: skip
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end(6) == 143
    assert bench.saved() == {"file": b"kept\n"}
    assert "was killed at the end of its share" in worker.said()


def test_output_still_open_when_the_job_is_killed_is_withdrawn(bench: Bench) -> None:
    job = (
        "echo whole > out/whole; exec 9> out/half; echo begun >&9; echo ready;"
        " trap '' TERM; sleep 60 & wait; wait"
    )
    worker = bench.start("--output-dir", "out", "--drain", "0", "sh", "-c", job)
    worker.wait_for("ready")
    worker.terminate()
    assert worker.end() == 143, worker.said()

    assert [key.rsplit("/")[-1] for key in bench.open_uploads()] == ["whole"]


RENAMES = """
import os, sys
with open("out/x.new", "w") as file:
    file.write("half"), file.flush()
    with open("out/run.log", "w") as log:
        log.write(os.environ["STEADYSPOT_ATTEMPT"]), log.flush()
        if os.environ["STEADYSPOT_ATTEMPT"] == "1":
            print("in hand", flush=True)
            sys.stdin.readline()
    file.write(" whole")
os.rename("out/x.new", "out/x")
"""


@pytest.mark.parametrize("job", ["exec {}", "{} & wait $!", "{}; exit"])
def test_output_still_open_when_its_program_ends_of_the_stop_is_withdrawn(
    bench: Bench, job: str
) -> None:
    """The first process, and one that it left; but for a log, which is right in part."""
    python = shlex.join(bench.job_file(RENAMES))
    os.mkfifo(bench.folder / "input")
    command = f": > state/begun; {job.format(f'{python} <> input')}"
    options = (*FOLDERS, "sh", "-c", command)
    first = bench.start(*options)
    first.wait_for("in hand")
    first.terminate()
    assert first.end() == 143, first.said()
    assert [key.rsplit("/")[-1] for key in bench.open_uploads()] == ["run.log"]
    shutil.rmtree(bench.folder / "out")

    second = bench.start(*options)
    assert second.end() == 0, second.said()
    published = {name: data for name, data in bench.objects().items() if name != "completion.json"}
    assert published == {"x": b"half whole", "run.log": b"2"}


HALVES = {
    "told and ended": "{ echo head; echo in hand >&2; read _ < go; } > out/x & ",
    "told, and ends as it likes": (
        "sh -c 'trap \"exit 0\" TERM; echo head; echo in hand >&2; read _ < go' > out/x & "
    ),
    "killed": "sh -c 'trap \"\" TERM; echo head; echo in hand >&2; read _ < go' > out/x & ",
    "by another descriptor": "{ echo head >&9; echo in hand >&2; read _ < go; } 9> out/x & ",
}


@pytest.mark.parametrize("how", HALVES)
def test_run_is_not_complete_without_an_output_that_was_left_in_its_midst(
    bench: Bench, how: str
) -> None:
    os.mkfifo(bench.folder / "go")
    os.mkfifo(bench.folder / "begun")
    job = HALVES[how].replace("in hand >&2", "> begun") + "read _ < begun; echo whole > out/whole"
    worker = bench.start("--output-dir", "out", "sh", "-c", job)
    assert worker.end() == 125, worker.said()
    assert "The output 'x' cannot be published: what the job left running" in worker.said()
    assert "'wait' in a shell" in worker.said()
    assert bench.objects() == {}


ENDS_BY_ITSELF = {
    "bash": "exec > >(tee out/run.log out/all.txt); echo a line; echo whole > out/whole",
    "sh": "mkfifo p; gzip < p > out/all.gz & exec > p; echo a line; echo whole > out/whole",
}


@pytest.mark.parametrize("shell", ENDS_BY_ITSELF)
def test_helper_that_ends_with_its_input_writes_its_output_to_the_end(
    bench: Bench, shell: str
) -> None:
    worker = bench.start("--output-dir", "out", shell, "-c", ENDS_BY_ITSELF[shell])
    assert worker.end() == 0, worker.said()
    published = bench.objects()
    if shell == "bash":
        assert published["run.log"] == published["all.txt"] == b"a line\n"
    else:
        assert gzip.decompress(published["all.gz"]) == b"a line\n"


def test_log_that_something_left_behind_writes_is_published_as_far_as_it_is(bench: Bench) -> None:
    os.mkfifo(bench.folder / "begun")
    job = "{ echo line; echo > begun; exec sleep 60; } > out/run.log & read _ < begun"
    worker = bench.start("--output-dir", "out", "sh", "-c", job)
    assert worker.end() == 0, worker.said()
    assert bench.objects()["run.log"] == b"line\n"
    assert "left-behind" in worker.events()


def test_content_that_goes_to_and_fro_stays_in_the_bucket(bench: Bench) -> None:
    """A file of 20 KB is A, B, A, B …: what the newest checkpoint names was named by old ones."""
    command = [
        "sh",
        "-c",
        "if [ -e state/f ]; then wc -c < state/f; exit; fi;"
        " for n in 1 2 3 4 5 6 7 8 9 10 11; do"
        " head -c 20000 /dev/zero | tr '\\0' $((n % 2)) > state/f; touch m;"
        " while [ -e m ]; do sleep 0.02; done; done; echo idle; sleep 60",
    ]
    options = ("--checkpoint-dir", "state", "--marker", "m")
    first = bench.start(*options, *command)
    first.wait_for("idle", 60)
    first.terminate()
    assert first.end() == 143, first.said()
    assert bench.saved() == {"f": b"1" * 20000}
    shutil.rmtree(bench.folder / "state")

    second = bench.start(*options, *command)
    assert second.end() == 0, second.said()
    assert "20000" in second.text


@pytest.mark.parametrize("lost", [1, 2], ids=["the newest", "both"])
def test_saved_file_that_is_gone_costs_time_and_no_more(bench: Bench, lost: int) -> None:
    """The folder falls back to what it was one checkpoint before, or is empty again."""
    save = "touch m; while [ -e m ]; do sleep 0.02; done;"
    command = [
        "sh",
        "-c",
        f'ls state; if [ -n "$AGAIN" ]; then exit; fi;'
        f" for n in 1 2; do rm -f state/*; seq $n 20000 > state/f$n; {save} done;"
        " echo idle; sleep 60",
    ]
    options = ("--checkpoint-dir", "state", "--marker", "m")
    first = bench.start(*options, *command)
    first.wait_for("idle", 60)
    first.kill_all()
    first.end()
    prefix = f"checkpoints/{bench.job}/{bench.run_key}/"
    every = [prefix + key for key in bench.objects("checkpoints/") if key.startswith("blocks/")]
    for key in bench.listing().keys if lost == 1 else every:
        bench.s3.delete_object(Bucket=bench.bucket, Key=key)

    second = bench.start(*options, *command, AGAIN="1")
    assert second.end() == 0, second.said()
    assert "are gone or were changed" in second.said()
    assert ("f1" in second.text) == (lost == 1)
    assert "f2" not in second.text


UUID_NAMES = """
u=$(cat /proc/sys/kernel/random/uuid)
echo a > out/part-0-$u.csv
echo first > out/only-$ATTEMPT
echo made; [ -n "$LAST" ] || sleep 20
echo b > out/part-1-$u.csv
"""


@pytest.mark.parametrize("disk", ["same disk", "new disk"])
@pytest.mark.parametrize("saved", [(), ("--checkpoint-dir", "state")], ids=["none", "empty"])
def test_attempt_without_a_checkpoint_begins_without_outputs_of_older_ones(
    bench: Bench, disk: str, saved: tuple[str, ...]
) -> None:
    """Names differ between attempts here; an empty checkpoint folder tells nobody to go on."""
    options = ("--output-dir", "out", "--every", "0.1", *saved, "sh", "-c", UUID_NAMES)
    first = bench.start(*options, ATTEMPT="1")
    first.wait_for("made")
    wait_until(lambda: len(bench.open_uploads()) == 2)
    first.terminate()
    assert first.end() == 143, first.said()
    if disk == "new disk":
        shutil.rmtree(bench.folder / "out")

    second = bench.start(*options, ATTEMPT="2", LAST="1")
    assert second.end() == 0, second.said()
    names = sorted(name[:6] for name in bench.objects())
    assert names == ["comple", "only-2", "part-0", "part-1"]
    assert ("there before the attempt began" in second.said()) == (disk == "same disk")
    wait_until(lambda: bench.open_uploads() == [])


def test_only_outputs_that_were_there_at_the_counted_checkpoint_count(bench: Bench) -> None:
    """Parts made after the last save, by a job that is killed, are made anew under other names."""
    job = (
        "n=$(cat state/n 2>/dev/null || echo 0); while [ $n -lt 4 ]; do n=$((n+1));"
        " echo $n > out/part-$n-$(cat /proc/sys/kernel/random/uuid); echo $n > state/n;"
        " if [ $n = 2 ]; then touch m; while [ -e m ]; do sleep 0.02; done; fi;"
        ' if [ $n = 3 ] && [ -z "$LAST" ]; then echo three; sleep 60; fi; done'
    )
    options = ("--output-dir", "out", "--checkpoint-dir", "state", "--marker", "m", "sh", "-c", job)
    bench.kill_behind("three", *options)
    shutil.rmtree(bench.folder / "out")

    second = bench.start(*options, LAST="1")
    assert second.end() == 0, second.said()
    names = sorted(name[:6] for name in bench.objects())
    assert names == ["comple", "part-1", "part-2", "part-3", "part-4"]


ADDED_TO = """
n=$(cat state/n 2>/dev/null || echo 0)
while [ $n -lt 4 ]; do
  n=$((n+1))
  echo "$n" $FROM_BEFORE out/all.csv; echo "all of $n" > out/$n.csv
  echo $n > state/n; touch m; while [ -e m ]; do sleep 0.02; done
  if [ $n = 2 ] && [ -z "$LAST" ]; then echo two; sleep 60; fi
done
"""


@pytest.mark.parametrize("how", [">>", ">", ">> state/all.csv; cp state/all.csv"])
def test_file_that_lacks_what_a_stopped_attempt_had_added_is_told(bench: Bench, how: str) -> None:
    """The folder for outputs is empty on the disk of the next attempt."""
    job = ADDED_TO.replace("$FROM_BEFORE", how)
    options = ("--output-dir", "out", "--checkpoint-dir", "state", "--marker", "m", "sh", "-c", job)
    bench.kill_behind("two", *options)
    for folder in ("out", "state"):
        shutil.rmtree(bench.folder / folder)

    second = bench.start(*options, LAST="1")
    assert second.end() == 0, second.said()
    warnings = bench.item().get("warnings", [])
    lacks = "1 files in the folder for outputs lack what an attempt before this one had written"
    if "state" in how:
        assert bench.objects()["all.csv"] == b"1\n2\n3\n4\n"
        assert warnings == []
    else:
        assert [lacks in warning and "'all.csv'" in warning for warning in warnings] == [True]


SAVES_IN_A_UNIT = """
import os, time, uuid
from steadyspot import current_run
run = current_run()
for unit in run.remaining("ab"):
    for half in range(2):
        with open(f"out/part-{unit}{half}-{uuid.uuid4()}.csv", "w") as file: file.write(unit)
        run.state["at"] = f"{unit}{half}"
        HOW
        print("made", unit, half, flush=True)
        if run.attempt == 1 and (unit, half) == ("b", 0): time.sleep(60)
"""


@pytest.mark.parametrize("how", ["run.save()", "open('marker', 'w').close()"])
def test_save_in_the_midst_of_a_unit_counts_no_file_of_it(bench: Bench, how: str) -> None:
    """The unit is done again after a stop, and its files have other names then."""
    options = ("--output-dir", "out", "--marker", "marker", "--drain", "0")
    command = bench.job_file(SAVES_IN_A_UNIT.replace("HOW", how))
    first = bench.start(*options, *command)
    first.wait_for("made b 0")
    wait_until(lambda: not (bench.folder / "marker").exists())
    first.terminate()
    assert first.end() == 143, first.said()

    assert bench.start(*options, *command).end() == 0
    names = sorted(name.split("-")[1] for name in bench.objects() if name.startswith("part"))
    assert names == ["a0", "a1", "b0", "b1"]


@pytest.mark.parametrize(
    ("patterns", "published"),
    [("[]", [".e", "a", "b.tmp", "c.bak", "d/e"]), ('["*.bak", "d"]', [".e", "a", "b.tmp"])],
)
def test_a_job_says_itself_what_its_output_folder_leaves_out(
    bench: Bench, patterns: str, published: list[str]
) -> None:
    job = "cd out; mkdir d; touch a b.tmp c.bak .e d/e"
    options = ["--output-dir", "out", "--output-ignore", patterns]
    worker = bench.start(*options, "sh", "-c", job)

    assert worker.end() == 0, worker.said()
    assert sorted(bench.objects()) == sorted([*published, "completion.json"])
    assert ("2 with names like *.bak d, the first is 'c.bak'" in worker.said()) == (
        patterns != "[]"
    )


def test_what_an_output_folder_leaves_out_is_named(bench: Bench) -> None:
    job = "cd out; touch a b.tmp c.part d~ .e; ln -s a link; mkfifo p; touch '\u00e9' 'e\u0301'"
    worker = bench.start("--output-dir", "out", "sh", "-c", job)

    assert worker.end() == 0, worker.said()
    assert sorted(bench.objects()) == ["a", "completion.json", "e\u0301", "\u00e9"]
    assert "names that look the same" in worker.said()
    assert "4 with names like .* *.tmp *.part *~, the first is '.e'" in worker.said()
    assert "1 links, the first is 'link'" in worker.said()
    assert "1 that are no files, the first is 'p'" in worker.said()


def test_what_a_checkpoint_folder_leaves_out_is_named_once(bench: Bench) -> None:
    save = "touch m; while [ -e m ]; do sleep 0.02; done;"
    job = f"mkfifo state/pipe; for n in 1 2; do echo $n > state/n; {save} done"
    options = ("--checkpoint-dir", "state", "--marker", "m")
    worker = bench.start(*options, "sh", "-c", job)

    assert worker.end() == 0, worker.said()
    sentence = "Left out of the checkpoint: 'pipe' (a pipe, socket or device)."
    assert worker.said().count(sentence) == 1
    assert bench.saved() == {"n": b"2\n"}


def test_folder_of_a_database_comes_back_as_it_was(bench: Bench) -> None:
    """As PostgreSQL asks: its folder is its owner's alone, and so are those in it."""
    first = bench.start(
        *FOLDERS,
        "sh",
        "-c",
        "chmod 700 state; mkdir -m 700 state/base state/base/1; echo 18 > state/PG_VERSION;"
        " ln state/PG_VERSION state/base/1/PG_VERSION; echo made; exec sleep 60",
    )
    first.wait_for("made")
    first.terminate()
    assert first.end() == 143, first.said()
    for name in ("state", "out"):  # The next task has a disk of its own.
        (bench.folder / name).rename(bench.folder / f"{name}-of-the-first")

    second = bench.start(
        *FOLDERS, "sh", "-c", "stat -c '%a %h %n' state state/base state/base/1 state/PG_VERSION"
    )

    assert second.end() == 0, second.said()
    for line in ("700 3 state", "700 3 state/base", "700 2 state/base/1", "644 2 state/PG_VERSION"):
        assert line in second.text


TOO_DEEP = "d=$(printf 'd%.0s' $(seq 250)); for n in $(seq 17); do mkdir $d; cd -P $d; done; cd -"


def test_what_cannot_be_looked_at_stops_no_save_and_is_told(bench: Bench) -> None:
    """Here it is a path that is longer than the system takes, as a program may well make it."""
    job = f"(cd state; {TOO_DEEP}) >&2; echo kept > state/file; touch m;"
    job += " while [ -e m ]; do sleep 0.05; done; echo saved"
    worker = bench.start("--checkpoint-dir", "state", "--marker", "m", "sh", "-c", job)

    assert worker.end() == 0, worker.said()
    assert bench.saved() == {"file": b"kept\n"}
    (sentence,) = bench.item()["warnings"]
    assert sentence.startswith("Left out of the checkpoint: 'ddd")
    assert sentence in [line.get(MESSAGE) for line in worker.lines]


def test_output_that_cannot_be_published_stops_no_save_and_ends_no_run_well(bench: Bench) -> None:
    """Its job goes on behind the checkpoint, so it has to begin anew to make that file again."""
    job = (
        'if [ -e state/done ]; then exit; fi; echo a > out/a; echo b > "$NAME"; touch state/done m;'
        " while [ -e m ]; do sleep 0.05; done"
    )
    options = (*FOLDERS, "--marker", "m", "sh", "-c", job)
    first = bench.start(*options, NAME="out/b\x01")

    assert first.end() == 125, first.said()
    assert "The output 'b\\\\x01' cannot be published" in first.said()
    assert bench.objects() == {}
    for name in ("state", "out"):  # The next task has a disk of its own.
        shutil.rmtree(bench.folder / name)

    mended = bench.start(*options, NAME="out/b")
    assert mended.end() == 0, mended.said()
    assert {"a", "b"} < bench.objects().keys()
    wait_until(lambda: bench.open_uploads() == [])


def test_folder_is_saved_before_its_time_where_a_stop_would_be_too_short_for_it(
    bench: Bench,
) -> None:
    """With a grace of 4 s, 40 MB may be too much for the last save, as long as nobody knows."""
    job = "head -c 40000000 /dev/zero > state/big; echo written; exec sleep 60"
    options = ("--checkpoint-dir", "state", "--every", "3600", "--stop-timeout", "4")
    worker = bench.start(*options, "sh", "-c", job)
    worker.wait_for("written")

    wait_until(lambda: bench.item().get("checkpoint"))
    worker.terminate()
    assert worker.end() == 143, worker.said()
    assert bench.saved() == {"big": bytes(40_000_000)}
    report = bench.item()["stop_report"]
    assert report["grace_seconds"] == 4
    assert 0 < report["grace_used_seconds"] < 4


WRITER = """
import os
first, last = (os.open(f"state/{name}", os.O_WRONLY | os.O_CREAT) for name in ("a", "z"))
n = 0
while True:
    n += 1
    for file in (first, last):
        os.pwrite(file, b"%08d" % n, 0)
    if n == 1:
        open("writing", "w").close()
"""


def test_folder_is_saved_at_one_instant_though_what_writes_left_the_job_s_group(
    bench: Bench,
) -> None:
    """Its two files are always at the same number, or the first is one ahead."""
    writer = shlex.join(bench.job_file(WRITER, "writer.py"))
    job = (
        f"mkdir state/m; for n in $(seq 300); do head -c 20000 /dev/zero > state/m/$n; done;"
        f" setsid {writer} & while [ ! -e writing ]; do sleep 0.02; done;"
        " for n in 1 2 3; do touch marker; while [ -e marker ]; do sleep 0.02; done; echo saved $n;"
        " read go < go; done"
    )
    os.mkfifo(bench.folder / "go")
    worker = bench.start("--checkpoint-dir", "state", "--marker", "marker", "sh", "-c", job)
    for n in (1, 2, 3):
        worker.wait_for(f"saved {n}")
        saved = bench.saved()
        assert int(saved["a"]) - int(saved["z"]) in (0, 1)
        (bench.folder / "go").write_text("go\n")
    assert worker.end() == 0, worker.said()
