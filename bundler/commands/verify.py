"""``airferry verify``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base import smallfile
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.base.digest import file_digest
from bundler.inspection import whole
from wheelhouse.errors import BundleDamaged

_LARGEST = 65_536  # bytes of FILE.sha256


@dataclass(frozen=True)
class VerifiedFile:
    """The bundle is whole; `sha256_file` says that it is what FILE.sha256 was written for, too."""

    file: str
    bundle_id: str
    members: int
    sha256_file: bool
    notes: tuple[str, ...] = ()


def verify(
    file: Path = typer.Argument(metavar="FILE", help="A bundle."), json: bool = JSON
) -> Result[VerifiedFile]:
    """Check every byte of a bundle against what was bundled, and against FILE.sha256 if that is there."""
    console = Console(quiet=json)
    with (
        console.progress(file.stat().st_size, f"Verify {file.name}") as advance,
        whole.opened(file, advance) as found,
    ):
        members, identity = len(found.bundle.manifest.files), found.bundle.manifest.bundle_id
    for note in found.notes:
        console.warning(note)
    beside = file.with_name(file.name + ".sha256")
    declared = _declared(beside)
    if declared:
        _compare(file, beside, declared)
    also = f", and matches {beside.name}" if declared else f"; {beside.name} is not beside it"
    said = f"{file} is whole: {members} members, bundle {identity}{also}."
    return Result(
        VerifiedFile(str(file), identity, members, bool(declared), found.notes),
        lambda console: console.print(said),
    )


def _declared(beside: Path) -> str:
    """The digest in FILE.sha256; empty when there is no such file."""
    try:
        text = smallfile.text(beside, largest=_LARGEST)
    except FileNotFoundError:
        return ""
    match = re.match(r"([0-9A-Fa-f]{64})\s", text + "\n")
    if match is None:
        raise BundleDamaged(
            f"{beside} holds no sha256.",
            needed="64 hexadecimal digits and a file name, as sha256sum writes them",
            hint="Copy it again from where the bundle was made.",
        )
    return match[1]


def _compare(file: Path, beside: Path, declared: str) -> None:
    found = file_digest(file)
    if found != declared.lower():
        raise BundleDamaged(
            f"{file} is an intact bundle, but not the one that {beside.name} was written for.",
            found=f"sha256 {found}",
            needed=f"sha256 {declared}",
            hint="Find out which of the two files was replaced before anything is installed from it.",
        )
