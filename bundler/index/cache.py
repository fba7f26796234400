"""The folders that runs share: files by content, built wheels, the resolver's own cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundler.base.errors import OutputFailed


@dataclass(frozen=True)
class Usage:
    """A part of the cache: how many entries, and how many bytes."""

    name: str
    entries: int
    size: int


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
    def locks(self) -> Path:
        """What was resolved, each named by what was asked."""
        return self._folder("locks")

    @property
    def answers(self) -> Path:
        """What was worked out from files that cannot change, each named by all that it depends on."""
        return self._folder("answers")

    def answer(self, parts: Sequence[str], work_out: Callable[[], Any]) -> Any:
        """The JSON-able answer that depends on `parts` alone: worked out once, read again from then on."""
        path = self.answers / hashlib.sha256("\0".join(parts).encode()).hexdigest()
        try:
            answer = json.loads(path.read_bytes())
        except (OSError, ValueError):
            answer = work_out()
            with contextlib.suppress(OSError):  # a full or read-only cache only makes it slower
                replace(path, json.dumps(answer).encode())
        used(path)
        return answer

    @property
    def packed(self) -> Path:
        """The program of the closed side as it goes into a bundle."""
        return self._folder("packed")

    @property
    def uv(self) -> Path:
        """What uv keeps (metadata of packages)."""
        return self._folder("uv")

    @property
    def piptools(self) -> Path:
        """What pip-tools and the pip beneath it keep."""
        return self._folder("pip-tools")

    def usage(self) -> tuple[Usage, ...]:
        """What each part holds."""
        return tuple(_usage(folder) for folder in (*self._entries, self.uv, self.piptools))

    def prune(self, seconds: float) -> int:
        """Remove what was not used for so long (0: everything); returns the bytes that were freed."""
        limit = time.time() - seconds
        freed = 0
        for entry in (entry for folder in self._entries for entry in folder.iterdir()):
            if entry.stat().st_mtime <= limit:
                freed += _size(entry)
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
        # The resolvers alone know what in their folders may go; it is metadata, and soon made anew.
        for folder in (self.uv, self.piptools):
            if _newest(folder) <= limit:
                freed += _size(folder)
                shutil.rmtree(folder)
        return freed

    @property
    def _entries(self) -> tuple[Path, ...]:
        """The folders in which each entry may go by itself."""
        return self.files, self.wheels, self.locks, self.answers, self.packed

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


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def used(path: Path) -> None:
    """Note that an entry was used just now: pruning goes by that."""
    with contextlib.suppress(OSError):  # on a read-only cache nothing is pruned either
        os.utime(path)


def _walk(path: Path) -> Iterator[Path]:
    return (item for item in path.rglob("*") if item.is_file()) if path.is_dir() else iter((path,))


def _size(path: Path) -> int:
    return sum(item.lstat().st_size for item in _walk(path))


def _newest(path: Path) -> float:
    return max((item.lstat().st_mtime for item in path.iterdir()), default=0.0)


def _usage(folder: Path) -> Usage:
    return Usage(folder.name, sum(1 for _ in folder.iterdir()), _size(folder))
