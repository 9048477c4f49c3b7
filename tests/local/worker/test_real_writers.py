"""Programs that tell a format by the name they write to, as people use them for their outputs."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from tests.local.worker.kit import ROOT, Bench

JOB = """
import shutil, sqlite3, subprocess, zipfile
from pathlib import Path
import duckdb
import numpy
from steadyspot import current_run

run = current_run()
for unit in run.remaining(["all"]):
    table = duckdb.sql("select 42 as answer")
    for name in ("day=2026-11-24/part-1.parquet", "answers.json", "answers.csv.gz"):
        with run.output(name) as path:
            duckdb.sql(f"copy (select 42 as answer) to '{path}'")
    with run.output("answers.csv") as path:
        table.write_csv(str(path))
    with run.output("array.npy") as path:
        numpy.save(path, numpy.arange(5))
    with run.output("arrays.npz") as path:
        numpy.savez_compressed(path, five=numpy.arange(5))
    with run.output("lines.gz") as path:  # gzip writes beside what it reads, with the suffix.
        lines = path.with_suffix("")
        lines.write_text("one\\ntwo\\n")
        subprocess.run(["gzip", str(lines)], check=True)
    with run.output(Path("made") / "table.sqlite") as path:
        with sqlite3.connect(path) as base:
            base.execute("create table answers as select 42 as answer")
        base.close()
    with run.output("bundle.zip") as path:  # make_archive adds the suffix by itself.
        folder = path.parent / "bundle"
        folder.mkdir()
        (folder / "inside").write_text("kept")
        shutil.make_archive(str(path.with_suffix("")), "zip", folder)
    with run.output("große Übersicht (1).txt") as path:
        path.write_text("any name")
"""
NAMES = [
    "answers.csv",
    "answers.csv.gz",
    "answers.json",
    "array.npy",
    "arrays.npz",
    "bundle.zip",
    "day=2026-11-24/part-1.parquet",
    "große Übersicht (1).txt",
    "lines.gz",
    "made/table.sqlite",
]


def check(outputs: dict[str, bytes], folder: Path) -> None:
    """Each output is of the format that its name says."""
    assert sorted(outputs) == NAMES
    assert outputs["answers.csv"].split() == [b"answer", b"42"]
    assert gzip.decompress(outputs["answers.csv.gz"]).split() == [b"answer", b"42"]
    assert outputs["answers.json"].strip() == b'{"answer":42}'
    assert outputs["day=2026-11-24/part-1.parquet"][:4] == b"PAR1"
    assert np.load(io.BytesIO(outputs["array.npy"])).sum() == 10
    assert np.load(io.BytesIO(outputs["arrays.npz"]))["five"].sum() == 10
    assert gzip.decompress(outputs["lines.gz"]) == b"one\ntwo\n"
    with zipfile.ZipFile(io.BytesIO(outputs["bundle.zip"])) as bundle:
        assert bundle.read("inside") == b"kept"
    base = folder / "fetched.sqlite"
    base.write_bytes(outputs["made/table.sqlite"])
    with sqlite3.connect(base) as table:
        assert table.execute("select answer from answers").fetchall() == [(42,)]
    table.close()


def test_outputs_have_the_format_of_their_names(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(JOB))

    assert worker.end() == 0, worker.said()
    outputs = bench.objects()
    del outputs["completion.json"]
    check(outputs, bench.folder)


def test_so_they_have_in_a_local_folder(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, env=environment, check=True, timeout=110
    )

    outputs = tmp_path / ".steadyspot" / "outputs"
    found = {
        str(path.relative_to(outputs)): path.read_bytes()
        for path in outputs.rglob("*")
        if path.is_file()
    }
    check(found, tmp_path)
