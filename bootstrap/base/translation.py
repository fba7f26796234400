"""Texts that the code has made, in the words of a gettext catalogue: whole, by template, or in pieces."""

from __future__ import annotations

import gettext
import io
import re
from typing import Dict, List, Optional, Pattern, Tuple

from bootstrap.base import particles
from bootstrap.base.language import Wording

FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
# A template with fewer letters of its own would fit texts that it was not made for.
LEAST_LETTERS = 4
# Fewer are no sign that the template begins with a whole list.
_LEAST_AFTER_LIST = 15
_LONGEST = 4000
_DEEPEST = 4
_LETTER = re.compile("[A-Za-z]")
_WORDS = re.compile("[A-Za-z]{2}.* [A-Za-z]{2}")
# between sentences, and between the items of a list that begin with a number or a capital
_SENTENCES = re.compile(r"([,;]\s+|(?<=[.!?:\]])\s+)(?=[A-Z\[(]|\d+ [A-Za-z])")
_ITEMS = re.compile("(, |: )")
_LINES = re.compile(r"(\n)")
_ENDS = ".!?:"


class Translation(Wording):
    """A catalogue in gettext's binary format (.mo); a text that it lacks stays English."""

    def __init__(self, code: str, data: bytes) -> None:
        self.code = code
        texts = _Texts(io.BytesIO(data))
        self._texts = texts.texts
        self._templates = sorted(
            (
                _Template(key, value)
                for key, value in self._texts.items()
                if key != value and is_template(key)
            ),
            key=lambda template: -template.letters,
        )
        self._known: Dict[str, str] = {}

    def text(self, text: str) -> str:
        """As of :class:`Wording`."""
        if " " not in text.strip() and text[-1:] not in _ENDS:
            return text
        if text not in self._known:
            self._known[text] = self._translated(text, 0) or text
        return self._known[text]

    def word(self, text: str) -> str:
        """As of :class:`Wording`."""
        return self._texts.get(text) or self.text(text)

    def _translated(self, text: str, depth: int) -> Optional[str]:
        """The text in this language; None where nothing of it is known."""
        if not _LETTER.search(text) or len(text) > _LONGEST or depth > _DEEPEST:
            return None
        if text in self._texts:
            return self._texts[text]
        if text[-1] in ".:" and text[:-1] in self._texts:
            return self._texts[text[:-1]] + text[-1]
        bare = text.strip()
        if bare != text:
            inner = self._translated(bare, depth)
            return None if inner is None else text.replace(bare, inner)
        if "\n" in text:
            return self._by_template(text, depth) or self._in_pieces(text, _LINES, depth)
        whole = self._in_pieces(text, _SENTENCES, depth, every=True)
        found = whole or self._by_template(text, depth) or self._in_pieces(text, _SENTENCES, depth)
        # a value may be a list, or a name and what is said of it
        return found or (self._in_pieces(text, _ITEMS, depth) if depth else None)

    def _by_template(self, text: str, depth: int) -> Optional[str]:
        """By the template that leaves the fewest letters English; better one whose own words end the text."""
        best: Optional[Tuple[Tuple[int, bool, int], str]] = None
        for template in self._templates:
            values = template.values(text)
            if values is None:
                continue
            left, shown = 0, {}
            for key, value in values.items():
                found = self._translated(value, depth + 1) if " " in value.strip() else value
                if found is None:
                    left += len(value) if _WORDS.search(value) else 0
                    found = value
                    if ", " in value and key == template.first and template.letters < _LEAST_AFTER_LIST:
                        break  # more stands before it than what is meant
                shown[key] = found
            if len(shown) < len(values):
                continue
            rank = (left, template.open, -template.letters)
            if best is None or rank < best[0]:
                best = rank, FIELD.sub(lambda field: shown[field[1]], template.translation)  # noqa: B023
        return particles.chosen(best[1]) if best else None

    def _in_pieces(self, text: str, mark: Pattern[str], depth: int, *, every: bool = False) -> Optional[str]:
        """The text piece by piece; with `every` only where each is known."""
        pieces = mark.split(text)
        if len(pieces) == 1:
            return None
        found: List[Optional[str]] = [self._translated(piece, depth + 1) for piece in pieces]
        words = [piece for piece, one in zip(pieces, found) if one is None and _LETTER.search(piece)]
        if not any(found) or (every and words):
            return None
        return "".join(piece if one is None else one for piece, one in zip(pieces, found))


class _Template:
    """A message with placeholders; its pattern is compiled when its letters are all in a text."""

    def __init__(self, message: str, translation: str) -> None:
        self.translation = translation
        self._parts = FIELD.split(message)
        self._literals = [part for part in self._parts[::2] if part]
        self._lines = "\n" in message  # else no value goes over the end of a line
        self.first = "" if self._parts[0] else self._parts[1]  # the value that it begins with
        self.open = not self._parts[-1]  # it ends with a value
        self.letters = len(_LETTER.findall("".join(self._literals)))
        self._pattern: Optional[Pattern[str]] = None

    def values(self, text: str) -> Optional[Dict[str, str]]:
        """What stands at the placeholders; None for a text of another template."""
        if not all(literal in text for literal in self._literals):
            return None
        if self._pattern is None:
            self._pattern = re.compile(
                "".join(
                    f"(?P<{part}>.*?)" if index % 2 else re.escape(part)
                    for index, part in enumerate(self._parts)
                ),
                re.DOTALL if self._lines else 0,
            )
        match = self._pattern.fullmatch(text)
        return match.groupdict() if match else None


def is_template(message: str) -> bool:
    """Whether a message has placeholders, and letters enough to be known by."""
    letters = len(_LETTER.findall(FIELD.sub("", message)))
    return bool(FIELD.search(message)) and letters >= LEAST_LETTERS


class _Texts(gettext.GNUTranslations):
    """gettext's reader, and all that it has read."""

    texts: Dict[str, str]

    def _parse(self, fp: io.BytesIO) -> None:  # type: ignore[override]
        # documented as the place to read a catalogue; gettext itself offers no list of its messages
        super()._parse(fp)
        read: Dict[object, str] = vars(self)["_catalog"]
        self.texts = {key: value for key, value in read.items() if isinstance(key, str) and key and value}
