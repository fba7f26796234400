"""``airferry split``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.approval import instructions, release_list, slices


@dataclass(frozen=True)
class BundleParts:
    """The parts of a bundle: name and sha256 of each (none when it fits in one), bytes of all but the last.

    `sha256` is that of the bundle, `release` the list that holds all of them, `outdated` the signatures over
    the list as it was before.
    """

    file: str
    size: int
    parts: dict[str, str]
    written: tuple[str, ...]
    sha256: str
    release: str
    outdated: tuple[str, ...]


def split(
    file: Path = typer.Argument(metavar="FILE", help="A bundle."),
    size: str = typer.Option(
        metavar="SIZE", help="Of a part: cd, dvd, fat32, or a number of bytes as 2g, 100m, 512k."
    ),
    only: Optional[int] = typer.Option(
        None, "--only", metavar="NUMBER", min=1, help="Make this part alone again, for example 003."
    ),
    json: bool = JSON,
) -> Result[BundleParts]:
    """Cut a bundle into plain parts that fit a medium, and list them in FILE.release."""
    console = Console(quiet=json)
    length = slices.parse_size(size)
    with console.progress(file.stat().st_size, f"Split {file.name}") as advance:
        found = slices.split(file, length, only or 0, advance)
    if found is None:
        fits = (
            f"{file} has {size_text(file.stat().st_size)} and fits in one part of {size}: carry it as it is."
        )
        return Result(BundleParts(str(file), length, {}, (), "", "", ()), lambda console: console.print(fits))
    instructions.write(file, found.sha256, found.digests)
    listed = release_list.update(file, found.sha256, None if only else found.digests)
    data = BundleParts(
        str(file), length, found.digests, found.written, found.sha256, str(listed.path), listed.outdated
    )
    return Result(data, lambda console: _show(data, console))


def _show(data: BundleParts, console: Console) -> None:
    for name, sha256 in data.parts.items():
        console.print(f"{sha256}  {name}{'' if name in data.written else '  (was there)'}")
    console.print(f"Listed in {data.release}; how to check them: {data.file}.verify.txt")
    if data.outdated:
        console.warning(f"The list has changed: sign it again, {', '.join(data.outdated)} no longer fits.")
    first = shlex.quote(next(iter(data.parts)))
    console.print(
        f"Next, inside: sh {first} install --parts FOLDER ... (folders or discs with the other parts)"
    )
