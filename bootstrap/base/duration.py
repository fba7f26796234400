"""Lengths of time as people write them: ``90s``, ``10m``, ``2h``, ``30d``, ``4w``; without a unit seconds."""

from __future__ import annotations

import re

# What an admin may have running tasks waited for: a day.
LONGEST_WAIT = 86_400

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(text: str) -> float:
    """The seconds of such a text; raises ValueError for any other."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", text)
    if not found:
        raise ValueError(f"{text!r} is not a time: give for example 90s, 10m, 2h or 30d")
    return float(found[1]) * _UNITS[found[2]]


def text(number: float) -> str:
    """A number of seconds in the largest unit that fits: ``10 min``."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if number >= size and number % size == 0:
            return f"{number / size:.0f} {unit}"
    return f"{number:.0f} s"
