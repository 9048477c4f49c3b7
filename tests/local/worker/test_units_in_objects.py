"""What units leave in objects of libraries is whole after a kill, or nothing counts.

The libraries live in an environment of their own (`make tests/programs/.venv/.synced`); a way whose
library is not there is left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.worker.test_local_folder import killed_behind, published, run_to_its_end
from tests.local.worker.test_transactions_open import LIBRARIES
from tests.local.worker.test_units_carried import undisturbed

HEAD = f"""
import os, sys, time
sys.path.append({str(LIBRARIES)!r})
os.environ["MPLBACKEND"] = "agg"
from steadyspot import current_run

def write(*found):
    print("writing", flush=True)
    if current_run().attempt == 1: time.sleep(60)
    with current_run().output("all") as path: path.write_text(str(found))

def each():
    for unit in current_run().remaining(range(1, 9)):
        time.sleep(0.01)
        with current_run().output(f"own-{{unit}}") as path: path.touch()
        yield unit
        print("gave", unit, flush=True)
"""
KEPT = {
    "settings": """
import configparser
rows = configparser.ConfigParser()
rows["units"] = {}
for unit in each(): rows["units"][str(unit)] = "done"
write(*rows["units"])""",
    "mail": """
from email.message import EmailMessage
mail = EmailMessage()
for unit in each(): mail.add_header("X-Unit", str(unit))
write(mail.as_string())""",
    "archive": """
import io, zipfile
file = io.BytesIO()
archive = zipfile.ZipFile(file, "w")
for unit in each(): archive.writestr(str(unit), "row")
write(archive.namelist())""",
    "file without a name": """
import tempfile
rows = tempfile.TemporaryFile("w+")
for unit in each(): rows.write(f"{unit},")
rows.seek(0)
write(rows.read())""",
    "queue": """
import queue
rows = queue.Queue()
for unit in each(): rows.put(unit)
write([rows.get() for _ in range(rows.qsize())])""",
    "queue of a pool": """
import queue
from concurrent.futures import ThreadPoolExecutor
rows = queue.Queue()
def work(unit):
    with current_run().unit(unit), current_run().output(f"own-{unit}") as path: path.touch()
    rows.put(unit)
    print("gave", unit, flush=True)
with ThreadPoolExecutor(1) as pool: list(pool.map(work, current_run().undone(range(1, 9))))
write(sorted(rows.get() for _ in range(rows.qsize())))""",
    "variable of a context": """
import contextvars
total = contextvars.ContextVar("total", default=0)
for unit in each(): total.set(total.get() + unit)
write(total.get())""",
    "lxml": """
from lxml import etree
root = etree.Element("units")
for unit in each(): etree.SubElement(root, "unit").text = str(unit)
write(etree.tostring(etree.ElementTree(root)))""",
    "openpyxl": """
import openpyxl
book = openpyxl.Workbook()
sheet = book.active
for unit in each(): sheet.append([unit])
write([*book.active.values])""",
    "matplotlib": """
from matplotlib import pyplot
figure, axes = pyplot.subplots()
for unit in each(): axes.plot([0, unit])
figure.savefig("figure.png")
write([line.get_ydata()[1] for line in figure.axes[0].lines])""",
    "matplotlib, without a name": """
from matplotlib import pyplot
for unit in each(): pyplot.plot([0, unit])
pyplot.savefig("figure.png")
write([line.get_ydata()[1] for line in pyplot.gca().lines])""",
}


def skip_without(way: str) -> None:
    library = way.partition(",")[0]
    if library in ("lxml", "openpyxl", "matplotlib") and not (LIBRARIES / library).is_dir():
        pytest.skip(f"there is no {library}: make tests/programs/.venv/.synced")


@pytest.mark.parametrize("killed", ["gave 5", "writing"])
@pytest.mark.parametrize("way", KEPT)
def test_output_that_would_lack_what_units_left_in_an_object_is_made_of_all_units(
    tmp_path: Path, way: str, killed: str
) -> None:
    skip_without(way)
    job = f"{HEAD}{KEPT[way]}\n"
    right = undisturbed(tmp_path / "undisturbed", job.replace("time.sleep(60)", "pass"))
    assert len(killed_behind(killed, tmp_path, job)) >= 4

    code, said = run_to_its_end(tmp_path, job)
    assert code == 75, said
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path) == right


HARMLESS = {
    "pool": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(1)
for unit in each(): list(pool.map(str, [unit]))
write(*pool.map(str, [0]))""",
    "log of its own": """
log = open("run.log", "a")
for unit in each(): log.write(str(unit))
log.close()
write("done")""",
    "lxml that is looked up": """
from lxml import etree
root, path = etree.fromstring("<a><b/></a>"), etree.XPath("//b")
for unit in each(): path(root), root.find("b")
write(len(path(root)))""",
    "openpyxl, of each unit": """
import openpyxl
for unit in each():
    book = openpyxl.Workbook()
    book.active.append([unit])
    book.save("unit.xlsx")
book = openpyxl.Workbook()
write([*book.active.values])""",
    "matplotlib, of each unit": """
from matplotlib import pyplot
for unit in each():
    figure, axes = pyplot.subplots()
    axes.plot([0, unit])
    figure.savefig("figure.png")
figure, axes = pyplot.subplots()
figure.savefig("figure.png")
pyplot.close("all")
write(len(axes.lines))""",
    "matplotlib, cleared": """
from matplotlib import pyplot
figure, axes = pyplot.subplots()
for unit in each():
    axes.clear()
    axes.plot([0, unit])
    figure.savefig("figure.png")
pyplot.close(figure)
write("done")""",
}


@pytest.mark.parametrize("way", HARMLESS)
def test_object_that_works_or_is_looked_up_costs_no_unit(tmp_path: Path, way: str) -> None:
    library = way.partition(" ")[0].rstrip(",")
    skip_without(library)
    job = f"{HEAD}{HARMLESS[way]}\n"
    assert len(killed_behind("gave 5", tmp_path, job)) >= 4

    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert "gave 1\n" not in said
