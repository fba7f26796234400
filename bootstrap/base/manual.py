"""The manual that a bundle and an installation carry: a list of topics, and the text of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

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
    """All pages, in the order of the list; none where no manual is carried."""
    text = _read(LISTED)
    return [codec.decode(Topic, item) for item in codec.parse(text)] if text else []


def page(name: str) -> Optional[str]:
    """The Markdown text of a page; None for one that is not there."""
    return _read(f"{name}.txt") if name in [topic.name for topic in topics()] else None


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
