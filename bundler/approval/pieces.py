"""A bundle as pieces of other files: what a delta takes from the older one, and a folder from its members.

What a list of pieces makes is the bundle itself, byte for byte: its sha256 and one approval cover each way of
carrying it. The lists are carried out by ``sh`` and ``dd`` alone.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import BinaryIO

from bundler.base.digest import packed_offset, stream_digest

# A piece costs a process inside; content below this size goes with what is between the members.
_SMALL = 8 << 10
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Piece:
    """`length` bytes from `offset` of a source: the empty name is what is carried along as it is."""

    source: str
    offset: int
    length: int


@dataclass(frozen=True)
class Packed:
    """The content of a member as it is in the file, packed or not: `length` bytes from `offset`."""

    name: str
    offset: int
    length: int
    deflated: bool


def members(stream: BinaryIO) -> list[Packed]:
    """The members of a verified bundle, in their order in the file."""
    found = []
    with zipfile.ZipFile(stream) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            deflated = info.compress_type != zipfile.ZIP_STORED
            found.append(Packed(info.filename, packed_offset(stream, info), info.compress_size, deflated))
    return found


def digests(stream: BinaryIO) -> dict[str, Packed]:
    """What is large enough to be taken from this bundle, by its sha256 as it is in the file."""
    return {_digest(stream, item): item for item in members(stream) if item.length >= _SMALL}


def compose(stream: BinaryIO, known: Callable[[Packed, BinaryIO], tuple[str, int] | None]) -> list[Piece]:
    """The pieces that make the bundle in `stream`; `known` says source and offset of a member's content."""
    pieces: list[Piece] = []
    literal, at = 0, 0

    def carry(until: int) -> None:
        nonlocal literal, at
        if until > at:
            pieces.append(Piece("", literal, until - at))
            literal, at = literal + until - at, until

    for item in members(stream):
        place = known(item, stream) if item.length >= _SMALL else None
        if place:
            carry(item.offset)
            pieces.append(Piece(place[0], place[1], item.length))
            at = item.offset + item.length
    carry(stream.seek(0, 2))
    return pieces


def carried(stream: BinaryIO, pieces: list[Piece]) -> Iterator[bytes]:
    """The bytes that no other file has, in chunks."""
    at = 0
    for piece in pieces:
        if not piece.source:
            yield from _read(stream, at, piece.length)
        at += piece.length


def known_in(older: dict[str, Packed], name: str) -> Callable[[Packed, BinaryIO], tuple[str, int] | None]:
    """Looks contents up in an older bundle, which is the source `name`."""

    def known(item: Packed, stream: BinaryIO) -> tuple[str, int] | None:
        found = older.get(_digest(stream, item))
        return (name, found.offset) if found else None

    return known


def script(name: str, values: dict[str, str]) -> bytes:
    """A script of this package's resources, with values in place of ``@NAME@``, and with what it shares.

    ``@function sha256@`` is that function of the bundle's own script.
    """
    text = files("bundler.resources").joinpath(name).read_text(encoding="utf-8")
    header = files("wheelhouse").joinpath("header.sh").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^@function ([a-z0-9]+)@\n", lambda match: _function(header, match[1]), text)
    return re.sub(r"@([A-Z_0-9]+)@", lambda match: values[match[1]], text).encode()


def quoted(text: str) -> str:
    """A word for sh between apostrophes."""
    return "'" + text.replace("'", "'\\''") + "'"


def _function(header: str, name: str) -> str:
    match = re.search(rf"(?ms)^{name}\(\) [({{]\n.*?^[)}}]\n", header)
    assert match is not None, name
    return match[0]


def _digest(stream: BinaryIO, item: Packed) -> str:
    stream.seek(item.offset)
    return stream_digest(stream, item.length)


def _read(stream: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    stream.seek(offset)
    while length and (chunk := stream.read(min(_CHUNK, length))):
        yield chunk
        length -= len(chunk)
