"""The machine and its C library."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from bootstrap.base import process


@dataclass(frozen=True)
class Libc:
    """`machine` as ``uname -m`` says; `name` is glibc, musl or empty; `version` as it calls itself."""

    machine: str
    kernel: str
    name: str = ""
    version: str = ""

    @property
    def numbers(self) -> Tuple[int, int]:
        """The version's first two numbers, for comparing with a wheel's tag; zeros when unknown."""
        match = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def collect(folders: Tuple[str, ...] = ("/lib", "/usr/lib", "/lib64")) -> Libc:
    """Ask the C library that this process runs on, else look for musl's loader in `folders`."""
    system = os.uname()
    name, version = "", ""
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        said = ""
    if said.startswith("glibc "):
        name, version = "glibc", said.partition(" ")[2]
    else:
        for loader in sorted(found for folder in folders for found in Path(folder).glob("ld-musl-*.so.1")):
            result = process.run([loader], what="ask musl for its version", ok=range(256), timeout=5)
            match = re.search(r"musl libc.*?\nVersion ([\d.]+)", result.stderr + result.stdout, re.DOTALL)
            if match:
                name, version = "musl", match.group(1)
                break
    return Libc(system.machine, system.release, name, version)
