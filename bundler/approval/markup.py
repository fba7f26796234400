"""HTML that holds only text: every value is escaped here, once, and nothing else makes a tag."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wheelhouse.text import is_plain


@dataclass(frozen=True)
class Markup:
    """HTML that is finished; whatever is not this is text."""

    html: str


Content = Markup | str | Sequence["Markup | str"]


def text(value: str) -> str:
    """Text as HTML; what would act on the reader's eyes (bidi controls and the like) is made visible."""
    plain = "\n".join(
        "".join(letter if is_plain(letter) else "\ufffd" for letter in line) for line in value.split("\n")
    )
    return html.escape(plain, quote=True)


def joined(content: Content) -> str:
    """HTML of one piece or several."""
    if isinstance(content, Markup):
        return content.html
    if isinstance(content, str):
        return text(content)
    return "".join(joined(item) for item in content)


def tag(name: str, content: Content = "", kind: str = "") -> Markup:
    """An element, of a class of the style sheet."""
    attribute = f' class="{kind}"' if kind else ""
    return Markup(f"<{name}{attribute}>{joined(content)}</{name}>")


def rows(pairs: Iterable[tuple[Content, Content]], kind: str = "pairs") -> Markup:
    """A table of names and values; pairs without a value are left out."""
    lines = [tag("tr", [tag("th", name), tag("td", value)]) for name, value in pairs if value]
    return tag("table", lines, kind) if lines else Markup("")


def table(head: Sequence[Content], lines: Iterable[Sequence[Content]], kind: str = "") -> Markup:
    """A table whose head is repeated on each page; nothing without lines."""
    body = [tag("tr", [tag("td", cell) for cell in line]) for line in lines]
    if not body:
        return Markup("")
    return tag(
        "table", [tag("thead", tag("tr", [tag("th", cell) for cell in head])), tag("tbody", body)], kind
    )


def code(value: str) -> Markup:
    """Digits or a name that has to be compared letter by letter."""
    return tag("code", value)
