"""The host that a bundle is made for: a CPython minor version and a wheel platform tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

from wheelhouse.errors import InvalidTarget

_PLATFORM = re.compile(r"(manylinux|musllinux)_([0-9]{1,4})_([0-9]{1,4})_([a-z0-9_]{1,32})")
_LEGACY = {
    "manylinux1": "manylinux_2_5",
    "manylinux2010": "manylinux_2_12",
    "manylinux2014": "manylinux_2_17",
}
_LIBC_NAME = {"manylinux": "glibc", "musllinux": "musl"}
OLDEST_PYTHON = (3, 8)


@dataclass(frozen=True)
class Platform:
    """What a wheel's platform tag asks of a host (PEP 600, PEP 656)."""

    libc: str
    version: Tuple[int, int]
    machine: str

    @property
    def libc_label(self) -> str:
        """For people, e.g. ``glibc 2.28``."""
        return f"{self.libc} {self.version[0]}.{self.version[1]}"


def parse_platform(tag: str) -> Optional[Platform]:
    """Parse one platform tag such as ``manylinux_2_28_x86_64``; None for any other kind of tag."""
    for old, new in _LEGACY.items():
        if tag.startswith(old + "_"):
            tag = new + tag[len(old) :]
    match = _PLATFORM.fullmatch(tag)
    if not match:
        return None
    name, major, minor, machine = match.groups()
    return Platform(_LIBC_NAME[name], (int(major), int(minor)), machine)


@dataclass(frozen=True)
class Target:
    """A Python minor version (``3.11``) and a platform tag (``manylinux_2_28_x86_64``); CPython always."""

    python: str
    platform: str

    @classmethod
    def parse(cls, python: str, platform: str) -> Target:
        """Check both parts; raises :class:`InvalidTarget`."""
        match = re.fullmatch(r"3\.([0-9]{1,3})(\.[0-9]{1,3})?", python)
        if not match or (3, int(match.group(1))) < OLDEST_PYTHON:
            raise InvalidTarget(
                f"{python!r} is not a Python that a bundle can be made for.",
                needed="a version such as 3.11, and 3.8 at least",
            )
        parsed = parse_platform(platform)
        if parsed is None:
            raise InvalidTarget(
                f"{platform!r} is not a platform tag.",
                needed="a tag such as manylinux_2_28_x86_64 (PEP 600) or musllinux_1_2_x86_64 (PEP 656)",
            )
        name = "manylinux" if parsed.libc == "glibc" else "musllinux"
        major, minor = parsed.version
        return cls(f"3.{match.group(1)}", f"{name}_{major}_{minor}_{parsed.machine}")

    @property
    def version(self) -> Tuple[int, int]:
        """The Python version as numbers, e.g. ``(3, 11)``."""
        return 3, int(self.python.split(".")[1])

    @property
    def tag(self) -> str:
        """The interpreter tag, e.g. ``cp311``."""
        return "cp" + self.python.replace(".", "")

    @property
    def host(self) -> Platform:
        """The platform tag in its parts."""
        parsed = parse_platform(self.platform)
        assert parsed is not None
        return parsed

    @property
    def label(self) -> str:
        """For people: ``CPython 3.11, x86_64, glibc >= 2.28``."""
        host = self.host
        return f"CPython {self.python}, {host.machine}, {host.libc} >= {host.version[0]}.{host.version[1]}"
