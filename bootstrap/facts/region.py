"""Language, time zone and clock."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional

from bootstrap.base.terminal import charset
from wheelhouse import timestamp

ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo")
# what a running system writes every day, and what its own installation wrote
WRITTEN = ("/var/log", "/var/lib/dpkg/status", "/var/lib/rpm", "/etc/passwd", "/etc/ld.so.cache", "/usr/bin")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True)
class Region:
    """`locale` holds LANG and LC_*, `charset` the codec they mean; `now` is the clock in UTC (RFC 3339).

    `zone` is a name such as ``Asia/Seoul``, empty when only an offset (`offset`, seconds east) is known;
    `zone_known` whether there is data for it. `newest` is the youngest time on files that the system itself
    writes, `synchronised` whether the kernel says that the clock is synchronised (None: unknown).
    """

    locale: Dict[str, str]
    charset: str
    now: str
    zone: str = ""
    offset: int = 0
    zone_known: bool = True
    newest: str = ""
    synchronised: Optional[bool] = None


def collect(environ: Optional[Mapping[str, str]] = None) -> Region:
    """Read the variables, /etc/localtime, the clock and the times of some files."""
    environ = os.environ if environ is None else environ
    found = zone(environ)
    return Region(
        {name: environ[name] for name in sorted(environ) if name == "LANG" or name.startswith("LC_")},
        charset(environ)[0],
        timestamp.now(),
        found,
        time.localtime().tm_gmtoff,
        _is_known(found),
        _newest(),
        _synchronised(),
    )


def zone(environ: Optional[Mapping[str, str]] = None) -> str:
    """The time zone of this host, such as ``Asia/Seoul``; "" where only an offset is known."""
    environ = os.environ if environ is None else environ
    named = environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        return named
    link = os.path.realpath(named or "/etc/localtime")
    _, found, name = link.partition("/zoneinfo/")
    if found:
        return name[len("posix/") :] if name.startswith("posix/") else name
    try:
        return Path("/etc/timezone").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _is_known(zone: str) -> bool:
    # a rule as in POSIX (KST-9) needs no data
    if not zone or zone in ("UTC", "GMT") or re.fullmatch(r"[A-Za-z<>+-]+\d.*", zone):
        return True
    folders = [folder for folder in ZONES if os.path.isdir(folder)]  # noqa: PTH112  (never raises)
    return any(os.path.isfile(f"{folder}/{zone}") for folder in folders) or not folders  # noqa: PTH113


def _newest() -> str:
    times = [0.0]
    for path in WRITTEN:
        with contextlib.suppress(OSError):
            times.append(os.stat(path).st_mtime)  # noqa: PTH116
            if path == "/var/log":
                with os.scandir(path) as entries:
                    times += [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
    return timestamp.at(max(times)) if max(times) else ""


def _synchronised() -> Optional[bool]:
    """Ask the kernel, adjtimex(2): it knows whether a time service steers it. Needs no rights."""
    try:
        import ctypes  # noqa: PLC0415  (a Python without it can still be told so)

        library = ctypes.CDLL(None, use_errno=True)
        # struct timex is 208 bytes on 64-bit machines; modes = 0 only reads
        state = library.adjtimex(ctypes.create_string_buffer(256))
    except (ImportError, OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
