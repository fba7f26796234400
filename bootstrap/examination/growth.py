"""What grows in an installation: logs, database, backups; and the room that is left."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Optional, Tuple

from bootstrap.facts import disk
from bootstrap.facts.disk import DiskPlace
from bootstrap.installed.installation import Installation
from bootstrap.state import backup
from wheelhouse import timestamp

_SECONDS = 3.0
DAYS = 7


@dataclass(frozen=True)
class Growth:
    """`logs` and `data` are the folders of the logs and of PostgreSQL's cluster, with the room there.

    `log_bytes` in `log_files`, of which `recent` bytes were written within the last :data:`DAYS`; `counted`
    says that the walk came to its end. `age` is the installation's in days; `backups` how many there are,
    `backup_age` the newest one's in days (None: there is none).
    """

    logs: DiskPlace
    data: Optional[DiskPlace]
    log_bytes: int = 0
    log_files: int = 0
    recent: int = 0
    counted: bool = True
    age: float = 0.0
    backups: int = 0
    backup_age: Optional[float] = None


def collect(installation: Installation) -> Growth:
    """Add the logs up, for a few seconds at most, and look for backups."""
    home, logs = installation.home, installation.folders.logs
    size, files, recent, counted = _count(str(logs))
    found = backup.find_all(home.backups)
    private = installation.receipt.database.kind == "private"
    return Growth(
        disk.collect(str(logs)),
        disk.collect(str(home.cluster)) if private else None,
        size,
        files,
        recent,
        counted,
        _days(installation.receipt.completed),
        len(found),
        _days(found[-1].backup.started) if found else None,
    )


def _count(folder: str) -> Tuple[int, int, int, bool]:
    deadline = time.monotonic() + _SECONDS
    since = time.time() - DAYS * 86400
    size = files = recent = 0
    for place, _, names in os.walk(folder):
        if time.monotonic() > deadline:
            return size, files, recent, False
        for name in names:
            try:
                status = os.lstat(f"{place}/{name}")
            except OSError:
                continue  # rotated away meanwhile
            files += 1
            # what is written, not what is claimed: a file may have holes
            length = status.st_blocks * 512
            size += length
            recent += length if status.st_mtime > since else 0
    return size, files, recent, True


def _days(moment: str) -> float:
    """Days since a moment (RFC 3339, UTC); 0 for one that is none."""
    try:
        then = timestamp.parse(moment).timestamp()
    except ValueError:
        return 0.0
    return round((time.time() - then) / 86400, 2)
