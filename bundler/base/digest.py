"""The sha256 of files."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import IO, BinaryIO

_CHUNK = 1 << 20
# bytes of a local header before its name, and where its two lengths are (APPNOTE.TXT 4.3.7)
_LOCAL, _LENGTHS = 30, 26


def stream_digest(stream: IO[bytes], length: int | None = None) -> str:
    """The sha256 in hexadecimal of the next `length` bytes of a stream, or of all that is left."""
    hasher = hashlib.sha256()
    while chunk := stream.read(_CHUNK if length is None else min(_CHUNK, length)):
        hasher.update(chunk)
        if length is not None:
            length -= len(chunk)
    return hasher.hexdigest()


def packed_offset(stream: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the content of a member begins in the archive, packed or not, in bytes."""
    stream.seek(info.header_offset + _LENGTHS)
    lengths = stream.read(4)
    name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    return info.header_offset + _LOCAL + name + extra


def file_digest(*paths: Path) -> str:
    """The sha256 in hexadecimal of a file, or of several one behind the other; raises OSError."""
    hasher = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
    return hasher.hexdigest()
