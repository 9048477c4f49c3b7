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
    "use('part.csv')": {"part.csv"},
    "use(work)": {"/work"},
    "use(f'{work}/a.csv')": {"/work/a.csv"},
    "use(f'{work}/{day}.csv')": {"/work/*.csv"},
    "use(work + '/' + name)": {"/work/*"},
    "use(base / 'a' / f'{day}.csv')": {"/base/a/*.csv"},
    "use(os.path.join(work, 'a', name))": {"/work/a/*"},
    "use(base.joinpath('a.csv'))": {"/base/a.csv"},
    "use(Path(work, 'a.csv').resolve())": {"/work/a.csv"},
    "use(str(base))": {"/base"},
    "use(self.folder)": {"/own"},
    "use(base.name)": set(),
    "use(settings['work'])": {"/set"},
    "use(settings['more']['work'])": {"/deep"},
    "use(settings.get('work', '.'))": {"/set"},
    "use(os.environ['WORK'])": {"/of-environment"},
    "use(os.environ.get('WORK'))": {"/of-environment"},
    "use(os.getenv('WORK', '/tmp'))": {"/of-environment"},
    "sql(f\"select * from '{work}/*.csv'\")": {"select * from '/work/*.csv'"},
    "read_parquet(work)": {"/work", "/work/*"},
    "read_parquet([f'{work}/{day}' for day in days])": {"/work/*"},
    "scan(f'{one}-{two}')": set(),
    "sql(f\"copy rows to '{path}'\")": {"copy rows to '*'"},
    "use(other)": set(),
    "use(other / 'a.csv')": {"a.csv"},
    "use(f'{one}-{two}')": set(),
    "use(settings['number'])": {"number"},
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
        assert texts_of([ast.parse("use(file.name)")], values) == {file.name}
        assert texts_of([ast.parse("use(file)")], values) == {file.name}
