"""What a wheel's file name says about the hosts it runs on (binary distribution format, PEP 427 and 425)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from wheelhouse.target import Platform, parse_platform


@dataclass(frozen=True)
class WheelName:
    """A wheel's file name in its parts; each tag is a set of alternatives, in the order of the name."""

    name: str
    version: str
    pythons: Tuple[str, ...]
    abis: Tuple[str, ...]
    platforms: Tuple[str, ...]

    @property
    def pure(self) -> bool:
        """Whether it runs on every machine."""
        return "any" in self.platforms


def parse_wheel_name(filename: str) -> WheelName:
    """Split ``name-version[-build]-python-abi-platform.whl``; raises ValueError for anything else."""
    parts = filename[: -len(".whl")].split("-") if filename.endswith(".whl") else []
    if len(parts) not in (5, 6) or not all(parts):
        raise ValueError(f"not a wheel's file name: {filename}")
    pythons, abis, platforms = (tuple(part.split(".")) for part in parts[-3:])
    return WheelName(parts[0], parts[1], pythons, abis, platforms)


def floor(filename: str, libc: str = "glibc") -> Optional[Platform]:
    """The least demanding platform of a wheel for a C library (``glibc`` or ``musl``).

    None means that it runs anywhere (``any``). A platform of another kind gives ``Platform`` with the
    libc's name as it stands in the tag, which no host has.
    """
    wheel = parse_wheel_name(filename)
    if wheel.pure:
        return None
    parsed = [item for item in map(parse_platform, wheel.platforms) if item is not None and item.libc == libc]
    if parsed:
        return min(parsed, key=lambda item: item.version)
    return Platform(wheel.platforms[0], (0, 0), "")


def unfit(filename: str, machine: str, libc: str, version: Tuple[int, int]) -> str:
    """Why a wheel does not run on a host with that machine and C library; empty when it does."""
    needed = floor(filename, libc)
    if needed is None:
        return ""
    if not needed.machine:
        return f"is for {needed.libc}"
    if needed.machine != machine:
        return f"is for {needed.machine}"
    if needed.version > version:
        return f"needs {needed.libc_label}"
    return ""
