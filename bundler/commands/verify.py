"""``airferry verify``."""

from __future__ import annotations

from pathlib import Path

import typer

from bootstrap.base.console import Console
from bundler.base.digest import file_digest
from bundler.commands import JSON, envelope
from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify as verify_bundle


def verify(file: Path = typer.Argument(metavar="FILE", help="A bundle."), json: bool = JSON) -> int:
    """Check every byte of a bundle against what was bundled, and against FILE.sha256 if that is there."""
    console = Console(quiet=json)
    with Bundle.open(file) as bundle:
        with console.progress(bundle.seal.size, f"Verify {file.name}") as advance:
            verify_bundle(bundle, advance)
        members, identity = len(bundle.manifest.files), bundle.manifest.bundle_id
    beside = file.with_name(file.name + ".sha256")
    declared = _declared(beside)
    if declared:
        _compare(file, beside, declared)
    if json:
        result = {"file": str(file), "bundle_id": identity, "members": members, "sha256_file": bool(declared)}
        console.json(envelope(result))
    else:
        also = f", and is what {beside.name} says" if declared else f"; {beside.name} is not beside it"
        console.print(f"{file} is whole: {members} members, bundle {identity}{also}.")
    return 0


def _declared(beside: Path) -> str:
    try:
        return beside.read_text(encoding="utf-8").split()[0]
    except (FileNotFoundError, IndexError):
        return ""


def _compare(file: Path, beside: Path, declared: str) -> None:
    found = file_digest(file)
    if found != declared.lower():
        raise BundleDamaged(
            f"{file} is a whole bundle, but not the one that {beside.name} was written for.",
            found=f"sha256 {found}",
            needed=f"sha256 {declared}",
            hint="Find out which of the two was exchanged before anything is installed from it.",
        )
