"""Language, time zone and clock."""

from __future__ import annotations

import datetime
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional

from bootstrap.terminal import charset


@dataclass(frozen=True)
class Region:
    """`locale` holds LANG and LC_*, `charset` the codec they mean; `now` is the clock in UTC (RFC 3339).

    `zone` is a name such as ``Asia/Seoul``, empty when only an offset (`offset`, seconds east) is known.
    """

    locale: Dict[str, str]
    charset: str
    now: str
    zone: str = ""
    offset: int = 0


def collect(environ: Optional[Mapping[str, str]] = None) -> Region:
    """Read the variables, /etc/localtime and the clock."""
    environ = os.environ if environ is None else environ
    return Region(
        {name: environ[name] for name in sorted(environ) if name == "LANG" or name.startswith("LC_")},
        charset(environ)[0],
        datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        _zone(environ),
        time.localtime().tm_gmtoff,
    )


def _zone(environ: Mapping[str, str]) -> str:
    named = environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        return named
    link = os.path.realpath(named or "/etc/localtime")
    _, found, name = link.partition("/zoneinfo/")
    if found:
        return name
    try:
        return Path("/etc/timezone").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
