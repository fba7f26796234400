"""The ZIP format as a bundle needs it: written from front to back, every size and checksum known before.

zipfile goes back to complete each header and packs again what is packed already; neither is needed here.
PKWARE's APPNOTE.TXT, 4.3.7 (local header), 4.3.12 (directory) and 4.3.16 (end record); no ZIP64.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Iterable, Iterator, Tuple

Stamp = Tuple[int, int, int, int, int, int]
OutOfRange = struct.error  # a number that has no room in the format

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_STORED, _DEFLATED = 0, 8
_VERSION = 20  # what deflate and folders need
_UNIX = 3 << 8  # the mode below counts, wherever it was written
_UTF8 = 0x800
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class ArchiveMember:
    """A member: `size` of its content and `packed` size in the file, in bytes, and the content's CRC-32."""

    name: str
    size: int
    packed: int
    crc: int
    deflated: bool = False

    @property
    def overhead(self) -> int:
        """Bytes that its two headers take."""
        return _LOCAL.size + _CENTRAL.size + 2 * len(self.name.encode())

    def header(self, stamp: Stamp) -> bytes:
        """What stands before its content."""
        name, *fields = self._fields(stamp)
        return _LOCAL.pack(b"PK\3\4", _VERSION, *fields, len(name), 0) + name

    def listing(self, stamp: Stamp, offset: int) -> bytes:
        """What stands in the directory for the member whose header lies at `offset`."""
        name, *fields = self._fields(stamp)
        after = (len(name), 0, 0, 0, 0, _MODE, offset)
        return _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, _VERSION, *fields, *after) + name

    def _fields(self, stamp: Stamp) -> Tuple[bytes, int, int, int, int, int, int, int]:
        year, month, day, hour, minute, second = stamp
        name = self.name.encode()
        flags = 0 if self.name.isascii() else _UTF8
        time, date = hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
        method = _DEFLATED if self.deflated else _STORED
        return name, flags, method, time, date, self.crc, self.packed, self.size


def total(entries: Iterable[ArchiveMember], before: int) -> int:
    """The size in bytes of a file with `before` bytes in front of the archive."""
    return before + _END.size + sum(entry.packed + entry.overhead for entry in entries)


def content_offset(entries: Iterable[ArchiveMember], name: str, before: int) -> int:
    """Where the content of the member `name` begins in the file, in bytes.

    Raises ValueError when there is no such member, or it does not lie there as it is.
    """
    for entry in entries:
        before += _LOCAL.size + len(entry.name.encode())
        if entry.name == name and not entry.deflated:
            return before
        before += entry.packed
    raise ValueError(f"no stored member {name}")


def directory(entries: Iterable[ArchiveMember], stamp: Stamp, before: int) -> Iterator[bytes]:
    """The end of the file, when `entries` were written in this order behind `before` bytes."""
    offset, length, count = before, 0, 0
    for entry in entries:
        listing = entry.listing(stamp, offset)
        yield listing
        offset += _LOCAL.size + len(entry.name.encode()) + entry.packed
        length, count = length + len(listing), count + 1
    yield _END.pack(b"PK\5\6", 0, 0, count, count, length, offset, 0)
