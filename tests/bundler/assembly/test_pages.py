"""The manual in a bundle: complete, readable in a terminal and a browser, and leading nowhere else."""

from __future__ import annotations

import json
import os
import posixpath
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from bundler.assembly import pages, payload

ROOT = Path(__file__).parents[3]


class Links(HTMLParser):
    """Where a page leads, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.targets.append(found.get("href") or "")
        self.ids.add(found.get("id") or "")
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(tag)


@pytest.fixture(scope="module")
def manual() -> dict[str, str]:
    made = pages.members(pages.sources())
    return {item.name.partition("/doc/")[2]: b"".join(item.chunks()).decode() for item in made}


def test_every_page_is_there_as_text_and_for_a_browser(manual: dict[str, str]) -> None:
    found = [path for kind in pages.KINDS for path in (ROOT / "docs" / kind).glob("*.md")]
    topics = [item["name"] for item in json.loads(manual["topics.json"])]
    assert sorted(topics) == sorted(path.stem for path in found)
    assert len(set(topics)) == len(topics)
    for path in found:
        heading = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert manual[f"{path.stem}.txt"].startswith(heading)
        assert "<h1 id=" in manual[f"{path.stem}.html"]


def test_links_to_a_heading_find_it(manual: dict[str, str]) -> None:
    read = {name: Links() for name in manual if name.endswith(".html")}
    for name, links in read.items():
        links.feed(manual[name])
    wrong = []
    for name, links in read.items():
        for target in links.targets:
            page, mark, heading = target.partition("#")
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), page)) if page else name
            if mark and place in read and unquote(heading) not in read[place].ids:
                wrong.append((name, target))
    assert wrong == []


def test_pictures_are_told_in_words(manual: dict[str, str]) -> None:
    assert "![" not in "".join(manual.values())
    assert "<em>The first page" in manual["approval.html"]


def test_the_list_of_pages_is_in_each_language(manual: dict[str, str]) -> None:
    assert '<a href="ko/index.html" lang="ko">한국어</a>' in manual["index.html"]
    korean = manual["ko/index.html"]
    assert '<a href="../index.html" lang="en">English</a>' in korean
    assert '<li><a href="upgrade.html">업그레이드' in korean
    assert '<li><a href="../bundle.html">' in korean  # there is no Korean page
    assert '<p><a href="index.html">모든 페이지</a></p>' in manual["ko/upgrade.html"]


def test_nothing_leads_out_or_is_loaded(manual: dict[str, str]) -> None:
    wrong = []
    for name, text in manual.items():
        if name.endswith(".html"):
            links = Links()
            links.feed(text)
            places = [target.partition("#")[0] for target in links.targets if "://" not in target]
            folder = name.rpartition("/")[0]
            wrong += [
                (name, place)
                for place in places
                if place and posixpath.normpath(posixpath.join(folder, place)) not in manual
            ]
            wrong += [(name, tag) for tag in links.loaded]
        elif name.endswith(".txt"):
            wrong += [(name, link) for link in re.findall(r"\]\((?!\w+:|#)[^)]+\)", text)]
    assert wrong == []


def test_a_page_in_korean_stands_for_the_english_one(manual: dict[str, str]) -> None:
    found = sorted(path.stem for path in (ROOT / "docs" / "ko").glob("*.md"))
    assert sorted(item["name"] for item in json.loads(manual["ko/topics.json"])) == found
    assert {"quick-start", "daily-use"} <= set(found)
    assert '<html lang="ko">' in manual["ko/daily-use.html"]
    assert "(`airferry help airflow-versions`)" in manual["ko/which-release.txt"]  # there is no Korean page


SHOW = """
import sys
sys.path.insert(0, sys.argv[1] + "/runtime")
from bootstrap import cli
from bootstrap.commands.shared import run
sys.exit(run(cli.application("bundled"), "sh FILE", sys.argv[2:]))
"""


def test_it_is_read_from_inside_the_file(tmp_path: Path) -> None:
    """Before anything is installed."""
    file = tmp_path / "FILE"
    with zipfile.ZipFile(file, "w") as archive:
        for item in (*payload.program(), *pages.members(pages.sources())):
            archive.writestr(item.name, b"".join(item.chunks()))

    def said(*words: str, lang: str = "C.UTF-8") -> tuple[int, str]:
        command = [sys.executable, "-X", "utf8", "-c", SHOW, str(file), "help", *words]
        environ = {**os.environ, "LANG": lang}
        ran = subprocess.run(
            command, check=False, capture_output=True, encoding="utf-8", cwd=tmp_path, env=environ
        )
        return ran.returncode, ran.stdout + ran.stderr

    status, text = said()
    assert (status, "  daily-use " in text, "  install " in text) == (0, True, True), text
    assert said("upgrade")[1].startswith((ROOT / "docs/how-to/upgrade.md").read_text().split("\n", 1)[0])
    assert "--parallelism" in said("install")[1]
    assert said("daily-use", lang="ko_KR.UTF-8")[1].startswith("# 일상 운영\n")
    assert said("bundle", lang="ko_KR.UTF-8")[1].startswith("# The internet side")
    status, text = said(lang="ko_KR.UTF-8")
    assert (status, "quick-start" in text, "일상 운영" in text, "설치" in text) == (0, True, True, True), text
    assert said("disk-full")[1].startswith("disk-full (blocker): Not enough disk space")
    status, text = said("upgarde")
    assert (status, "Did you mean upgrade?" in text) == (2, True)
