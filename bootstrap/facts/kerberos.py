"""Kerberos as it lies on disk: keytabs and ticket caches, in the formats of MIT Kerberos.

Sources: "Keytab file format" and "Credential cache file format" in MIT's documentation, versions 0x0502 and
0x0504. No program is needed to read them, and no key is kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

# What is in a cache beside tickets: settings of the library.
_CONF = "X-CACHECONF:"


@dataclass(frozen=True)
class Ticket:
    """A ticket of `client` for `server`; `ends` and `renewable` until are seconds of the epoch (0: never)."""

    client: str
    server: str
    ends: int
    renewable: int


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("it is cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, code: str) -> int:
        return int(struct.unpack(f">{code}", self.take(struct.calcsize(f">{code}")))[0])

    def counted(self, code: str) -> bytes:
        return self.take(self.number(code))


def principals(path: Path) -> Tuple[str, ...]:
    """The principals of a keytab, each once; raises OSError, ValueError for a file that is none."""
    data = path.read_bytes()
    if data[:2] != b"\x05\x02":
        raise ValueError("it is no keytab")
    reader, found = _Reader(data[2:]), {}
    while reader.at < len(reader.data):
        size = reader.number("i")
        entry = _Reader(reader.take(abs(size)))
        if size > 0:  # else it is the hole that a removed one has left
            count = entry.number("H")
            realm, *parts = [entry.counted("H").decode("utf-8", "replace") for _ in range(count + 1)]
            found["/".join(parts) + f"@{realm}"] = True
    return tuple(found)


def tickets(path: Path) -> Tuple[Ticket, ...]:
    """The tickets of a cache; raises OSError, ValueError for a file that is none."""
    data = path.read_bytes()
    if data[:2] != b"\x05\x04":
        raise ValueError("it is no ticket cache")
    reader = _Reader(data[2:])
    reader.counted("H")  # the header
    _principal(reader)
    found: List[Ticket] = []
    while reader.at < len(reader.data):
        client, server = _principal(reader), _principal(reader)
        reader.number("H")
        reader.counted("I")  # the key: passed over
        _, _, ends, renewable = (reader.number("I") for _ in range(4))
        reader.take(5)
        for _ in range(2):  # addresses, authorization data
            for _ in range(reader.number("I")):
                reader.number("H")
                reader.counted("I")
        reader.counted("I")
        reader.counted("I")
        if _CONF not in server:
            found.append(Ticket(client, server, ends, renewable))
    return tuple(found)


def _principal(reader: _Reader) -> str:
    reader.number("I")
    count = reader.number("I")
    realm, *parts = [reader.counted("I").decode("utf-8", "replace") for _ in range(count + 1)]
    return "/".join(parts) + f"@{realm}"
