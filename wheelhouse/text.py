"""Text of a stranger: which characters act on who shows it, and a bounded way to repeat it."""

from __future__ import annotations

import re

# What moves the cursor, hides or reorders text: control characters but tab, Unicode's format characters (bidi
# controls and what is invisible), line and paragraph separators.
ACTING = (
    "\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
# What no terminal and no encoding can show (half a pair of UTF-16).
LONE = "\ud800-\udfff"
_UNFIT = re.compile(f"[\t{ACTING}{LONE}]")
_LONGEST = 80


def is_plain(text: str) -> bool:
    """Whether the text is one line in which every character can be seen and encoded."""
    return not _UNFIT.search(text)


def shown(text: str) -> str:
    """The text in quotes, in ASCII and cut, for a message about it."""
    return ascii(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
