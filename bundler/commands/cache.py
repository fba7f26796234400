"""``airferry cache``."""

from __future__ import annotations

from typing import Optional

import typer

from bootstrap.base.console import Console, size_text
from bundler.commands import JSON, envelope
from bundler.index.cache import Cache
from wheelhouse import codec

_DAY = 86400


def cache(
    prune: Optional[int] = typer.Option(
        None, metavar="DAYS", min=0, help="Remove what was not used for so many days; 0 empties it."
    ),
    json: bool = JSON,
) -> int:
    """Show what is kept between runs, and remove what is not needed."""
    console = Console()
    kept = Cache.default()
    freed = None if prune is None else kept.prune(prune * _DAY)
    usage = kept.usage()
    if json:
        console.json(envelope({"folder": str(kept.root), "parts": codec.encode(usage), "freed": freed or 0}))
        return 0
    if freed is not None:
        console.print(f"{size_text(freed)} were freed.")
    rows = [(part.name, f"{part.entries} entries, {size_text(part.size)}") for part in usage]
    console.summary([*rows, ("together", size_text(sum(part.size for part in usage)))], str(kept.root))
    return 0
