"""Room: for logs and database now, for how long at this pace; and how old the newest backup is."""

from __future__ import annotations

from typing import Iterator, List, Tuple

from bootstrap.base.console import size_text
from bootstrap.doctor import remedies
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.growth import DAYS, Growth
from bootstrap.examination.installed import Installed
from bootstrap.facts.disk import DiskPlace

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
        *_folder(found.logs, "logs-closed", "logs-full", installed),
        *_pace(found, installed),
    ]
    if found.data and installed.completed:
        problems += _folder(found.data, "database-closed", "database-full", installed)
    yield from problems
    if not problems:
        count = "" if found.counted else "more than "
        size = installed.metadata.size if installed.metadata else 0
        yield Finding(
            "growth-ok", OK, f"logs {count}{size_text(found.log_bytes)}, database {size_text(size)},"
            f" {size_text(found.logs.free_bytes)} free",
        )  # fmt: skip


def _old_logs(installed: Installed) -> Tuple[str, ...]:
    return (f"find {remedies.quoted(installed.home + '/logs')} -type f -mtime +30 -delete",)


def _folder(place: DiskPlace, closed: str, full: str, installed: Installed) -> Iterator[Finding]:
    where = f"{place.path} ({place.mount or place.base})"
    if place.kind != "folder" or not place.writable or place.read_only:
        state = "is mounted read-only" if place.read_only else "cannot be written"
        found = f"{where} {state}" if place.kind == "folder" else f"{place.path} is no folder"
        yield Finding(
            closed, BLOCKER, found, "a folder that the account may write",
            "Give it back to the account, and mount it writable.", needs_root=True,
        )  # fmt: skip
    elif place.free_bytes < _LEAST or 0 <= place.free_inodes < _INODES:
        inodes = f", {place.free_inodes:,} files more" if place.free_inodes >= 0 else ""
        yield Finding(
            full, BLOCKER, f"{size_text(place.free_bytes)} free{inodes} at {where}",
            f"{size_text(_LEAST)} and {_INODES:,} files more",
            "Make room there. Old task logs may be deleted at any time:", _old_logs(installed),
        )  # fmt: skip


def _pace(found: Growth, installed: Installed) -> Iterator[Finding]:
    """At the pace of the last days; a database of days is all new, so it counts only with its age."""
    days = max(1.0, min(float(DAYS), found.age or 1.0))
    daily = found.recent / days
    if installed.metadata and found.age > DAYS:
        daily += installed.metadata.size / found.age
    left = found.logs.free_bytes / daily if daily else float("inf")
    if found.age > 1 and left < _SOON and found.logs.free_bytes >= _LEAST:
        yield Finding(
            "disk-filling", WARNING,
            f"{size_text(daily)} a day, {size_text(found.logs.free_bytes)} free: full in {left:.0f} days",
            f"room for {_SOON} days",
            "Let DAGs write less, move logs/ to a larger disk, or delete old task logs:",
            _old_logs(installed),
        )  # fmt: skip


def backups(installed: Installed) -> Iterator[Finding]:
    """When the newest backup was made."""
    found = installed.growth
    if found is None:
        return
    make = (f"{command(installed)} backup",)
    if found.backup_age is None:
        late = found.age > _OLD
        yield Finding(
            "backup-none", WARNING if late else NOTE, f"none, {found.age:.0f} days after the install",
            "one a day", "Make one, and have cron make them:", make,
        )  # fmt: skip
    elif found.backup_age > _OLD:
        yield Finding(
            "backup-old", WARNING, f"the newest of {found.backups} is {found.backup_age:.0f} days old",
            f"one within {_OLD} days", "Make one, and have cron make them:", make,
        )  # fmt: skip
    else:
        yield Finding("backup-ok", OK, f"the newest of {found.backups} is {found.backup_age:.0f} days old")
