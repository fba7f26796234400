"""Removing a folder so that half of it never lies under a name that means something."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def set_aside(path: Path, prefix: str) -> None:
    """Move `path` in one step into a new folder beside it, whose name begins with `prefix`."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=str(path.parent))
    path.replace(Path(folder) / path.name)


def sweep(folder: Path, prefix: str) -> None:
    """Remove what :func:`set_aside`, or work that was killed, has left in `folder` under that prefix."""
    for leftover in folder.glob(f"{prefix}*"):
        shutil.rmtree(str(leftover), ignore_errors=True)
