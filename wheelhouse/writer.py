"""Writing a bundle: the same members give the same bytes, on any machine and at any time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence, Tuple, Union

from wheelhouse import header, layout
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import File, Manifest

_CHUNK = 1 << 20


class BundleTooLarge(AirferryError):
    """More than a ZIP without ZIP64 holds."""

    reference = "bundle-too-large"
    exit_code = 29


@dataclass(frozen=True)
class Member:
    """A member to write: its name in the bundle, and its content as bytes or as a file to copy."""

    name: str
    content: Union[bytes, Path]

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

    def described(self) -> File:
        """The member as the manifest lists it."""
        hasher = hashlib.sha256()
        for chunk in self.chunks():
            hasher.update(chunk)
        return File(self.name, self.size, hasher.hexdigest())


def write(
    path: Path,
    manifest: Manifest,
    members: Sequence[Member],
    *,
    timestamp: Tuple[int, int, int, int, int, int],
    progress: Optional[Callable[[int], None]] = None,
) -> Manifest:
    """Write the bundle to `path` and return its manifest, with every member listed in ``files``.

    `timestamp` stands on every member (year to second, 1980 or later); `progress` gets the bytes of each
    chunk written. The file appears under its name only when it is whole. Raises
    :class:`BundleTooLarge`, and OSError when the disk is full.
    """
    ordered = sorted(members, key=_order)
    script = header.render(manifest.airflow, manifest.target)
    _check(ordered, len(script))
    manifest = replace(manifest, files=tuple(member.described() for member in ordered))
    complete = [Member(layout.MANIFEST, manifest.dumps().encode()), *ordered]
    complete.sort(key=_order)
    # Two runs may write the same bundle at once; the last to finish leaves its own, whole.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w+b") as stream:
            stream.write(script)
            with zipfile.ZipFile(stream, "a", allowZip64=False) as archive:
                for member in complete:
                    _write_member(archive, member, timestamp, progress)
            header.seal(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o755 & ~_umask())
        temporary.replace(path)
    except zipfile.LargeZipFile as error:
        raise _too_large(str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return manifest


def _write_member(
    archive: zipfile.ZipFile,
    member: Member,
    timestamp: Tuple[int, int, int, int, int, int],
    progress: Optional[Callable[[int], None]],
) -> None:
    info = zipfile.ZipInfo(member.name, timestamp)
    info.create_system = 3  # Unix, wherever it is written: the mode below counts
    info.external_attr = 0o100644 << 16
    # Only the runtime is worth compressing; stage 0 must start on a Python without zlib to say so.
    packed = member.name.startswith(layout.RUNTIME) or member.name in (layout.MANIFEST, layout.LOCK)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.file_size = member.size
    with archive.open(info, "w") as target:
        for chunk in member.chunks():
            target.write(chunk)
            if progress:
                progress(len(chunk))


def _order(member: Member) -> Tuple[int, str]:
    first = (layout.STAGE0, layout.MANIFEST, layout.LOCK)
    if member.name in first:
        return first.index(member.name), member.name
    for position, section in enumerate(layout.SECTIONS):
        if member.name.startswith(section):
            return len(first) + position, member.name
    raise ValueError(f"a bundle has no place for {member.name}")


def _check(members: Sequence[Member], before: int) -> None:
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
