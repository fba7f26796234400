"""A bundle in plain slices for small media: ``FILE.001``, ``FILE.002``...; ``cat`` and ``copy /b`` join them.

The script of the bundle lies wholly in the first one, finds the others and joins them (wheelhouse/header.sh).
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from bootstrap.base import smallfile
from bundler.approval import papers, release_list
from bundler.base.digest import file_digest
from bundler.base.errors import InvalidRequest, OutputFailed
from wheelhouse import header
from wheelhouse.errors import BundleDamaged

# Bytes of the media that are usual, with room for the papers of the approval.
MEDIA = {"cd": 690 << 20, "dvd": 4400 << 20, "fat32": 4095 << 20}
# The first slice holds the script, which is shorter.
SMALLEST = 64 << 10
MOST = 999
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,15})([kmg]?)(i?b)?", re.IGNORECASE)
_DECLARED = re.compile(r"([0-9a-f]{64})\s")
_LARGEST = 65_536  # bytes of FILE.sha256
_CHUNK = 1 << 20
_AHEAD = 8  # chunks


@dataclass(frozen=True)
class Slices:
    """The slices of a bundle: name and sha256 of each, the bytes of all but the last.

    `sha256` is that of the bundle, `written` are those that were not there before.
    """

    digests: dict[str, str]
    size: int
    sha256: str
    written: tuple[str, ...]


def parse_size(text: str) -> int:
    """Bytes of a slice from ``cd``, ``dvd``, ``fat32``, ``2g``, ``100m``, ``512k``, as split(1) has them.

    Raises :class:`InvalidRequest`.
    """
    match = _SIZE.fullmatch(text)
    size = MEDIA.get(text.lower()) or (int(match[1]) * _UNITS[match[2].lower()] if match else 0)
    if size < SMALLEST:
        raise InvalidRequest(
            "That is no size of a part.",
            found=text,
            needed=f"{', '.join(MEDIA)}, or a number with k, m or g, at least {SMALLEST >> 10}k",
        )
    return size


def split(
    file: Path, size: int, only: int = 0, progress: Callable[[int], None] | None = None
) -> Slices | None:
    """Cut `file` into slices of `size` bytes beside it, or make slice number `only` alone.

    They appear under their names when all of them are whole, and the file is as it is sealed; slices that are
    there and right stay untouched. None when the bundle fits in one. Raises :class:`InvalidRequest`,
    BundleDamaged, OutputFailed, and PartsDiffer where slices of an earlier, longer row are beside it.
    """
    papers.check_name(file)
    count = _count(file, size, only)
    if count < 2:
        return None
    digests: dict[str, str] = {}
    fresh: dict[Path, Path] = {}
    try:
        with file.open("rb", buffering=0) as source, _Hashing(source, declared(file)) as whole:
            for number in range(1, count + 1):
                path = papers.beside(file, f".{number:03d}")
                output = None
                if only in (0, number):
                    fresh[path] = path.with_name(f"{path.name}.{os.getpid()}.part")
                    output = fresh[path].open("xb", buffering=0)
                digests[path.name] = _slice(source, size, whole, output, progress)
            whole.check(file)
        written = [path for path in fresh if not _is(path, digests[path.name])]
        for path in written:
            fresh[path].replace(path)
    except OSError as error:
        raise OutputFailed(
            f"The parts of {file.name} cannot be made: {error.strerror}.",
            found=str(error.filename or file.parent),
            hint="The bundle and the parts that were there are as before. Make room beside it, or copy it "
            "to a folder that can be written.",
        ) from error
    finally:
        for temporary in fresh.values():
            temporary.unlink(missing_ok=True)
    return Slices(digests, size, whole.sha256, tuple(path.name for path in written))


def _count(file: Path, size: int, only: int) -> int:
    count = -(-file.stat().st_size // size)
    if only > count:
        raise InvalidRequest(
            f"{file.name} has no part {only:03d}.",
            found=f"{count} parts of {size:,} bytes",
            needed="one of them",
        )
    if count > MOST:
        raise InvalidRequest(
            "That would be too many parts.",
            found=f"{count} parts of {size:,} bytes",
            needed=f"at most {MOST}",
        )
    longer = [path for path in papers.parts(file) if int(path.suffix[1:]) > count > 1]
    if longer:
        raise release_list.PartsDiffer(
            f"Parts of an earlier, longer row are beside {file.name}.",
            found=", ".join(path.name for path in longer),
            needed=f"{count} parts",
            hint=f"Remove them: rm {' '.join(shlex.quote(str(path)) for path in longer)}",
        )
    return count


def _slice(
    source: FileIO,
    size: int,
    whole: _Hashing,
    output: FileIO | None,
    progress: Callable[[int], None] | None,
) -> str:
    """Read one slice, write it to `output` where it is wanted, which is closed then; its sha256."""
    whole.begin()
    try:
        while size and (length := source.readinto(memoryview(whole.buffer)[: min(_CHUNK, size)])):
            size -= length
            chunk = whole.update(length)
            if output:
                _write(output, chunk)
            if progress:
                progress(length)
    except BaseException:
        if output:
            output.close()
        raise
    if output:
        whole.bring_to_disk(output)
    return whole.end()


def _write(output: FileIO, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[output.write(chunk) :]


def declared(file: Path) -> str:
    """The digest in the FILE.sha256 that a bundle is made with; empty when there is none to go by."""
    try:
        text = smallfile.text(papers.beside(file, ".sha256"), largest=_LARGEST)
    except (OSError, UnicodeDecodeError):
        return ""
    match = _DECLARED.match(text)
    return match[1] if match else ""


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == sha256


class _Hashing:
    """Hashes a bundle and its slices while it is read, and judges whether it is whole.

    That is what FILE.sha256 says where it lies beside; the seal needs a hash of its own, so it is asked only
    where there is none, or another. Each digest has a thread of its own, which a few chunks may wait for, and
    so has bringing slices to the disk: reading and writing go on meanwhile. Buffers are used again: new ones
    take a sixth of the time.
    """

    def __init__(self, stream: FileIO, declared: str) -> None:
        self._seal = header.read_seal(stream)
        self._stream, self._declared = stream, declared
        stream.seek(0)
        self._whole, self._slice, self._sealed = (hashlib.sha256() for _ in range(3))
        self._seen = 0
        self._threads = [ThreadPoolExecutor(1) for _ in range(3)]
        self._disk = ThreadPoolExecutor(1)
        self._written: list[Future[None]] = []
        self._free = [bytearray(_CHUNK) for _ in range(_AHEAD + 1)]
        self._waiting: deque[tuple[bytearray, list[Future[None]]]] = deque()

    def __enter__(self) -> _Hashing:
        return self

    def __exit__(self, *_: object) -> None:
        for thread in (*self._threads, self._disk):
            thread.shutdown()

    @property
    def buffer(self) -> bytearray:
        """Where the next chunk is read to."""
        return self._free[-1]

    def begin(self) -> None:
        """A slice begins; the first one has the digest of the file so far."""
        self._slice = hashlib.sha256() if self._seen else self._whole

    def update(self, length: int) -> memoryview:
        """Take the next bytes of the file, which are in the buffer.

        The first chunk is longer than the script. What is returned holds until the next chunk.
        """
        buffer = self._free.pop()
        chunk = memoryview(buffer)[:length]
        work: list[tuple[hashlib._Hash, bytes | memoryview]] = [(self._whole, chunk)]
        if self._slice is not self._whole:
            work.append((self._slice, chunk))
        if self._seal and not self._declared:
            at = self._seal.offset
            zeroed = chunk if self._seen else b"".join((chunk[:at], b"0" * 64, chunk[at + 64 :]))
            work.append((self._sealed, zeroed))
        self._seen += length
        hashed = [
            thread.submit(hasher.update, part)
            for thread, (hasher, part) in zip(self._threads, work, strict=False)
        ]
        self._waiting.append((buffer, hashed))
        self._wait(_AHEAD)
        return chunk

    def end(self) -> str:
        """The sha256 of the slice that ends here."""
        self._wait()
        return self._slice.hexdigest()

    def _wait(self, left: int = 0) -> None:
        """Wait until no more than so many chunks are still to be hashed."""
        while len(self._waiting) > left:
            buffer, hashed = self._waiting.popleft()
            for done in hashed:
                done.result()
            self._free.append(buffer)

    def bring_to_disk(self, output: FileIO) -> None:
        """Have what was written on the disk, and close it; :meth:`check` waits for that."""

        def sync() -> None:
            with output:
                os.fsync(output.fileno())

        self._written.append(self._disk.submit(sync))

    @property
    def sha256(self) -> str:
        """Of the file as it is."""
        return self._whole.hexdigest()

    def check(self, file: Path) -> None:
        """Raise BundleDamaged unless the file is as it was made, or OSError."""
        for done in self._written:
            done.result()
        if not self._is_whole():
            raise BundleDamaged(
                f"{file} is incomplete or damaged: no part was made of it.",
                found=f"{self._seen:,} bytes",
                hint="Copy it again from where it was made, and compare: sha256sum -c FILE.sha256.",
            )

    def _is_whole(self) -> bool:
        if self._seal is None or self._seal.size != self._seen:
            return False
        if not self._declared:
            return self._sealed.hexdigest() == self._seal.sha256
        return (
            self.sha256 == self._declared
            or header.digest(self._stream, self._seal.offset) == self._seal.sha256
        )
