"""Which paths stand in a text, with what is known of its variables."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import pytest

from steadyspot.memory.paths_named import texts_of

VALUES: dict[str, object] = {
    "work": "/work",
    "base": Path("/base"),
    ".folder": "/own",
    "settings": {"work": "/set", "number": 3, "more": {"work": "/deep"}},
}
NAMED = {
    "read('part.csv')": {"part.csv"},
    "read(work)": {"/work"},
    "read(f'{work}/a.csv')": {"/work/a.csv"},
    "read(f'{work}/{day}.csv')": {"/work/*.csv"},
    "read(work + '/' + name)": {"/work/*"},
    "read(base / 'a' / f'{day}.csv')": {"/base/a/*.csv"},
    "read(os.path.join(work, 'a', name))": {"/work/a/*"},
    "read(base.joinpath('a.csv'))": {"/base/a.csv"},
    "read(Path(work, 'a.csv').resolve())": {"/work/a.csv"},
    "read(str(base))": {"/base"},
    "read(self.folder)": {"/own"},
    "read(base.name)": set(),
    "read(settings['work'])": {"/set"},
    "read(settings['more']['work'])": {"/deep"},
    "read(settings.get('work', '.'))": {"/set"},
    "read(os.environ['WORK'])": {"/of-environment"},
    "read(os.environ.get('WORK'))": {"/of-environment"},
    "read(os.getenv('WORK', '/tmp'))": {"/of-environment"},
    "sql(f\"select * from '{work}/*.csv'\")": {"select * from '/work/*.csv'"},
    "sql(f\"copy rows to '{path}'\")": {"copy rows to '*'"},
    "read(other)": set(),
    "read(other / 'a.csv')": {"a.csv"},
    "read(f'{one}-{two}')": set(),
    "read(settings['number'])": {"number"},
    "base.mkdir()": set(),
    "base.joinpath('a').iterdir()": set(),
    "print(work); log.info(base / 'a.csv')": set(),
    "shutil.rmtree(work); os.makedirs(base / 'new')": set(),
    "work = 1": set(),
}


@pytest.mark.parametrize("text", NAMED)
def test_text_names_what_it_names(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK", "/of-environment")
    assert texts_of([ast.parse(text)], VALUES) == NAMED[text]


def test_temporary_file_and_folder_have_a_path() -> None:
    with tempfile.TemporaryDirectory() as name, tempfile.NamedTemporaryFile(dir=name) as file:
        values: dict[str, object] = {"file": file}
        assert texts_of([ast.parse("read(file.name)")], values) == {file.name}
        assert texts_of([ast.parse("read(file)")], values) == {file.name}
