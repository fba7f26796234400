"""The sha256 of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


def file_digest(*paths: Path) -> str:
    """The sha256 in hexadecimal of a file, or of several one behind the other; raises OSError."""
    hasher = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
    return hasher.hexdigest()
