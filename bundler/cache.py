"""The folders that runs share: files by content, built wheels, the resolver's own cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import OutputFailed


@dataclass(frozen=True)
class Cache:
    """A cache below one folder. Every file in it is complete: writers rename into place."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """The cache of this user: ``XDG_CACHE_HOME/airferry``, else ``~/.cache/airferry``."""
        base = os.environ.get("XDG_CACHE_HOME", "")
        return cls((Path(base) if base.startswith("/") else Path.home() / ".cache") / "airferry")

    @property
    def files(self) -> Path:
        """Published files, each named by its sha256."""
        return self._folder("files")

    @property
    def wheels(self) -> Path:
        """Wheels that were built here, each in a folder named by what it was built from."""
        return self._folder("wheels")

    @property
    def uv(self) -> Path:
        """What uv keeps (metadata of packages)."""
        return self._folder("uv")

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputFailed(
                f"The cache folder {folder} cannot be made: {error.strerror}.",
                hint="Set XDG_CACHE_HOME to a folder that can be written.",
            ) from error
        return folder
