"""The word that was meant by one that is not known."""

from __future__ import annotations

import difflib
from typing import Iterable

_NEAR = 0.65  # two letters exchanged in a word of six


def is_near(word: str, known: str) -> bool:
    """Whether one may be meant by the other, or is a part of it."""
    return word in known or bool(difflib.get_close_matches(word, [known], 1, _NEAR))


def did_you_mean(word: str, known: Iterable[str], *, near: float = _NEAR) -> str:
    """``Did you mean status or start?`` for a word near to known ones, else an empty text.

    At most three are named, the nearest first; `near` is difflib's ratio.
    """
    by_lower = {name.lower(): name for name in known}
    found = [by_lower[name] for name in difflib.get_close_matches(word.lower(), by_lower, 3, near)]
    if not found:
        return ""
    *others, last = found
    return f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
