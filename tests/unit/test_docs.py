"""The pages for people say what is so: the made ones, each link, each command and option."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.generate import FOLDER, pages
from steadyspot.deploy.cli.main import VERBS, main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
HOW_TO = [page for page in PAGES if page.parent.name in ("start", "how-to")]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(steadyspot [^`]+)`")
_CODE = re.compile(r"```.*?```", re.DOTALL)
_END = re.compile(r"\s*(?:>|\||&&|;|#).*")


def test_the_made_pages_are_what_the_product_says() -> None:
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    made = pages()
    assert there.keys() == made.keys()
    for name, text in made.items():
        assert there[name] == text, f"make render writes {name} anew"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"),
            *("--config-file", str(ROOT / ".mkdocs.yml"), "--site-dir", str(tmp_path / "site")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    assert (tmp_path / "site" / "reference" / "causes.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in set(_anchors(target.read_text("utf-8"))), f"{page.name}: {link}"


def _anchors(text: str) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.*)$", _CODE.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(text: str) -> Iterator[list[str]]:
    """What a page says to type of ours, as words behind the command's name."""
    typed = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    for line in [*(re.sub(r"^\$ ", "", one) for one in typed), *_INLINE.findall(text)]:
        if line.startswith("steadyspot "):
            yield shlex.split(_END.sub("", line))[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_its_verb_and_options(page: Path) -> None:
    top = click.Context(main, info_name="steadyspot")
    for words in commands(page.read_text("utf-8")):
        if words[0].startswith("-"):
            continue
        assert words[0] in VERBS, words
        command = main.get_command(top, words[0])
        assert command is not None
        known = {
            name for one in command.get_params(click.Context(command)) for name in one.opts
        } | {"--help", "-h"}
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert set(options) <= known, words


_TRIED = re.compile(r"<!-- (?:tried: (\S+\.py)|on AWS only|typed once, by you) -->\n\Z")


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.name)
def test_every_block_of_commands_is_tried_or_says_that_it_is_not(page: Path) -> None:
    """A marker before each names the test that has its verbs; or why none can."""
    text = page.read_text("utf-8")
    for block in _BLOCK.finditer(text):
        marker = _TRIED.search(text, 0, block.start())
        assert marker, block[0]
        if marker[1]:
            tests = (ROOT / marker[1]).read_text("utf-8")
            if page.name in tests:  # it types the page as it stands
                continue
            missing = [words[0] for words in commands(block[0]) if words[0] not in tests]
            assert not missing, (marker[1], missing)


def test_pages_with_commands_are_looked_at() -> None:
    assert sum(len(list(commands(page.read_text("utf-8")))) for page in PAGES) > 50
