"""Text files as people's programs write them: with a byte order mark, a coding line, or in UTF-8."""

from __future__ import annotations

import codecs
import re

# The longer ones first: a mark of UTF-32 begins as one of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")


class NotText(ValueError):
    """Bytes that are no text in the encoding that they name, or in UTF-8; the message is a sentence."""


def decode(data: bytes) -> str:
    """The text of a file, decoded as pip decodes requirement files; raises :class:`NotText`.

    A byte order mark decides, else a coding line (PEP 263) among the first two, else it is UTF-8. Where pip
    would then guess from the locale, nothing is guessed: another host has another locale.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, "according to its byte order mark")
    for line in data.split(b"\n")[:2]:
        named = _CODING.search(line) if line.startswith(b"#") else None
        if named:
            return _decoded(data, named[1].decode("ascii"), "according to its coding line")
    return _decoded(data, "utf-8", "")


def _decoded(data: bytes, encoding: str, why: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f" ({why})" if why else ""
        raise NotText(f"line {line} is not text in {encoding}{reason}; save the file as UTF-8") from error
    except (LookupError, UnicodeError) as error:  # no codec, or one of something else than text
        raise NotText(f"its encoding {encoding} is not known; save the file as UTF-8") from error
    if "\0" in text:
        raise NotText("it has NUL characters, as UTF-16 without a byte order mark; save the file as UTF-8")
    return text
