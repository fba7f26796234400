"""The words of the dossier in English and Korean: every sentence of it stands in ``dossier.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bundler.base import toml


@dataclass(frozen=True)
class Language:
    """A language of the dossier, by its code."""

    code: str

    def __call__(self, name: str, *values: object, **named: object) -> str:
        """The words under a name, with values in their places; raises KeyError for an unknown name."""
        text = _words()[name][self.code]
        return text.format(*values, **named) if values or named else text

    def said(self, text: str) -> str:
        """A sentence of the data, translated where it is known."""
        return _words()["said"].get(text, text) if self.code == "ko" else text


ENGLISH, KOREAN = Language("en"), Language("ko")


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return toml.loads(files("bundler.resources").joinpath("dossier.toml").read_text(encoding="utf-8"))
