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
from pathlib import Path
from typing import BinaryIO

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
        with file.open("rb") as source, _Sealed(source) as whole:
            for number in range(1, count + 1):
                path = papers.beside(file, f".{number:03d}")
                temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
                if only in (0, number):
                    fresh[path] = temporary
                    with temporary.open("xb") as output:
                        digests[path.name] = _slice(source, size, whole, output, progress)
                else:
                    digests[path.name] = _slice(source, size, whole, None, progress)
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
    source: BinaryIO,
    size: int,
    whole: _Sealed,
    output: BinaryIO | None,
    progress: Callable[[int], None] | None,
) -> str:
    """Read one slice, write it to `output` where it is wanted, and bring it to the disk; its sha256."""
    own = hashlib.sha256()
    while size and (chunk := source.read(min(_CHUNK, size))):
        size -= len(chunk)
        whole.update(chunk, own)
        if output:
            output.write(chunk)
        if progress:
            progress(len(chunk))
    if output:
        output.flush()
        os.fsync(output.fileno())
    whole.wait()
    return own.hexdigest()


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == sha256


class _Sealed:
    """Hashes a bundle while it is read: the sha256 of the file, and the one that its seal declares.

    Each digest has a thread of its own, which a few chunks may wait for: reading and writing go on meanwhile.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._seal = header.read_seal(stream)
        stream.seek(0)
        self._own, self._whole = hashlib.sha256(), hashlib.sha256()
        self._seen = 0
        self._threads = [ThreadPoolExecutor(1) for _ in range(3)]
        self._waiting: deque[list[Future[None]]] = deque()

    def __enter__(self) -> _Sealed:
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.shutdown()

    def update(self, chunk: bytes, own: hashlib._Hash) -> None:
        """Take the next bytes of the file, more than the script at first, and those of the slice's `own`."""
        zeroed = chunk
        if self._seal and not self._seen:
            at = self._seal.offset
            zeroed = chunk[:at] + b"0" * 64 + chunk[at + 64 :]
        self._seen += len(chunk)
        work = ((own, chunk), (self._whole, chunk), (self._own, zeroed))
        self._waiting.append(
            [
                thread.submit(hasher.update, part)
                for thread, (hasher, part) in zip(self._threads, work, strict=True)
            ]
        )
        self.wait(_AHEAD)

    def wait(self, left: int = 0) -> None:
        """Wait until no more than so many chunks are still to be hashed."""
        while len(self._waiting) > left:
            for done in self._waiting.popleft():
                done.result()

    @property
    def sha256(self) -> str:
        """Of the file as it is."""
        return self._whole.hexdigest()

    def check(self, file: Path) -> None:
        """Raise BundleDamaged unless size and digest are those that the header declares."""
        if self._seal is None or (self._seal.size, self._seal.sha256) != (self._seen, self._own.hexdigest()):
            raise BundleDamaged(
                f"{file} is incomplete or damaged: no part was made of it.",
                found=f"{self._seen:,} bytes",
                hint="Copy it again from where it was made, and compare: sha256sum -c FILE.sha256.",
            )
