"""What may forbid things that are allowed elsewhere: FIPS, SELinux, fapolicyd."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Security:
    """`selinux` is enforcing, permissive or empty (none); `fapolicyd` whether it is running."""

    fips: bool = False
    selinux: str = ""
    fapolicyd: bool = False


def collect() -> Security:
    """Read what the kernel says."""
    enforce = _read("/sys/fs/selinux/enforce")
    return Security(
        fips=_read("/proc/sys/crypto/fips_enabled") == "1",
        selinux={"1": "enforcing", "0": "permissive"}.get(enforce, ""),
        fapolicyd=Path("/run/fapolicyd/fapolicyd.fifo").exists(),
    )


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    return ""
