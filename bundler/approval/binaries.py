"""Programs and libraries in a wheel, and which shared libraries they ask the loader for (ELF, DT_NEEDED)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

_MAGIC = b"\x7fELF"
_MOST = 1 << 28  # bytes of a program


@dataclass(frozen=True)
class Binary:
    """A program or library: its member of the wheel, `size` in bytes, and the libraries that it `needs`."""

    path: str
    size: int
    sha256: str
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]


def read(wheel: zipfile.ZipFile) -> tuple[Binary, ...]:
    """All programs and libraries of a wheel; the same content under several names counts once."""
    found: dict[str, Binary] = {}
    for info in wheel.infolist():
        if info.is_dir() or info.file_size > _MOST or not _may_be(info):
            continue
        with wheel.open(info) as stream:
            head = stream.read(4)
            if head != _MAGIC:
                continue
            content = head + stream.read()
        sha256 = hashlib.sha256(content).hexdigest()
        needs = _needs(content)
        if needs is not None:  # an object file asks the loader for nothing
            # the longest name is the one with the whole version: libpq.so.5.18
            other = found.get(sha256)
            if other is None or len(other.name) < len(info.filename.rpartition("/")[2]):
                found[sha256] = Binary(info.filename, len(content), sha256, needs)
    return tuple(sorted(found.values(), key=lambda item: item.path))


def _may_be(info: zipfile.ZipInfo) -> bool:
    # to unpack the beginning of thousands of headers and data files takes longer than all else
    executable = bool(info.external_attr >> 16 & 0o111) and not info.filename.endswith((".h", ".py", ".sql"))
    folder, _, name = info.filename.rpartition("/")
    return ".so" in name or folder.endswith(("bin", "scripts")) or executable


def _needs(content: bytes) -> tuple[str, ...] | None:
    try:
        return tuple(_named(ELFFile(io.BytesIO(content))))
    except (ELFError, ValueError, KeyError, AttributeError, TypeError, AssertionError):
        return ()


def _named(elf: ELFFile) -> Iterator[str]:
    section = elf.get_section_by_name(".dynamic")
    if isinstance(section, DynamicSection):
        for tag in section.iter_tags("DT_NEEDED"):
            yield str(tag.needed)  # type: ignore[attr-defined]  # named after the tag
