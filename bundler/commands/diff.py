"""``airferry diff``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.inspection import difference
from bundler.inspection.difference import BundleDifference, ManifestChange
from wheelhouse.reader import Bundle


@dataclass(frozen=True)
class Differences:
    """What distinguishes two bundles; `new_bytes` is the size of the package files that A does not have."""

    packages: tuple[ManifestChange, ...]
    settings: tuple[ManifestChange, ...]
    files: tuple[ManifestChange, ...]
    same: bool
    new_bytes: int


def diff(
    before: Path = typer.Argument(metavar="A", help="A bundle."),
    after: Path = typer.Argument(metavar="B", help="Another bundle."),
    json: bool = JSON,
) -> Result[Differences]:
    """Show what B has that A does not: packages added, removed and changed, and the rest."""
    with Bundle.open(before) as first, Bundle.open(after) as second:
        found = difference.between(first.manifest, second.manifest)
    data = Differences(found.packages, found.settings, found.files, found.same, found.new_bytes)
    return Result(data, lambda console: _show(found, console))


def _show(found: BundleDifference, console: Console) -> None:
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


def _described(change: ManifestChange) -> str:
    size = f" ({size_text(change.size)})" if change.size else ""
    if change.kind in ("added", "removed"):
        return f"{change.kind}: {change.before or change.after}{size}"
    return f"{change.before} -> {change.after}{size}"
