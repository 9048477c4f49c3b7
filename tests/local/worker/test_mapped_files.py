"""Files of a folder that a job writes through memory: their times need not move as they change.

As ``mmap``, NumPy's ``memmap`` and Java's ``MappedByteBuffer`` do it, with the file's descriptor
closed. What was written last is in the next save, in the last one at a stop, and published.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

import pytest

from steadyspot.worker.supervising.processes import Process
from steadyspot.worker.supervising.written_files import mapped
from tests.local.worker.kit import Bench, wait_until

JOB = """
import ctypes, os, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
SIZE = 1 << 20

def mapped(path):
    number = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(number, SIZE)
    place = libc.mmap(None, SIZE, 3, 1, number, 0)  # To be read and written, shared.
    os.close(number)
    return place

def write(place, text):
    ctypes.memmove(place, text, len(text))

def save():
    open("marker", "w").close()
    while os.path.exists("marker"): time.sleep(0.01)

def hold():
    print("HOLD", flush=True)
    time.sleep(600)
"""
STATE = ("--checkpoint-dir", "state", "--marker", "marker", "--drain", "1")
OUT = ("--output-dir", "out", "--marker", "marker", "--drain", "1")


def test_only_what_is_mapped_to_write_into_the_file_is_found_by_whatever_name(
    tmp_path: Path,
) -> None:
    ways = {
        "shared": (mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        "with spaces\nand lines": (mmap.MAP_SHARED, mmap.PROT_WRITE),
        "read": (mmap.MAP_SHARED, mmap.PROT_READ),
        "private": (mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE),
    }
    here = [Process(os.getpid(), 0, 0, 0)]
    (tmp_path / "below").mkdir()
    with contextlib.ExitStack() as stack:
        for name, (flags, protection) in ways.items():
            path = tmp_path / "below" / name
            path.write_bytes(bytes(mmap.PAGESIZE))
            with path.open("r+b") as file:
                stack.enter_context(mmap.mmap(file.fileno(), 0, flags=flags, prot=protection))
        written = {f"{tmp_path.resolve()}/below/{name}" for name in list(ways)[:2]}
        assert mapped(str(tmp_path / "below"), here) == written
        assert mapped(str(tmp_path / "bel"), here) == set()
    assert mapped(str(tmp_path), here) == set()


def stopped(bench: Bench, text: str, *options: str) -> None:
    worker = bench.start(*options, *bench.job_file(JOB + text))
    worker.wait_for("HOLD")
    worker.terminate()
    assert worker.end() == 143, worker.said()


def test_output_that_is_mapped_is_published_as_it_was_written_last(bench: Bench) -> None:
    job = "x = mapped('out/x'); write(x, b'head'); save(); write(x + 4, b'tail')"
    worker = bench.start(*OUT, *bench.job_file(JOB + job))
    assert worker.end() == 0, worker.said()
    assert bench.objects()["x"][:8] == b"headtail"


def test_output_that_is_mapped_again_once_it_was_staged_is_published_anew(bench: Bench) -> None:
    job = (
        "x = mapped('out/x'); write(x, b'head'); libc.munmap(x, SIZE); save()\n"
        "x = mapped('out/x'); write(x, b'HEAD'); save(); write(x + 4, b'tail')"
    )
    worker = bench.start(*OUT, *bench.job_file(JOB + job))
    assert worker.end() == 0, worker.said()
    assert bench.objects()["x"][:8] == b"HEADtail"


def test_output_still_mapped_when_the_job_is_killed_is_withdrawn(bench: Bench) -> None:
    job = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("out/done", "w").close(); x = mapped("out/x"); hold()
"""
    stopped(bench, job, *OUT)
    assert [name.rpartition("/")[2] for name in bench.open_uploads()] == ["done"]


@pytest.mark.parametrize(
    "end",
    [
        "hold()",
        "libc.munmap(x, SIZE); hold()",
        "save(); write(x, b'last'); hold()",
        "libc.munmap(x, SIZE); save(); hold()",
    ],
)
def test_file_that_is_mapped_is_saved_as_it_was_written_last(bench: Bench, end: str) -> None:
    job = f"x = mapped('state/x'); write(x, b'zero'); save(); write(x, b'last'); {end}"
    stopped(bench, job, *STATE)
    assert bench.saved()["x"][:4] == b"last"


def test_file_that_is_mapped_by_another_name_of_it_is_saved_as_it_was_written_last(
    bench: Bench,
) -> None:
    job = (
        "x = mapped('state/x'); os.link('state/x', 'state/a'); write(x, b'zero')\n"
        "save(); write(x, b'last'); hold()"
    )
    stopped(bench, job, *STATE)
    assert bench.saved()["a"][:4] == b"last"


@pytest.mark.parametrize("how", ["saved and killed", "stopped"])
def test_file_is_saved_as_a_process_wrote_it_that_is_gone(bench: Bench, how: str) -> None:
    job = """
if not os.fork():
    x = mapped('state/x'); write(x, b'zero'); save(); write(x, b'last'); os._exit(0)
os.wait(); hold()
"""
    worker = bench.start(*STATE, *bench.job_file(JOB + job))
    worker.wait_for("HOLD")
    if how == "stopped":
        worker.terminate()
        assert worker.end() == 143, worker.said()
    else:
        (bench.folder / "marker").touch()
        wait_until(lambda: not (bench.folder / "marker").exists())
    assert bench.saved()["x"][:4] == b"last"
