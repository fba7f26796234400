"""A wheel at hand, on its way into a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.index.transport import recorded
from bundler.lock.lockfile import Artifact
from wheelhouse.manifest import Source


@dataclass(frozen=True)
class Wheel:
    """A wheel at hand: where it lies, where it was published, and what it was built from if it was."""

    name: str
    version: str
    path: Path
    filename: str
    sha256: str
    url: str
    uploaded: str
    built_from: Source | None = None

    @classmethod
    def of(cls, name: str, version: str, artifact: Artifact, path: Path) -> Wheel:
        """A published wheel that was fetched to `path`."""
        url = recorded(artifact.url)
        return cls(name, version, path, artifact.filename, artifact.sha256, url, artifact.uploaded)
