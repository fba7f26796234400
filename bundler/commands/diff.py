"""``airferry diff``."""

from __future__ import annotations

from pathlib import Path

import typer

from bootstrap.base.console import Console, size_text
from bundler.commands import JSON, envelope
from bundler.inspection import difference
from bundler.inspection.difference import Change, Difference
from wheelhouse import codec
from wheelhouse.reader import Bundle


def diff(
    before: Path = typer.Argument(metavar="A", help="A bundle."),
    after: Path = typer.Argument(metavar="B", help="Another bundle."),
    json: bool = JSON,
) -> int:
    """Show what B has that A does not: packages added, removed and changed, and the rest."""
    console = Console()
    with Bundle.open(before) as first, Bundle.open(after) as second:
        found = difference.between(first.manifest, second.manifest)
    if json:
        result = {**codec.encode(found), "same": found.same, "new_bytes": found.new_bytes}
        console.json(envelope(result))
    else:
        _show(found, console)
    return 0


def _show(found: Difference, console: Console) -> None:
    if found.same:
        console.print("The two bundles have the same content.")
        return
    console.summary([(change.name, _described(change)) for change in found.settings])
    if found.packages:
        console.summary([(change.name, _described(change)) for change in found.packages], "Packages")
        console.print(f"{len(found.packages)} packages differ; {size_text(found.new_bytes)} are new.")
    if found.files:
        console.print(f"{len(found.files)} other files differ (the closed side's program, example DAGs):")
        for change in found.files:
            console.print(f"{change.kind} {change.name}", indent=2)


def _described(change: Change) -> str:
    size = f" ({size_text(change.size)})" if change.size else ""
    if change.kind in ("added", "removed"):
        return f"{change.kind}: {change.before or change.after}{size}"
    return f"{change.before} -> {change.after}{size}"
