"""Writing a bundle: the same members give the same bytes, on any machine and at any time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import zlib
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Callable, Deque, Iterator, List, Optional, Sequence, Tuple, Union

from wheelhouse import archive, header, layout
from wheelhouse.archive import ArchiveMember, Stamp
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import File, Manifest

_CHUNK = 1 << 20
# Pieces that may wait to be hashed while others are written.
_AHEAD = 8


class BundleTooLarge(AirferryError):
    """More than a ZIP without ZIP64 holds."""

    reference = "bundle-too-large"
    exit_code = 29


@dataclass(frozen=True)
class Member:
    """A member to write: its name in the bundle, and its content as bytes or as a file to copy.

    `sha256` is given when it has been compared with the content just now; it is then not computed again.
    """

    name: str
    content: Union[bytes, Path]
    sha256: str = ""

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """The content, in pieces of at most 1 MiB."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as stream:
            while True:
                chunk = stream.read(_CHUNK)
                if not chunk:
                    return
                yield chunk


@dataclass(frozen=True)
class Prepared:
    """A member as it goes into the file: how the manifest and the archive list it, and its packed content."""

    file: File
    entry: ArchiveMember
    source: Member

    @property
    def name(self) -> str:
        """Its name in the bundle."""
        return self.file.path

    @property
    def size(self) -> int:
        """Bytes that its content takes in the file."""
        return self.entry.packed


@dataclass(frozen=True)
class Written:
    """A finished bundle: its complete manifest, `size` in bytes, and the sha256 of the file."""

    manifest: Manifest
    size: int
    sha256: str


def prepare(member: Member) -> Prepared:
    """Read a member once: its size, checksums, and packed content where that is worth it."""
    # Only the runtime is worth compressing; stage 0 must start on a Python without zlib to say so.
    packed = member.name.startswith(layout.RUNTIME) or member.name in (layout.MANIFEST, layout.LOCK)
    hasher, crc, size = None if member.sha256 else hashlib.sha256(), 0, 0
    deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -15) if packed else None
    pieces: List[bytes] = []
    for chunk in member.chunks():
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        if hasher:
            hasher.update(chunk)
        if deflater:
            pieces.append(deflater.compress(chunk))
    file = File(member.name, size, hasher.hexdigest() if hasher else member.sha256)
    if deflater is None:
        return Prepared(file, ArchiveMember(member.name, size, size, crc), member)
    content = b"".join([*pieces, deflater.flush()])
    return Prepared(
        file, ArchiveMember(member.name, size, len(content), crc, True), Member(member.name, content)
    )


