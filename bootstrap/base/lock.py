"""One install at a time in one home: an advisory lock that the kernel releases with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Iterator

from wheelhouse import timestamp
from wheelhouse.errors import AirferryError


class HomeBusy(AirferryError):
    """Another command is changing this home."""

    reference = "home-busy"
    exit_code = 35


def holder(path: Path) -> str:
    """Who holds the lock just now; "" when nobody does."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return stream.read(200).decode("utf-8", "replace").strip() or "a process"
    except OSError:
        pass
    return ""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; raises :class:`HomeBusy` with the holder when another process does."""
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise HomeBusy(
                f"Another airferry command is running in {path.parent}.",
                found=holder or "an unidentified process",
                hint="Wait until it has ended, then run the same command again.",
            ) from error
        os.ftruncate(descriptor, 0)
        since = timestamp.local(timestamp.now())
        os.pwrite(descriptor, f"process {os.getpid()} since {since}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
