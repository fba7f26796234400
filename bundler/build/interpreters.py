"""Interpreters of this machine: which one can build for a Python minor version."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from bootstrap.base import process
from wheelhouse.target import Target

_PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "~/.pyenv/versions/{minor}.*/bin",
    "~/.local/share/uv/python/cpython-{minor}.*/bin",
    "/opt/python/cp{digits}-cp{digits}/bin",
)


def find(minor: str) -> Path | None:
    """A CPython of that minor version (``3.8``) on this machine; None when there is none.

    Candidates are really started, as a name alone proves nothing.
    """
    if minor == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return Path(sys.executable)
    return next((path for path in _candidates(minor) if _is(path, minor)), None)


def _candidates(minor: str) -> Iterator[Path]:
    folders = [Path(item) for item in os.environ.get("PATH", "").split(os.pathsep) if item]
    for template in _PLACES:
        place = Path(template.format(minor=minor, digits=minor.replace(".", ""))).expanduser()
        folders += sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
    # The shims of version managers take seconds to say that they have no such version.
    return (
        path for folder in folders if folder.name != "shims" and (path := folder / f"python{minor}").exists()
    )


def _is(path: Path, minor: str) -> bool:
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        result = process.run([path, "-I", "-c", code], what="ask a Python for its version", timeout=20)
    except process.CommandFailed:
        return False
    return result.stdout.split() == ["cpython", minor]


def can_serve(target: Target) -> bool:
    """Whether this machine is of the target's architecture and has its kind of C library."""
    same_libc = (platform.libc_ver()[0] == "glibc") == (target.host.libc == "glibc")
    return same_libc and platform.machine() == target.host.machine
