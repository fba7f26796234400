"""A bundle that is opened only as a whole one: what is said of it is said of verified bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.assembly import payload
from bundler.base import toml
from bundler.base.digest import file_digest
from wheelhouse import __version__, layout, text
from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify

_SHOWN = 10  # of what differs


@dataclass(frozen=True)
class Whole:
    """A verified bundle; `notes` say what could not be compared, or differs from this program."""

    bundle: Bundle
    notes: tuple[str, ...]


@contextmanager
def opened(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[Whole]:
    """Open the file at `path` and verify all of it; raises the errors of reading and verifying."""
    with Bundle.open(path) as bundle:
        notes = verify(bundle, progress)
        _check_lock(bundle)
        yield Whole(bundle, (*notes, *_program(bundle)))


def _check_lock(bundle: Bundle) -> None:
    """The lock follows from the packages; raises BundleDamaged for one that says something else."""
    told = {(item.name, item.version, item.path, item.sha256) for item in bundle.manifest.packages}
    try:
        size = next(file.size for file in bundle.manifest.files if file.path == layout.LOCK)
        if size > layout.MAX_MANIFEST:
            raise ValueError(f"{size:,} bytes, at most {layout.MAX_MANIFEST:,} fit")
        data = toml.loads(bundle.read(layout.LOCK).decode())
        rows = [
            (item["name"], item["version"], wheel["path"], wheel["hashes"]["sha256"])
            for item in data.get("packages", [])
            for wheel in item["wheels"]
        ]
        found = set(rows)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise BundleDamaged(f"The lock in {bundle.path} cannot be read.", found=repr(error)[:200]) from error
    if found != told or len(rows) != len(found):
        others = [f"{name} {version}" for name, version, *_ in found ^ told][:_SHOWN]
        raise BundleDamaged(
            f"The lock in {bundle.path} lists other packages than its manifest.",
            found=", ".join(text.shown(item) for item in sorted(others)),
            needed="the packages of the manifest, each with its sha256",
        )


def _program(bundle: Bundle) -> Iterator[str]:
    """Whether the program that the file runs inside is this one's, where it says that it is."""
    if bundle.manifest.airferry != __version__:
        return
    inside = {file.path: file.sha256 for file in bundle.manifest.files}
    packages = (layout.RUNTIME + "bootstrap/", layout.RUNTIME + "wheelhouse/")
    own = _own()
    there = {path for path in inside if path.startswith(packages)} | set(own)
    other = sorted(path for path in there if inside.get(path) != own.get(path))
    if other:
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        yield (
            f"The bundled program says that it is airferry {__version__}, but differs from this one: "
            f"{', '.join(other[:3])}{more}."
        )


@functools.cache
def _own() -> dict[str, str]:
    """This program's files by the name that they have in a bundle, with their sha256."""
    files = ((item.name, item.content) for item in payload.program())
    return {name: file_digest(content) for name, content in files if isinstance(content, Path)}
