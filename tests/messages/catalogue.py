"""A catalogue of messages: its text (.po) that people edit, and gettext's binary form (.mo) made of it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from bootstrap.base.translation import FIELD
from tests.messages.extraction import ROOT

PO = ROOT / "bootstrap" / "locale" / "ko" / "LC_MESSAGES" / "airferry.po"
MO = PO.with_suffix(".mo")
HEADER = (
    "Project-Id-Version: airferry\nLanguage: ko\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\n"
)
_BOTH = {
    **dict.fromkeys(("은", "는"), "은(는)"), **dict.fromkeys(("이", "가"), "이(가)"),
    **dict.fromkeys(("을", "를"), "을(를)"), **dict.fromkeys(("과", "와"), "과(와)"),
    **dict.fromkeys(("으로", "로"), "(으)로"), **dict.fromkeys(("이라는", "라는"), "(이)라는"),
}  # fmt: skip
_PARTICLE = re.compile(r"(\}['\")]*)(" + "|".join(sorted(_BOTH, key=len, reverse=True)) + r")(?![가-힣(])")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNESCAPES = {value[1]: key for key, value in _ESCAPES.items()}


def read(path: Path = PO) -> dict[str, str]:
    """The messages of a .po file that have a translation."""
    found, key, field = {}, "", ""
    text: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in [*lines, ""]:
        word, _, rest = line.partition(" ")
        if word in ("msgid", "msgstr"):
            field = word
            text[field] = _unquoted(rest)
        elif line.startswith('"'):
            text[field] += _unquoted(line)
        elif not line:
            key = text.get("msgid", "")
            if key and text.get("msgstr"):
                found[key] = text["msgstr"]
            text = {}
    return found


def written(messages: Mapping[str, list[str]], known: Mapping[str, str]) -> str:
    """The .po file of the messages; the places are files without line numbers, which would change daily."""
    blocks = [_entry("", HEADER)]
    for message, places in messages.items():
        files = " ".join(sorted({place.partition(":")[0] for place in places}))
        blocks.append(f"#: {files}\n{_entry(message, known.get(message, ''))}")
    return "\n".join(blocks)


def carried_over(messages: Mapping[str, list[str]], known: Mapping[str, str]) -> dict[str, str]:
    """The translations of the messages; one whose placeholders were only renamed keeps its own."""
    known = {message.strip(): text.strip() for message, text in known.items()}
    old = {FIELD.sub("\0", message): message for message in known}
    found = {}
    for message in messages:
        same = message if message in known else old.get(FIELD.sub("\0", message))
        if same is not None:
            names = dict(zip(FIELD.findall(same), FIELD.findall(message), strict=True))
            found[message] = FIELD.sub(lambda field: f"{{{names.get(field[1], field[1])}}}", known[same])  # noqa: B023
    return found


def both_forms(text: str) -> str:
    """A translation in which each particle behind a value has both forms: particles.py chooses."""
    return _PARTICLE.sub(lambda found: found[1] + _BOTH[found[2]], text)


def compiled(known: Mapping[str, str]) -> bytes:
    """The binary form; format: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html."""
    pairs = sorted((key.encode(), value.encode()) for key, value in {"": HEADER, **known}.items())
    start = 28 + 16 * len(pairs)
    tables, strings = [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<II", len(pair[side]), start + len(strings))
            strings += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(tables) + strings


def wrong(known: Mapping[str, str]) -> Iterator[str]:
    """The messages whose translation lacks a placeholder, or has one that is none."""
    for message, translation in known.items():
        if sorted(set(FIELD.findall(message))) != sorted(set(FIELD.findall(translation))):
            yield message


def _entry(message: str, translation: str) -> str:
    return f"msgid {_quoted(message)}\nmsgstr {_quoted(translation)}\n"


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNESCAPES[found[1]], text.strip()[1:-1])
