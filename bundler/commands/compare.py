"""``airferry compare``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON

if TYPE_CHECKING:
    from bundler.approval.sameness import Sameness

DIFFERENT = 5


@dataclass(frozen=True)
class ComparedMember:
    """A member that differs; `kind` is missing, added, content, packed (same content) or follows."""

    name: str
    kind: str
    detail: str


@dataclass(frozen=True)
class FilesCompared:
    """Whether two bundles are the same: `answer` is same, packed (only the packing differs) or different.

    `first` and `second` are the sha256 of the files.
    """

    answer: str
    first: str
    second: str
    members: tuple[ComparedMember, ...]


def compare(
    before: Path = typer.Argument(metavar="A", help="A bundle."),
    after: Path = typer.Argument(metavar="B", help="The same bundle, made by another builder."),
    json: bool = JSON,
) -> Result[FilesCompared]:
    """Tell whether two builders made the same file, or which member differs; 5 when they did not."""
    from bundler.approval import sameness  # noqa: PLC0415

    console = Console(quiet=json)
    size = before.stat().st_size + after.stat().st_size
    with console.progress(size, f"Verify {before.name} and {after.name}") as advance:
        found = sameness.between(before, after, advance)
    members = tuple(ComparedMember(item.name, item.kind, item.detail) for item in found.members)
    data = FilesCompared(found.answer, *found.sha256, members)
    code = 0 if found.answer == sameness.SAME else DIFFERENT
    return Result(data, lambda console: _show(found, console), code)


def _show(found: Sameness, console: Console) -> None:
    if found.answer == "same":
        console.print(f"The two files are the same, byte for byte: sha256 {found.sha256[0]}")
        return
    console.summary([("A", f"sha256 {found.sha256[0]}"), ("B", f"sha256 {found.sha256[1]}")])
    words = {"missing": "only in A", "added": "only in B", "content": "other content"}
    rows = [
        (item.name, "; ".join(filter(None, (words.get(item.kind, item.kind), item.detail))))
        for item in found.members
    ]
    console.summary(rows, "What differs")
    if found.answer == "packed":
        console.print(
            "Only the packing differs: every file has the same content, compressed or ordered otherwise."
        )
    else:
        console.print("The content differs. airferry diff A B tells which packages and settings.")
