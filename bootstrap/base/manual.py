"""The manual that a bundle and an installation carry: a list of topics, and the text of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from bootstrap.base import language
from wheelhouse import codec

FOLDER = "doc"
LISTED = "topics.json"


@dataclass(frozen=True)
class Topic:
    """A page: its `name`, its title, and of which kind it is."""

    name: str
    title: str
    kind: str


def topics() -> List[Topic]:
    """All pages, in the order of the list; none where no manual is carried.

    A page in the language of the environment stands for the English one of its name.
    """
    english, own = _listed(""), {topic.name: topic for topic in _listed(language.current().code)}
    found = [own.pop(topic.name, topic) for topic in english]
    return [*own.values(), *found] if english else []


def page(name: str) -> Optional[str]:
    """The Markdown text of a page; None for one that is not there."""
    if name not in [topic.name for topic in topics()]:
        return None
    return _read(f"{language.current().code}/{name}.txt") or _read(f"{name}.txt")


def _listed(code: str) -> List[Topic]:
    text = _read(f"{code}/{LISTED}" if code else LISTED)
    return [codec.decode(Topic, item) for item in codec.parse(text)] if text else []


def folder() -> Path:
    """Where the pages lie, beside the program: in a folder, or inside a bundle."""
    return Path(__file__).parents[2] / FOLDER


def _read(name: str) -> Optional[str]:
    # of zipimport as of a file: what imported this reads what lies beside it
    loader = __spec__.loader
    try:
        data: bytes = loader.get_data(str(folder() / name))  # type: ignore[union-attr]
    except OSError:
        return None
    return data.decode("utf-8")
