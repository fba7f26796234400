"""``airferry cache``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.index.cache import Cache, Usage

_DAY = 86400


@dataclass(frozen=True)
class CacheUse:
    """What the cache holds; `freed` are the bytes that were removed from it."""

    folder: str
    parts: tuple[Usage, ...]
    freed: int


def cache(
    prune: Optional[int] = typer.Option(
        None, metavar="DAYS", min=0, help="Remove entries not used for this many days; 0 removes all."
    ),
    json: bool = JSON,
) -> Result[CacheUse]:
    """Show what is kept between runs, and remove what is not needed."""
    kept = Cache.default()
    freed = None if prune is None else kept.prune(prune * _DAY)
    usage = kept.usage()

    def show(console: Console) -> None:
        if freed is not None:
            console.print(f"{size_text(freed)} freed.")
        rows = [(part.name, f"{part.entries} entries, {size_text(part.size)}") for part in usage]
        console.summary([*rows, ("together", size_text(sum(part.size for part in usage)))], str(kept.root))

    return Result(CacheUse(str(kept.root), usage, freed or 0), show)
