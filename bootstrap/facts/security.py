"""What may forbid things that are allowed elsewhere (FIPS, SELinux, fapolicyd), and whom this host trusts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# Where distributions keep the authorities that they and their administrators trust.
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # RHEL, Fedora, Amazon
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True)
class Security:
    """`selinux` is enforcing, permissive or empty (none); `fapolicyd` whether it is running.

    `authorities` is the file of certificates that this host trusts, empty when none is in a usual place.
    """

    fips: bool = False
    selinux: str = ""
    fapolicyd: bool = False
    authorities: Optional[str] = None


def collect() -> Security:
    """Read what the kernel says."""
    enforce = _read("/sys/fs/selinux/enforce")
    return Security(
        fips=_read("/proc/sys/crypto/fips_enabled") == "1",
        selinux={"1": "enforcing", "0": "permissive"}.get(enforce, ""),
        fapolicyd=Path("/run/fapolicyd/fapolicyd.fifo").exists(),
        authorities=authorities(),
    )


def authorities() -> str:
    """The file of certificates that this host trusts; empty when it has none in a usual place."""
    return next((path for path in AUTHORITIES if Path(path).is_file()), "")


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    return ""
