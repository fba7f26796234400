"""The terminal, pipe or file that people read: its charset, and writing to it without failing."""

from __future__ import annotations

import codecs
import locale
import os
import re
from typing import Mapping, TextIO, Tuple

from wheelhouse.text import ACTING, LONE

# Python itself sets LC_CTYPE to one of these where the locale is C or not installed (PEP 538).
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
_CONTROL = re.compile(f"[{ACTING}]")
# JSON keeps every value: what would act on a terminal stands there as JSON's own escape.
_IN_JSON = re.compile(f"[{ACTING}{LONE}]".replace("\x0a-", "\x0b-"))


def charset(environ: Mapping[str, str]) -> Tuple[str, bool]:
    """The codec that this locale's terminal shows, and whether it can show symbols beyond ASCII.

    We run with ``-X utf8``, so that Python itself says UTF-8 whatever the terminal is. In the C locale
    text passes as UTF-8 (a file name stays what it is, as in PEP 540), but no symbol of ours is added.
    """
    wanted = ["LC_ALL", "LC_CTYPE", "LANG"]
    if environ.get("LC_CTYPE") in _COERCED:
        wanted.remove("LC_CTYPE")
    value = next((environ[name] for name in wanted if environ.get(name)), "C")
    if value in ("C", "POSIX"):
        return "utf-8", False
    name = value.partition(".")[2].partition("@")[0] or locale.normalize(value).partition(".")[2]
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return "ascii", False
    return codec, codec == "utf-8"


class Stream:
    """A text stream that encodes for the terminal's charset and never fails on a character."""

    def __init__(self, stream: TextIO, codec: str, *, symbols: bool) -> None:
        self._stream = stream
        self._codec = codec
        self.encoding = "utf-8" if symbols else "ascii"  # what rich may draw with
        self.terminal = stream.isatty()

    def write(self, text: str) -> int:
        """Encode and write; what the charset lacks becomes a question mark."""
        encoded = text.encode(self._codec, "replace")
        buffer = getattr(self._stream, "buffer", None)
        if buffer is None:
            self._stream.write(encoded.decode(self._codec))
        else:
            self.flush()
            try:
                buffer.write(encoded)
            except BrokenPipeError:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand over what was written; a reader that has gone (``| head``) is no error of ours."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            # Nothing more arrives; without this Python itself would complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def isatty(self) -> bool:
        """Whether a person looks at it just now."""
        return self.terminal

    def fileno(self) -> int:
        """The file descriptor underneath."""
        return self._stream.fileno()


def printable(text: str) -> str:
    """The text with every character but tab that would act on the terminal as a question mark."""
    # A file name may hold control characters; an escape sequence must not reach the terminal.
    return _CONTROL.sub("?", text)


def inert(text: str) -> str:
    """JSON text in which everything that would act on a terminal is escaped: the same value."""
    return _IN_JSON.sub(lambda match: _escaped(ord(match.group())), text)


def _escaped(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
