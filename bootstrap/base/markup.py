"""HTML that holds only text: every value is escaped here, once, and nothing else makes a tag."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Iterable, Sequence, Tuple, Union

from wheelhouse.text import is_plain

# Of a page for print on A4; each page adds its own.
STYLE = """\
@page { size: A4; margin: 14mm 12mm 16mm; @bottom-right { content: counter(page) " / " counter(pages); } }
@page { @bottom-left { font: 8pt sans-serif; } @bottom-right { font: 8pt sans-serif; } }
* { box-sizing: border-box; }
body { font: 9.5pt/1.4 "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo",
  "NanumGothic", sans-serif; color: #000; background: #fff; margin: 0 auto; max-width: 186mm;
  word-break: keep-all; overflow-wrap: anywhere; }
h1 { font-size: 15pt; margin: 0 0 2mm; line-height: 1.25; }
h2 { font-size: 11pt; margin: 5mm 0 1.5mm; border-bottom: 0.4mm solid #000; break-after: avoid; }
h3 { font-size: 10pt; margin: 4mm 0 1mm; break-after: avoid; }
.newpage { break-before: page; margin-top: 0; }
p { margin: 1.5mm 0; }
.note { font-size: 8.5pt; color: #333; }
ul { margin: 1mm 0; padding-left: 5mm; }
table { border-collapse: collapse; width: 100%; margin: 1mm 0; }
th, td { text-align: left; vertical-align: top; padding: 0.7mm 1.5mm; border: 0.2mm solid #999;
  font-weight: normal; }
thead { display: table-header-group; }
thead th { background: #eee; font-size: 8.5pt; }
tr { break-inside: avoid; }
.pairs th { width: 33mm; background: #f4f4f4; }
code { font: 8pt/1.35 "DejaVu Sans Mono", Consolas, monospace; word-break: break-all; }
pre { font: 7pt/1.3 "DejaVu Sans Mono", Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  border: 0.2mm solid #999; padding: 1.5mm; }
@media screen { body { padding: 8mm 6mm; } .newpage { margin-top: 8mm; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Markup:
    """HTML that is finished; whatever is not this is text."""

    html: str


Content = Union[Markup, str, Sequence[Union[Markup, str]]]


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


def rows(pairs: Iterable[Tuple[Content, Content]], kind: str = "pairs") -> Markup:
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


def page(title: str, style: str, sections: Iterable[Markup], language: str) -> bytes:
    """A whole document in UTF-8: no script, no other file, no address that is opened."""
    head = (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
    )
    body = "\n".join(section.html for section in sections if section.html)
    return f"{head}{body}\n</body>\n</html>\n".encode()


def grouped(sha256: str) -> str:
    """A digest in groups of eight, to be compared by eye."""
    return " ".join(sha256[start : start + 8] for start in range(0, len(sha256), 8))
