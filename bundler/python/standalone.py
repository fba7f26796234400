"""A relocatable interpreter as an archive: whether it is safe to unpack, what it is, and what it needs."""

from __future__ import annotations

import io
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from bundler.base.errors import PythonUnfit
from wheelhouse import layout, unpacking
from wheelhouse.target import Target

TOP = "python"
_MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_386": "i686",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "armv7l",
    "EM_PPC64": "ppc64le",
    "EM_S390": "s390x",
    "EM_RISCV": "riscv64",
}
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)")
_VERSION = re.compile(r"3\.\d+\.\d+")
_MAGIC = b"\x7fELF"


@dataclass(frozen=True)
class Standalone:
    """What an archive holds: the full `version`, bytes when `unpacked`, the C library it asks for."""

    version: str
    unpacked: int
    floor: str


def inspect(path: Path, filename: str, target: Target) -> Standalone:
    """Look through an archive in the layout of python-build-standalone (``python/bin/python3.11``).

    Raises :class:`PythonUnfit` with every problem: members that would leave their folder, another version,
    machine or C library than the target's.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = archive.getmembers()
            problems = [*_unsafe(members)]
            if problems:
                raise _unfit(filename, "cannot be unpacked safely", problems)
            return _judge(archive, members, filename, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _unfit(filename, "cannot be read", [str(error)]) from error


def _judge(
    archive: tarfile.TarFile, members: list[tarfile.TarInfo], filename: str, target: Target
) -> Standalone:
    program = f"{TOP}/bin/python{target.python}"
    found = next((item for item in members if item.name == program and item.isreg()), None)
    if found is None:
        raise _unfit(
            filename,
            f"is not a CPython {target.python} in the layout of python-build-standalone",
            [f"no file {program} in it"],
        )
    problems = []
    version = _version(archive, members, filename, target.python)
    if not version.startswith(f"{target.python}."):
        problems.append(f"it is Python {version or 'of unknown version'}")
    kind, needed = "", (0, 0)
    for item in members:
        elf = _elf(archive, item)
        if elf is None:
            continue
        if item is found:
            machine = _MACHINES.get(elf["e_machine"], str(elf["e_machine"]))
            if machine != target.host.machine:
                problems.append(f"it is made for {machine}")
        for name, numbers in _needs(elf):
            kind, needed = kind or name, max(needed, numbers)
    # a program that is linked statically asks for nothing
    if kind and kind != target.host.libc:
        problems.append(f"it needs {kind}")
    elif kind == "glibc" and needed > target.host.version:
        problems.append(f"it needs glibc {needed[0]}.{needed[1]}")
    if problems:
        raise _unfit(filename, f"does not fit {target.label}", problems)
    unpacked = sum(item.size for item in members if item.isreg())
    return Standalone(version, unpacked, f"glibc {needed[0]}.{needed[1]}" if kind == "glibc" else kind)


def _unsafe(members: list[tarfile.TarInfo]) -> Iterator[str]:
    """What sh and tar on the closed host must never meet."""
    links = unpacking.symlinks(members)
    seen: set[str] = set()
    for item in members:
        name, reason = item.name, unpacking.unsafe(item, links, TOP)
        if not layout.is_safe(name) or name.startswith("-"):
            yield f"{name!r}: outside of {TOP}/"
        elif reason:
            yield f"{name}: {reason}"
        elif item.mode & (stat.S_ISUID | stat.S_ISGID):
            yield f"{name}: gives its user the rights of its owner"
        if name in seen and not item.isdir():
            yield f"{name}: duplicate"
        seen.add(name)


def _version(archive: tarfile.TarFile, members: list[tarfile.TarInfo], filename: str, minor: str) -> str:
    header = f"{TOP}/include/python{minor}/patchlevel.h"
    for item in members:
        if item.name == header and item.isreg():
            text = _read(archive, item).decode("utf-8", "replace")
            said = re.search(r'^#define\s+PY_VERSION\s+"([^"]+)"', text, re.MULTILINE)
            if said:
                return said.group(1)
    named = _VERSION.search(filename)
    return named.group() if named else ""


def _elf(archive: tarfile.TarFile, item: tarfile.TarInfo) -> Any:
    """The file as pyelftools sees it; None for anything that is no ELF file."""
    if not item.isreg() or item.size < 64 or not (".so" in item.name or "/bin/" in item.name):
        return None
    content = _read(archive, item)
    if not content.startswith(_MAGIC):
        return None
    try:
        return ELFFile(io.BytesIO(content))
    except ELFError:
        return None


def _needs(elf: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    """The C library that a file asks for, and its version, once for each that it names."""
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_DYNAMIC":
            names = [tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
            if any(name.startswith(("libc.musl", "ld-musl")) for name in names):
                yield "musl", (0, 0)
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    match = _GLIBC.fullmatch(version.name)
                    if match:
                        yield "glibc", (int(match.group(1)), int(match.group(2)))


def _read(archive: tarfile.TarFile, item: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(item)
    assert stream is not None
    return stream.read()


def _unfit(filename: str, what: str, problems: list[str]) -> PythonUnfit:
    glibc = next((item.rpartition(" ")[2] for item in problems if item.startswith("it needs glibc")), "")
    return PythonUnfit(
        f"{filename} {what}.",
        found="\n".join(problems[:10]),
        needed="an archive cpython-X.Y.Z+DATE-MACHINE-unknown-linux-gnu-install_only.tar.gz",
        hint=f"Make the bundle for newer hosts (--glibc {glibc}), or name an archive for older ones."
        if glibc
        else "",
    )
