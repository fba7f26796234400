"""The language that people read: English as it stands in the code, or a gettext catalogue beside it.

English is the source. A catalogue is ``locale/LANGUAGE/LC_MESSAGES/airferry.mo`` in this package; a message
with placeholders (``{path} is missing``) is the template of the texts that the code makes. What a catalogue
lacks stays English. JSON, logs and receipts are never translated.
"""

# ruff: noqa: PLC0415  (English starts without gettext)

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Mapping, Optional

from bootstrap.base.terminal import charset

DOMAIN = "airferry"
LANGUAGES = {"ko": "가"}  # and a letter that the terminal's charset must have
_VARIABLE = "AIRFERRY_LANG"
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
_loaded: Dict[str, Wording] = {}


class Wording:
    """English: every text is what it is."""

    code = "en"

    def text(self, text: str) -> str:
        """A sentence, or several, as people read it; a single word is left alone, since it may be a name."""
        return text

    def word(self, text: str) -> str:
        """A label or a word of ours, or a text."""
        return text


ENGLISH = Wording()


def current() -> Wording:
    """The language of this process."""
    return chosen(os.environ)


def chosen(environ: Mapping[str, str]) -> Wording:
    """The language of an environment, where the terminal can show it; else English."""
    code = wanted(environ)
    if not code:
        return ENGLISH
    if code not in _loaded:
        _loaded[code] = _load(code) or ENGLISH
    return _loaded[code]


def wanted(environ: Mapping[str, str]) -> str:
    """``ko`` where that is wanted and can be shown; empty for English.

    AIRFERRY_LANG, else as gettext: LANGUAGE where the locale is not C, LC_ALL, LC_MESSAGES, LANG.
    """
    value = environ.get(_VARIABLE, "")
    if not value:
        value = next((environ[name] for name in _LOCALE if environ.get(name)), "C")
        if _code(value) not in ("", "c", "posix"):
            value = environ.get("LANGUAGE") or value
    for item in value.split(":"):
        code = _code(item)
        if code == "en":
            return ""
        if code in LANGUAGES:
            return code if _shows(environ, LANGUAGES[code]) else ""
    return ""


def _code(value: str) -> str:
    """``ko`` of ko_KR.UTF-8."""
    return value.partition(".")[0].partition("@")[0].partition("_")[0].lower()


def _shows(environ: Mapping[str, str], letter: str) -> bool:
    codec, symbols = charset(environ)
    if codec == "utf-8" and not symbols:
        return bool(environ.get(_VARIABLE))  # the C locale tells nothing of the terminal; a person may
    try:
        return bool(letter.encode(codec))
    except UnicodeEncodeError:
        return False


def catalogue(code: str) -> Path:
    """Where the catalogue of a language is, in a folder or inside a bundle."""
    return Path(__file__).parents[1] / "locale" / code / "LC_MESSAGES" / f"{DOMAIN}.mo"


def _load(code: str) -> Optional[Wording]:
    from bootstrap.base.translation import Translation

    # of zipimport as of a file: what imported this reads what lies beside it
    loader = __spec__.loader
    try:
        data: bytes = loader.get_data(str(catalogue(code)))  # type: ignore[union-attr]
    except OSError:
        return None
    return Translation(code, data)