def write(
    path: Path,
    manifest: Manifest,
    members: Sequence[Union[Member, Prepared]],
    *,
    timestamp: Stamp,
    progress: Optional[Callable[[int], None]] = None,
) -> Written:
    """Write the bundle to `path`; its manifest is completed with every member in ``files``.

    `timestamp` stands on every member (year to second, 1980 or later); `progress` gets the bytes of each
    chunk written. The file appears under its name only when it is whole and on the disk. Raises
    :class:`BundleTooLarge`, and OSError when the disk is full.
    """
    script = header.render(manifest.airflow, manifest.target, manifest.python)
    _check(members, len(script))
    fresh = [item for item in members if isinstance(item, Member)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # zlib and hashlib let other threads run
        prepared = [*pool.map(prepare, fresh), *(item for item in members if isinstance(item, Prepared))]
    prepared.sort(key=_order)
    manifest = replace(manifest, files=tuple(item.file for item in prepared))
    text = manifest.dumps().encode()
    if len(text) > layout.MAX_MANIFEST:
        raise _too_large(f"a manifest of {len(text):,} bytes")
    prepared.append(prepare(Member(layout.MANIFEST, text)))
    prepared.sort(key=_order)
    size = archive.total((item.entry for item in prepared), len(script))
    if size > layout.MAX_BYTES:
        raise _too_large(f"{size:,} bytes")
    if manifest.python:
        # sh takes it out of the file without knowing of ZIP
        place = archive.content_offset((item.entry for item in prepared), manifest.python.path, len(script))
        script = header.placed(script, place)
    # Two runs may write the same bundle at once; the last to finish leaves its own, whole.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w+b", buffering=0) as stream:
            sha256 = _write(stream, header.sized(script, size), prepared, timestamp, progress)
        temporary.chmod(0o755 & ~_umask())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return Written(manifest, size, sha256)


def _write(
    stream: BinaryIO,
    script: bytes,
    prepared: Sequence[Prepared],
    timestamp: Stamp,
    progress: Optional[Callable[[int], None]],
) -> str:
    """Write all of it, seal it, bring it to the disk; returns the sha256 of the file."""
    with _Hashed(stream) as output:
        output.write(script)
        for item in prepared:
            output.write(item.entry.header(timestamp))
            copied = 0
            for chunk in item.source.chunks():
                output.write(chunk)
                copied += len(chunk)
                if progress:
                    progress(item.entry.size if item.entry.deflated else len(chunk))
            if copied != item.entry.packed:
                raise OSError(errno.EIO, "A file changed while it was copied", str(item.source.content))
        entries = [item.entry for item in prepared]
        for part in archive.directory(entries, timestamp, len(script)):
            output.write(part)
    header.seal(stream, output.sha256)
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, stream.fileno())
        hasher = hashlib.sha256()
        stream.seek(0)
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            hasher.update(chunk)
        synced.result()
    return hasher.hexdigest()


class _Hashed:
    """Writes to a stream in large pieces, and hashes them in another thread meanwhile."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pool = ThreadPoolExecutor(1)
        self._hasher = hashlib.sha256()
        self._waiting: Deque[Future[None]] = deque()
        self._small = bytearray()
        self.sha256 = ""

    def __enter__(self) -> _Hashed:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._pool.shutdown()
        self.sha256 = self._hasher.hexdigest()

    def write(self, piece: bytes) -> None:
        """Write a piece, at the latest with the one that fills a MiB."""
        self._small += piece
        if len(self._small) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        piece, self._small = self._small, bytearray()
        self._waiting.append(self._pool.submit(self._hasher.update, piece))
        with memoryview(piece) as rest:
            done = 0
            while done < len(rest):
                done += self._stream.write(rest[done:])
        if len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()


def _order(member: Union[Member, Prepared]) -> Tuple[int, str]:
    first = (layout.STAGE0, layout.MANIFEST, layout.LOCK)
    if member.name in first:
        return first.index(member.name), member.name
    for position, section in enumerate(layout.SECTIONS):
        if member.name.startswith(section):
            return len(first) + position, member.name
    raise ValueError(f"a bundle has no place for {member.name}")


def _check(members: Sequence[Union[Member, Prepared]], before: int) -> None:
    for member in members:
        _order(member)
    names = Counter(member.name for member in members)
    bad = [name for name, count in names.items() if not layout.is_safe(name) or count > 1]
    if bad or layout.MANIFEST in names:
        raise ValueError(f"members that cannot be written: {bad or layout.MANIFEST}")
    # a local header of 30 bytes, a directory entry of 46, each with the name; the end record has 22
    size = before + 22 + sum(member.size + 76 + 2 * len(member.name.encode()) for member in members)
    if size > layout.MAX_BYTES or len(members) + 1 > layout.MAX_MEMBERS:
        raise _too_large(f"{size:,} bytes, {len(members):,} members")


def _too_large(found: str) -> BundleTooLarge:
    return BundleTooLarge(
        "The bundle would be larger than a file that every Python runs can be.",
        found=found,
        needed=f"at most {layout.MAX_BYTES:,} bytes and {layout.MAX_MEMBERS:,} members",
        hint="Leave out extras or requirements, or make two bundles.",
    )


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
