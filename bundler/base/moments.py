"""The time that a file bears: that of now, or of SOURCE_DATE_EPOCH, which makes it the same each time."""

from __future__ import annotations

import os
import time

from bundler.base.errors import InvalidRequest
from wheelhouse import timestamp

VARIABLE = "SOURCE_DATE_EPOCH"
_LAST = 253402300799  # the end of the year 9999


def stamp() -> str:
    """The time stamp (RFC 3339); raises :class:`InvalidRequest` for a variable that is no time."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return timestamp.at(time.time())
    if not (text.isdecimal() and text.isascii() and int(text) <= _LAST):
        raise InvalidRequest(f"{VARIABLE} is no time.", found=text, needed="seconds since 1970, in digits")
    return timestamp.at(int(text))
