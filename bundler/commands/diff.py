"""``airferry diff``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.inspection import difference, whole
from bundler.inspection.difference import BundleDifference, ManifestChange


@dataclass(frozen=True)
class BundleComparison:
    """What distinguishes two bundles; `new_bytes` is the size of the package files that A does not have.

    `notes` say what could not be compared, or differs from this program.
    """

    packages: tuple[ManifestChange, ...]
    settings: tuple[ManifestChange, ...]
    files: tuple[ManifestChange, ...]
    same: bool
    new_bytes: int
    notes: tuple[str, ...] = ()


def diff(
    before: Path = typer.Argument(metavar="A", help="A bundle."),
    after: Path = typer.Argument(metavar="B", help="Another bundle."),
    json: bool = JSON,
) -> Result[BundleComparison]:
    """Show what B has that A does not: packages added, removed and changed, and the rest."""
    with whole.opened(before) as first, whole.opened(after) as second:
        found = difference.between(first.bundle.manifest, second.bundle.manifest)
        notes = tuple(dict.fromkeys((*first.notes, *second.notes)))
    console = Console(quiet=json)
    for note in notes:
        console.warning(note)
    data = BundleComparison(found.packages, found.settings, found.files, found.same, found.new_bytes, notes)
    return Result(data, lambda console: _show(found, console))


def _show(found: BundleDifference, console: Console) -> None:
    if found.same:
        console.print("The two bundles are intact and have the same content.")
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
