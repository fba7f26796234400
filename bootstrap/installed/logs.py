"""Reading the components' log files: the last lines, those since a moment, and what comes after.

Both service managers write the same files, and rotate them by renaming: ``scheduler.log`` becomes
``scheduler.log.1``, which becomes ``scheduler.log.2``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO, Deque, Iterator, List, Optional, Sequence

from bootstrap.services.manager import check_components
from bootstrap.state.home import Home
from wheelhouse.errors import AirferryError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# How Airflow, gunicorn and PostgreSQL begin a line; without a zone it is this host's time.
_STAMP = re.compile(rb"[\[ ]*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?")
_MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_LONGEST = 1 << 20  # of a line whose end has not been written yet


class UnknownTime(AirferryError):
    """A time that cannot be read."""

    reference = "unknown-time"
    exit_code = 2


@dataclass(frozen=True)
class Log:
    """The log of one component, or of the installs."""

    name: str
    path: Path

    def files(self) -> List[Path]:
        """The rotated files and the one that is written to, oldest first, as far as they are there."""
        numbered = []
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            number = path.name[len(self.path.name) + 1 :]
            if number.isdigit():
                numbered.append((-int(number), path))
        found = [path for _, path in sorted(numbered)]
        return [*found, self.path] if self.path.exists() else found


def choose(home: Home, known: Sequence[str], names: Sequence[str], *, install: bool) -> List[Log]:
    """The logs of the components `names`, all of `known` when there are none; raises UnknownComponent.

    With `install`, that of the installs; alone unless components are named as well.
    """
    check_components(names, known, f"The install log: --install. Task logs are below {home.logs}")
    wanted = list(names) or ([] if install else list(known))
    logs = [Log(name, home.own_logs / f"{name}.log") for name in wanted]
    return [*logs, Log("install", home.install_log)] if install else logs


def moment(text: str, now: Optional[datetime] = None) -> datetime:
    """A time given as ``30m``, ``2h``, ``3d`` (ago) or as a date, with or without a time (this host's).

    Raises :class:`UnknownTime`.
    """
    ago = re.fullmatch(r"(\d{1,6}) ?([smhd])", text.strip())
    if ago:
        return (now or datetime.now(timezone.utc)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    for form in _MOMENTS:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text.strip(), form).astimezone()
    raise UnknownTime(
        f"--since {text} is not a time.", needed="for example 30m, 2h, 3d, 2026-11-25, or '2026-11-25 14:30'"
    )


def since(log: Log, start: datetime) -> Iterator[bytes]:
    """The lines from the first one on that was written at `start` or later."""
    begun = False
    for path in log.files():
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            if not begun and _stat(stream).st_mtime < start.timestamp():
                continue
            for line in stream:
                begun = begun or _written(line, start)
                if begun:
                    yield line


def last(log: Log, count: int) -> List[bytes]:
    """The last `count` lines."""
    lines: Deque[bytes] = deque()
    for path in reversed(log.files()):
        if len(lines) >= count:
            break
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            lines.extendleft(reversed(_last(stream, count - len(lines))))
    return list(lines)


class Follower:
    """What is written to a log from now on; the file may be rotated, cut short, or made later."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._half = b""
        self._stream: Optional[BinaryIO] = self._open()
        if self._stream:
            self._stream.seek(0, os.SEEK_END)

    def lines(self) -> List[bytes]:
        """The lines that were completed since the last call."""
        found: List[bytes] = []
        self._read(found)
        fresh = self._open()
        if fresh is None:  # not made yet, or just being rotated
            return found
        if self._stream is not None and os.path.samestat(_stat(fresh), _stat(self._stream)):
            fresh.close()
            if _stat(self._stream).st_size < self._stream.tell():
                self._stream.seek(0)
                self._read(found)
            return found
        # whoever made the new file has written its last into the old one
        self._read(found)
        self.close()
        self._stream = fresh
        self._read(found)
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def _read(self, found: List[bytes]) -> None:
        if self._stream is None:
            return
        *whole, self._half = (self._half + self._stream.read()).split(b"\n")
        found += [line + b"\n" for line in whole]
        if len(self._half) > _LONGEST:
            found.append(self._half + b"\n")
            self._half = b""

    def _open(self) -> Optional[BinaryIO]:
        try:
            return self.log.path.open("rb")
        except FileNotFoundError:
            return None


def _last(stream: BinaryIO, count: int) -> List[bytes]:
    end = stream.seek(0, os.SEEK_END)
    content = b""
    while end and content.count(b"\n") <= count:
        start = max(0, end - 65_536)
        stream.seek(start)
        content = stream.read(end - start) + content
        end = start
    lines = content.split(b"\n")
    if not lines[-1]:
        del lines[-1]
    return [line + b"\n" for line in lines[-count:]] if count else []


def _stat(stream: BinaryIO) -> os.stat_result:
    return os.fstat(stream.fileno())


def _written(line: bytes, start: datetime) -> bool:
    found = _STAMP.match(line)
    if not found:
        return False
    text = f"{found[1].decode()} {found[2].decode()}"
    zone = (found[3] or b"").decode().replace("Z", "+0000").replace("UTC", "+0000").replace(":", "")
    try:
        if zone:
            return datetime.strptime(text + zone, "%Y-%m-%d %H:%M:%S%z") >= start.replace(microsecond=0)
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").astimezone() >= start.replace(microsecond=0)
    except ValueError:
        return False
