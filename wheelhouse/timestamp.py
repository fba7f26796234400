"""Time stamps as RFC 3339 writes them, in UTC and to the second: ``2026-11-28T05:19:25Z``."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Optional


def now() -> str:
    """The time stamp of this moment."""
    return at(time.time())


def at(seconds: float) -> str:
    """The time stamp of a moment in seconds since the epoch."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse(stamp: str) -> datetime:
    """The moment of a time stamp, in UTC; fractions and other offsets count. Raises ValueError."""
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"a time without an offset: {stamp!r}")
    return _within(moment, timezone.utc)


def compact(stamp: str) -> str:
    """A time stamp as part of a file's name: ``20261128T051925Z``."""
    return stamp.replace("-", "").replace(":", "")


def local(stamp: str) -> str:
    """A time stamp as this host's clock shows it: ``2026-11-28 06:19:25``. Raises ValueError."""
    return _within(parse(stamp), None).strftime("%Y-%m-%d %H:%M:%S")


def _within(moment: datetime, zone: Optional[timezone]) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError as error:  # the first and the last day that there are
        raise ValueError(f"a time that no calendar has: {moment}") from error
