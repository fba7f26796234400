"""Whether a process sees the same files as this one: a container has a root of its own (namespaces(7))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Tuple


def same_place(process: Path, path: str) -> bool:
    """Whether `path` is the same file or folder to the process of that folder in /proc as it is here.

    A path on neither side counts as the same, and so does one of a process whose root may not be seen.
    """
    root = process / "root"
    if _identity(str(root)) is None:
        return True
    return _identity(f"{root}{path}") == _identity(path)


def _identity(path: str) -> Optional[Tuple[int, int]]:
    try:
        found = os.stat(path)  # noqa: PTH116  (a path of another root is no Path here)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
