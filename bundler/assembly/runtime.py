"""The closed side's program as members of a bundle, packed once: it is the same in every bundle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bundler.assembly import pages, payload
from bundler.index.cache import Cache, replace, used
from wheelhouse import writer
from wheelhouse.archive import ArchiveMember
from wheelhouse.manifest import File
from wheelhouse.writer import Member, Prepared

# What is in the cache was made by these rules; another number leaves it alone.
_RULES = "1"


def members(libraries: Sequence[str], files: Mapping[str, Path], cache: Cache) -> list[Prepared]:
    """Stage 0, the program, its manual, and the libraries that it imports (the sha256 of their wheels)."""
    own = [Member(item.name, b"".join(item.chunks())) for item in payload.program()]
    hasher = hashlib.sha256("\0".join((_RULES, zlib.ZLIB_RUNTIME_VERSION, *libraries)).encode())
    for item in own:
        hasher.update(f"\0{item.name}\0{item.size}\0".encode())
        hasher.update(b"".join(item.chunks()))
    manual = pages.sources()
    for page in manual:
        hasher.update(f"\0{page.language}\0{page.kind}\0{page.topic}\0{page.text}".encode())
    hasher.update(pages.renderer().encode())
    path = cache.packed / hasher.hexdigest()
    found = _read(path)
    if found is None or not _holds(found, own):
        everything = [*own, *pages.members(manual), *payload.libraries(files[sha256] for sha256 in libraries)]
        found = [writer.prepare(item) for item in everything]
        with contextlib.suppress(OSError):  # a full or read-only cache only makes it slower
            _keep(path, found)
    used(path)
    return found


def _holds(found: Sequence[Prepared], own: Sequence[Member]) -> bool:
    """Whether what was kept unpacks to what is told of it, and begins with the program as it is here."""
    try:
        same = [item.name for item in found[: len(own)]] == [item.name for item in own]
        return (
            same
            and all(
                _content(item) == b"".join(member.chunks()) for item, member in zip(found, own, strict=False)
            )
            and all(map(_is_told, found))
        )
    except zlib.error:
        return False


def _content(item: Prepared) -> bytes:
    packed = b"".join(item.source.chunks())
    return zlib.decompress(packed, -zlib.MAX_WBITS) if item.entry.deflated else packed


def _is_told(item: Prepared) -> bool:
    content, file, entry = _content(item), item.file, item.entry
    if (file.size, entry.size, entry.crc) != (len(content), len(content), zlib.crc32(content)):
        return False
    return hashlib.sha256(content).hexdigest() == file.sha256


def _keep(path: Path, prepared: Sequence[Prepared]) -> None:
    content = b"".join(chunk for item in prepared for chunk in item.source.chunks())
    listed = [
        [item.name, item.file.size, item.file.sha256, item.entry.packed, item.entry.crc, item.entry.deflated]
        for item in prepared
    ]
    head = json.dumps({"sha256": hashlib.sha256(content).hexdigest(), "members": listed})
    replace(path, head.encode() + b"\n" + content)


def _read(path: Path) -> list[Prepared] | None:
    """What was kept; None when it is not there, or not as it was."""
    try:
        first, _, content = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        if hashlib.sha256(content).hexdigest() != head["sha256"]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    found, start = [], 0
    for name, size, sha256, packed, crc, deflated in head["members"]:
        member = Member(name, content[start : start + packed])
        found.append(
            Prepared(File(name, size, sha256), ArchiveMember(name, size, packed, crc, deflated), member)
        )
        start += packed
    return found
