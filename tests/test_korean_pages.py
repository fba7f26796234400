"""A Korean page says what the English one of its name says: same parts, commands, options and links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KOREAN = ROOT / "docs" / "ko"
# the folders whose pages are translated by hand
TRANSLATED = ("tutorial", "how-to", "explanation")
# Korean alone: README.md has its steps in English
OWN = {"quick-start"}
PAGES = {path.stem: path for kind in TRANSLATED for path in (ROOT / "docs" / kind).glob("*.md")}
_FENCED = re.compile(r"^```.*?^```\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)[^)\s]*\)")
_WORDS = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_BLANK = re.compile(r"\n\s*\n+")
# what stands behind a command: two blanks, or #
_COMMENT = re.compile(r"(\s{2,}|\s*#\s|#$).*")
_INDENT = "    "


def _is_code(line: str, before: str) -> bool:
    """Whether a line is one of an indented block: behind an empty line or another of its lines."""
    return line.startswith(_INDENT) and (not before.strip() or before.startswith(_INDENT))


class Page:
    """The parts of a page that a translation leaves as they are."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        fenced = _FENCED.findall(text)
        lines = _FENCED.sub("", text).splitlines()
        code, prose = list[str](), list[str]()
        listed = False  # within a list, where a line that is further in goes on with its item
        for before, line in zip(["", *lines], lines, strict=False):
            listed = bool(re.match(r"(\d\.|-) ", line)) or (listed and (not line or line[0] == " "))
            (code if _is_code(line, before) and not (listed and before.strip()) else prose).append(line)
        self.text = "\n".join(prose)
        self.code = [*filter(None, map(_command, code)), *fenced]
        self.paragraphs = [
            len(part.split("\n\n")) for part in re.split(r"^#+ ", _BLANK.sub("\n\n", self.text), flags=re.M)
        ]
        self.headings = [len(found) for found in re.findall(r"^(#+) ", self.text, re.MULTILINE)]
        self.rows = [line.count("|") for line in prose if line.startswith("|")]
        self.items = Counter(re.findall(r"^\s*(\d\.|-) ", self.text, re.MULTILINE))
        self.words = {found[1] for found in _WORDS.findall(" ".join(self.text.split()))}
        self.links = {Path(link).name for link in _LINK.findall(self.text) if link}


def _command(line: str) -> str:
    return _COMMENT.sub("", line.strip())


@pytest.mark.parametrize("name", sorted(PAGES))
def test_korean_page_has_the_parts_of_the_english_one(name: str) -> None:
    english, korean = Page(PAGES[name]), Page(KOREAN / f"{name}.md")
    assert korean.headings == english.headings
    assert korean.code == english.code
    assert korean.paragraphs == english.paragraphs
    assert korean.rows == english.rows
    assert korean.items == english.items
    # of commands, options, files and ids none is missing, and none is told that is gone
    assert sorted(english.words - korean.words) == []
    assert sorted(korean.words - english.words) == []
    assert korean.links == english.links


def test_korean_readme_has_the_commands_of_the_closed_host() -> None:
    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = [_command(line) for line in text.splitlines() if line.startswith(_INDENT)]
        return [line for line in lines if line.startswith(("sh FILE ", "bin/", "sha256sum ", "sh airflow-"))]

    assert commands("README.ko.md") == commands("README.md")


def test_every_korean_page_stands_for_an_english_one() -> None:
    known = {path.stem for path in (ROOT / "docs").rglob("*.md") if path.parent != KOREAN}
    assert {path.stem for path in KOREAN.glob("*.md")} - known == OWN


def test_korean_pages_lead_to_korean_pages() -> None:
    there = {path.name for path in KOREAN.glob("*.md")}
    wrong = [
        (path.name, link)
        for path in sorted(KOREAN.glob("*.md"))
        for link in _LINK.findall(path.read_text(encoding="utf-8"))
        if Path(link).name in there - {path.name} and "/" in link  # to its own English one it may lead
    ]
    assert wrong == []


def test_pages_are_compared_by_what_a_translation_leaves(tmp_path: Path) -> None:
    text = """# Title

- Run `a`:
  and more

      a b     for what

See [b](b.md#c).

    d e   # f
    # g

| x | y |
"""
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    page = Page(path)
    assert (page.headings, page.code, page.rows) == ([1], ["a b", "d e"], [3])
    assert (page.items, page.words, page.links) == (Counter({"-": 1}), {"a"}, {"b.md"})
