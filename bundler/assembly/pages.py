"""The manual as a bundle carries it: each page as text for the terminal and as plain HTML for a browser."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.base.manual import FOLDER, LISTED, Topic
from wheelhouse import codec, layout
from wheelhouse.writer import Member

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# folders of docs/, in the order of the list
KINDS = {
    "tutorial": "To begin with",
    "how-to": "How to",
    "explanation": "How and why it works",
    "reference": "To look things up",
}
_PICTURE = re.compile(r"^!\[([^\]]*)\]\([^)]*\)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(((?!\w+:)[^)\s]+)\)")
_STYLE = """\
body { max-width: 46em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; color: #222 }
pre, code { font: 14px/1.45 monospace; background: #f3f3f3 }
pre { padding: .7em; overflow-x: auto }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top }
h1 { font-size: 1.7em }
h2 { font-size: 1.3em }
"""


# a font of the reader's that has the letters, and in code one where they are two columns wide
_FONTS = {
    "ko": """\
body { font-family: "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", sans-serif }
pre, code { font-family: "D2Coding", "NanumGothicCoding", "Noto Sans Mono CJK KR", monospace }
"""
}
# folders of docs/ with pages in other languages, which stand for the English ones of the same name
_NAMES = {"ko": "한국어"}
LANGUAGES = tuple(_NAMES)
_WORDS = {
    "": {"back": "All pages", **KINDS},
    "ko": {
        "back": "모든 페이지",
        "tutorial": "시작하기",
        "how-to": "방법",
        "explanation": "원리와 이유",
        "reference": "찾아보기",
    },
}


@dataclass(frozen=True)
class ManualPage:
    """A page of docs/: its `topic`, its kind, its Markdown text, and its language unless English."""

    topic: str
    kind: str
    text: str
    language: str = ""

    @property
    def title(self) -> str:
        """Its first heading, without Markdown."""
        return self.text.split("\n", 1)[0].lstrip("# ").replace("`", "")


def sources() -> tuple[ManualPage, ...]:
    """The pages, in the order of the list; none where this program was installed without them."""
    english = [
        ManualPage(path.stem, kind, path.read_text(encoding="utf-8"))
        for kind in KINDS
        for path in sorted((_folder() / kind).glob("*.md"))
    ]
    kinds = {page.topic: page.kind for page in english}
    others = [
        ManualPage(path.stem, kinds.get(path.stem, next(iter(KINDS))), path.read_text(encoding="utf-8"), code)
        for code in LANGUAGES
        for path in sorted((_folder() / code).glob("*.md"))
    ]
    return (*english, *others)


def renderer() -> str:
    """What the HTML depends on beside the pages."""
    return f"markdown-it-py {version('markdown-it-py')}"


def members(pages: tuple[ManualPage, ...]) -> Iterator[Member]:
    """The members below the runtime's folder: a list, and each page twice."""
    from markdown_it import MarkdownIt  # noqa: PLC0415  (only a program that is packed anew needs it)

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    known = {page.topic: f"{page.topic}.html" for page in pages if not page.language}
    for code in dict.fromkeys(page.language for page in pages):
        own = tuple(page for page in pages if page.language == code)
        folder = f"{layout.RUNTIME}{FOLDER}/{code}/" if code else f"{layout.RUNTIME}{FOLDER}/"
        places = dict(known)
        if code:
            places = {topic: f"../{place}" for topic, place in known.items()}
            places.update((page.topic, f"{page.topic}.html") for page in own)
        listed = [Topic(page.topic, page.title, KINDS[page.kind]) for page in own]
        data = json.dumps([codec.encode(topic) for topic in listed], ensure_ascii=False, indent=1)
        yield Member(folder + LISTED, data.encode())
        yield Member(folder + "index.html", _page("airferry", _index(pages, code), code))
        for page in own:
            text = _PICTURE.sub(r"*\1*", page.text)
            yield Member(f"{folder}{page.topic}.txt", _LINK.sub(_in_terminal(set(places)), text).encode())
            body = _back(code) + _rendered(markdown, _LINK.sub(_in_browser(places), text))
            yield Member(f"{folder}{page.topic}.html", _page(page.title, body, code))


def _rendered(markdown: MarkdownIt, text: str) -> str:
    """The HTML of a page; headings have the ids that GitHub gives them, which links name."""
    tokens = markdown.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            letters = re.sub(r"[^\w\- ]", "", inline.content.lower())
            token.attrSet("id", letters.replace(" ", "-"))
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    return html


def _back(language: str) -> str:
    return f'<p><a href="index.html">{_WORDS[language]["back"]}</a></p>\n'


def _in_terminal(known: set[str]):  # type: ignore[no-untyped-def]
    def put(found: re.Match[str]) -> str:
        topic = Path(found[2].partition("#")[0]).stem
        return f"{found[1]} (`airferry help {topic}`)" if topic in known else found[1]

    return put


def _in_browser(known: dict[str, str]):  # type: ignore[no-untyped-def]
    def put(found: re.Match[str]) -> str:
        path, mark, heading = found[2].partition("#")
        topic = Path(path).stem
        if not path:
            return found[0]
        return f"[{found[1]}]({known[topic]}{mark}{heading})" if topic in known else found[1]

    return put


def _index(pages: tuple[ManualPage, ...], language: str) -> str:
    """All pages, each in this language where there is one; and the way to the other languages."""
    others = [("", "English"), *_NAMES.items()]
    up = "../" if language else ""
    ways = [
        f'<a href="{up}{code}{"/" if code else ""}index.html" lang="{code or "en"}">{name}</a>'
        for code, name in others
        if code != language
    ]
    parts = ["<h1>airferry</h1>\n", f"<p>{', '.join(ways)}</p>\n"]
    for kind in KINDS:
        parts += [f"<h2>{_WORDS[language][kind]}</h2>\n<ul>\n{_rows(pages, kind, language)}</ul>\n"]
    return "".join(parts)


def _rows(pages: tuple[ManualPage, ...], kind: str, language: str) -> str:
    """The links to the pages of a kind."""
    items = {page.topic: page for page in pages if page.kind == kind and not page.language}
    own = {page.topic: page for page in pages if page.kind == kind and page.language == language}
    items = {**{topic: page for topic, page in own.items() if topic not in items}, **items, **own}
    return "".join(
        f'<li><a href="{"" if page.language == language else "../"}{page.topic}.html">'
        f"{escape(page.title)}</a></li>\n"
        for page in items.values()
    )


def _page(title: str, body: str, language: str = "") -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="{language or "en"}">\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>\n{_STYLE}{_FONTS.get(language, '')}</style>\n{body}</html>\n"
    ).encode()


def _folder() -> Path:
    """Where the pages lie: inside the installed package, else in the source tree."""
    found = importlib.util.find_spec("bundler")
    assert found is not None
    assert found.submodule_search_locations is not None
    package = Path(next(iter(found.submodule_search_locations)))
    inside = package / "docs"
    return inside if inside.is_dir() else package.parent / "docs"
