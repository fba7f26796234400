"""The ``sh`` script in front of the ZIP: finds a Python, and vouches for the size and bytes of the file.

sh compares both before it starts Python on the file (a damaged ZIP cannot say so itself); stage 0 compares
the digest where sh could not, or was not asked.
"""

from __future__ import annotations

import hashlib
import pkgutil
import re
from dataclasses import dataclass
from typing import BinaryIO, Callable, Optional, Pattern

from wheelhouse.manifest import CarriedPython
from wheelhouse.target import Target

_SIZE = re.compile(rb"^# airferry-size: (\d{20})$", re.MULTILINE)
_PYTHON = re.compile(rb"^# airferry-python: (\d{20})$", re.MULTILINE)
_SHA256 = re.compile(rb"^# airferry-sha256: ([0-9a-f]{64})$", re.MULTILINE)
_LONGEST = 65536
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Seal:
    """What the header declares: `size` of the whole file in bytes, its `sha256`, and where that stands.

    The digest is taken over the whole file with its own 64 digits read as zeros, so that a change of any
    other byte, header included, shows.
    """

    size: int
    sha256: str
    offset: int


def render(airflow: str, target: Target, python: Optional[CarriedPython] = None) -> bytes:
    """The header for a release, a target and the interpreter that is carried, unsealed: zeros in the seal."""
    text = pkgutil.get_data("wheelhouse", "header.sh")
    assert text is not None
    # in a comment no longer than the byte before it is whole: nothing that sh could take for a redirection
    label = target.label.replace(">=", "at least")
    values = {"AIRFLOW": airflow, "LABEL": label, "PYTHON": target.python}
    values.update({"CARRIED": "", "SIZE": "0", "SHA256": "0" * 64})
    if python:
        values.update({"CARRIED": python.version, "SIZE": str(python.size), "SHA256": python.sha256})
    for name, value in values.items():
        text = text.replace(b"@" + name.encode() + b"@", value.encode())
    return text


def placed(script: bytes, offset: int) -> bytes:
    """The header that says where the archive of the carried interpreter begins, in bytes of the file."""
    return _filled(script, _PYTHON, b"%020d" % offset)


def read_seal(stream: BinaryIO) -> Optional[Seal]:
    """Read the seal from the beginning of a bundle; None when there is none."""
    stream.seek(0)
    head = stream.read(_LONGEST)
    size, sha256 = _SIZE.search(head), _SHA256.search(head)
    if not size or not sha256:
        return None
    return Seal(int(size.group(1)), sha256.group(1).decode(), sha256.start(1))


def is_text(stream: BinaryIO) -> bool:
    """Whether it begins as a bundle does after a transfer as text."""
    stream.seek(0)
    return b"\r\n# airferry-sha256: " in stream.read(_LONGEST)


def digest(stream: BinaryIO, offset: int, progress: Optional[Callable[[int], None]] = None) -> str:
    """The file's sha256 with the 64 bytes at `offset` read as zeros; `progress` gets each chunk's bytes."""
    hasher = hashlib.sha256()
    stream.seek(0)
    hasher.update(stream.read(offset))
    stream.seek(offset + 64)
    hasher.update(b"0" * 64)
    while True:
        chunk = stream.read(_CHUNK)
        if not chunk:
            return hasher.hexdigest()
        hasher.update(chunk)
        if progress:
            progress(len(chunk))


def sized(script: bytes, size: int) -> bytes:
    """The header of a file of that many bytes, with zeros for the digest."""
    return _filled(_filled(script, _SIZE, b"%020d" % size), _SHA256, b"0" * 64)


def sealed(script: bytes, seal: Seal) -> bytes:
    """The header of a file with that seal."""
    return _filled(sized(script, seal.size), _SHA256, seal.sha256.encode())


def _filled(script: bytes, pattern: Pattern[bytes], value: bytes) -> bytes:
    match = pattern.search(script)
    assert match is not None
    return script[: match.start(1)] + value + script[match.end(1) :]


def seal(stream: BinaryIO, sha256: str = "") -> None:
    """Write the digest into the header of a finished file, open for reading and writing.

    `sha256` is given by who has hashed the file while writing it behind a :func:`sized` header; without it
    the size is written as well, and the file is read.
    """
    stream.seek(0)
    head = stream.read(_LONGEST)
    if not sha256:
        size = stream.seek(0, 2)
        stream.seek(0)
        stream.write(sized(head, size))
        found = read_seal(stream)
        assert found is not None
        sha256 = digest(stream, found.offset)
    match = _SHA256.search(head)
    assert match is not None
    stream.seek(match.start(1))
    stream.write(sha256.encode())
