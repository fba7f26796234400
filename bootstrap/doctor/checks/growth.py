"""Room: for logs and database now, for how long at this pace; and how old the newest backup is."""

from __future__ import annotations

from typing import Iterator, List, Tuple

from bootstrap.base.console import size_text
from bootstrap.doctor import remedies
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.growth import DAYS, Growth
from bootstrap.examination.installed import Installed
from bootstrap.facts.disk import DiskPlace

GROWTH_OK = Entry("growth-ok", OK, "There is space for logs and database")
LOGS_CLOSED = Entry(
    "logs-closed",
    BLOCKER,
    "The log folder cannot be written",
    "Every task writes its log there first, and fails when it cannot.",
)
LOGS_FULL = Entry(
    "logs-full",
    BLOCKER,
    "The disk of the logs is full",
    "Every task writes its log there first, and fails when it cannot.",
)
DATABASE_CLOSED = Entry(
    "database-closed",
    BLOCKER,
    "The database's folder cannot be written",
    "PostgreSQL stops, and with it every task.",
)
DATABASE_FULL = Entry(
    "database-full", BLOCKER, "The disk of the database is full", "PostgreSQL stops, and with it every task."
)
DISK_FILLING = Entry(
    "disk-filling",
    WARNING,
    "The disk will be full within weeks",
    "A full disk stops PostgreSQL and with it every task.",
    "Calculated from the logs of the last seven days and from the database's size by its age.",
)
BACKUP_OK = Entry("backup-ok", OK, "There is a backup")
BACKUP_NONE = Entry(
    "backup-none",
    WARNING,
    "There is no backup",
    "Connections, variables and the history of all runs are in one place only.",
    "A note in the first week after the install.",
)
BACKUP_OLD = Entry(
    "backup-old",
    WARNING,
    "The newest backup is old",
    "Changes since then would be lost with the disk.",
)

_LEAST = 100_000_000
_INODES = 1000
_SOON = 30  # days
_OLD = 7


def check(installed: Installed) -> Iterator[Finding]:
    """The folders of logs and database: writable, not full, and not full soon."""
    found = installed.growth
    if found is None:
        return
    problems: List[Finding] = [
        *_folder(found.logs, LOGS_CLOSED, LOGS_FULL, installed),
        *_pace(found, installed),
    ]
    if found.data and installed.completed:
        problems += _folder(found.data, DATABASE_CLOSED, DATABASE_FULL, installed)
    yield from problems
    if not problems:
        count = "" if found.counted else "more than "
        size = installed.metadata.size if installed.metadata else 0
        yield GROWTH_OK.found(
            f"logs {count}{size_text(found.log_bytes)}, database {size_text(size)},"
            f" {size_text(found.logs.free_bytes)} free"
        )


def _old_logs(installed: Installed) -> Tuple[str, ...]:
    folder = installed.growth.logs.path if installed.growth else f"{installed.home}/logs"
    return (f"find {remedies.quoted(folder)} -type f -mtime +30 -delete",)


def _folder(place: DiskPlace, closed: Entry, full: Entry, installed: Installed) -> Iterator[Finding]:
    where = f"{place.path} ({place.mount or place.base})"
    if place.kind != "folder" or not place.writable or place.read_only:
        state = "is mounted read-only" if place.read_only else "cannot be written"
        found = f"{where} {state}" if place.kind == "folder" else f"{place.path} is not a folder"
        yield closed.found(
            found,
            needed="a folder that the account may write",
            remedy="Make the account its owner, and mount it writable.",
            needs_root=True,
        )
    elif place.free_bytes < _LEAST or 0 <= place.free_inodes < _INODES:
        inodes = f", {place.free_inodes:,} files more" if place.free_inodes >= 0 else ""
        yield full.found(
            f"{size_text(place.free_bytes)} free{inodes} at {where}",
            needed=f"{size_text(_LEAST)} and {_INODES:,} files more",
            remedy="Make room there. Old task logs may be deleted at any time:",
            commands=_old_logs(installed),
        )


def _pace(found: Growth, installed: Installed) -> Iterator[Finding]:
    """At the pace of the last days; a database of days is all new, so it counts only with its age."""
    days = max(1.0, min(float(DAYS), found.age or 1.0))
    daily = found.recent / days
    if installed.metadata and found.age > DAYS:
        daily += installed.metadata.size / found.age
    left = found.logs.free_bytes / daily if daily else float("inf")
    if found.age > 1 and left < _SOON and found.logs.free_bytes >= _LEAST:
        yield DISK_FILLING.found(
            f"{size_text(daily)} a day, {size_text(found.logs.free_bytes)} free: full in {left:.0f} days",
            needed=f"room for {_SOON} days",
            remedy="Let DAGs log less, move logs/ to a larger disk, or remove what is old (after a backup):",
            commands=tuple(
                f"{command(installed)} clean --older-than 90d{more}" for more in (" --dry-run", "")
            ),
        )


def backups(installed: Installed) -> Iterator[Finding]:
    """When the newest backup was made."""
    found = installed.growth
    if found is None:
        return
    make = (f"{command(installed)} backup",)
    if found.backup_age is None:
        late = found.age > _OLD
        yield BACKUP_NONE.found(
            f"none, {found.age:.0f} days after the install",
            needed="one a day",
            remedy="Make one, and have cron make them:",
            commands=make,
            severity=WARNING if late else NOTE,
        )
    elif found.backup_age > _OLD:
        yield BACKUP_OLD.found(
            f"the newest of {found.backups} is {found.backup_age:.0f} days old",
            needed=f"one within {_OLD} days",
            remedy="Make one, and have cron make them:",
            commands=make,
        )
    else:
        yield BACKUP_OK.found(f"the newest of {found.backups} is {found.backup_age:.0f} days old")
