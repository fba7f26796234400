"""What is kept and for how long: old rows, logs, backups and releases are removed on request."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from bootstrap.airflow import differences
from bootstrap.backups.save import save
from bootstrap.base import channel
from bootstrap.base.lock import held
from bootstrap.change.upgrade import prune, superfluous
from bootstrap.installed.database_running import database_running
from bootstrap.installed.installation import Installation
from bootstrap.state import backup as backups
from bootstrap.state import change_record
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress
from wheelhouse import timestamp

CLEAN = "clean"
# Airflow's `db clean` says per table how many rows it takes.
_ROWS = re.compile(r"Found (\d+) rows meeting deletion criteria")
# A table of a hundred million rows takes hours; this is only the end of one that hangs.
_SECONDS = 12 * 3600.0
_ROTATED = re.compile(r".+\.log\.\d+")


@dataclass(frozen=True)
class Removed:
    """One kind of thing: how many (rows or files, as `what` says), and the bytes that were theirs."""

    what: str
    count: int
    bytes: int = 0


@dataclass(frozen=True)
class Cleaned:
    """What was removed, or would be with `dry_run`; `before` is the age (RFC 3339), `backup` its id."""

    before: str
    dry_run: bool
    backup: str
    removed: Tuple[Removed, ...]


def clean(installation: Installation, older_than: float, progress: Progress, *, dry_run: bool) -> Cleaned:
    """Remove what is older than that many seconds; the database is backed up first.

    Airflow may run meanwhile. The newest backup, the one for a rollback, and the releases in use and before
    it always stay, and of each DAG its last run. Raises what a backup and Airflow's command raise; then
    no log or backup was removed.
    """
    home = installation.home
    limit = datetime.now(timezone.utc) - timedelta(seconds=older_than)
    before = limit.isoformat(timespec="seconds")
    trial = {"trial": "dry run"} if dry_run else {}
    with Journal(home.journal).recorded(CLEAN, before=before[:10], **trial) as ended, held(home.lock):
        change_record.refuse_unfinished(home)
        saved, rows = _database(installation, before, progress, dry_run=dry_run)
        found: Dict[str, List[Path]] = {
            "task logs": list(_task_logs(installation, limit)),
            "rotated component logs": list(_component_logs(installation, limit)),
        }
        removed = [Removed("rows of the database", rows)]
        with progress.step("Look for old logs" if dry_run else "Remove old logs"):
            for what, paths in found.items():
                size = sum(_remove(path, dry_run=dry_run) for path in paths)
                removed.append(Removed(what, len(paths), size))
            if not dry_run:
                _remove_empty(home.logs, home.own_logs)
        removed.append(_backups(installation, limit, dry_run=dry_run))
        removed.append(_releases(installation, dry_run=dry_run))
        ended["removed"] = [f"{item.count} {item.what}" for item in removed if item.count]
    return Cleaned(before, dry_run, saved, tuple(removed))


def _database(
    installation: Installation, before: str, progress: Progress, *, dry_run: bool
) -> Tuple[str, int]:
    """The id of the backup that was made, and the rows that went; Airflow before 2.3 cannot clean."""
    command = differences.DATABASE_CLEAN.at(installation.version.numbers)
    if command is None:
        return "", 0
    saved = ""
    with database_running(installation):
        if not dry_run:
            with progress.step("Back up the database, the configuration and the keys"):
                saved = save(installation, reason=CLEAN).backup.id
        title = "Count old rows" if dry_run else "Remove old rows"
        with progress.step(f"{title} of the database"):
            more = ["--dry-run"] if dry_run else []
            said = installation.airflow.run(
                *command,
                "--clean-before-timestamp",
                before,
                *more,
                what="clean the database",
                timeout=_SECONDS,
            )
    return saved, sum(map(int, _ROWS.findall(said.stdout + said.stderr)))


def _task_logs(installation: Installation, limit: datetime) -> Iterator[Path]:
    home = installation.home
    for folder, folders, names in os.walk(str(home.logs)):
        if Path(folder) == home.logs and home.own_logs.name in folders:
            folders.remove(home.own_logs.name)
        yield from (path for path in (Path(folder, name) for name in names) if _older(path, limit))


def _component_logs(installation: Installation, limit: datetime) -> Iterator[Path]:
    for path in installation.home.own_logs.iterdir():
        if _ROTATED.fullmatch(path.name) and _older(path, limit):
            yield path


def _older(path: Path, limit: datetime) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_mtime < limit.timestamp()
    return False


def _remove(path: Path, *, dry_run: bool) -> int:
    """Remove a file; the bytes that it had."""
    with contextlib.suppress(OSError):
        size = path.lstat().st_size
        if not dry_run:
            path.unlink()
        return size
    return 0


def _remove_empty(folder: Path, spared: Path) -> None:
    """Remove the folders below `folder` in which nothing is left; not one that was made just now."""
    for name, _, _ in os.walk(str(folder), topdown=False):
        path = Path(name)
        if path in (folder, spared) or spared in path.parents:
            continue
        with contextlib.suppress(OSError):
            if datetime.now(timezone.utc).timestamp() - path.stat().st_mtime > 1 or not any(path.iterdir()):
                path.rmdir()


def _backups(installation: Installation, limit: datetime, *, dry_run: bool) -> Removed:
    folder, receipt = installation.home.backups, installation.receipt
    old = [place for place in backups.find_all(folder) if timestamp.parse(place.backup.started) < limit]
    young = len(backups.find_all(folder)) - len(old)
    doomed = backups.superfluous(folder, max(1, young), receipt)
    doomed = [place for place in doomed if place in old]
    size = sum(place.backup.size for place in doomed)
    if not dry_run:
        backups.remove(doomed)
    return Removed("backups", len(doomed), size)


def _releases(installation: Installation, *, dry_run: bool) -> Removed:
    """Those that an upgrade could not remove, however old; where root owns them only root can."""
    found = superfluous(installation)
    if not channel.available() and not os.access(str(installation.release.path.parent), os.W_OK):
        found = []
    size = sum(path.lstat().st_size for release in found for path in release.rglob("*") if path.is_file())
    if found and not dry_run:
        prune(installation)
    return Removed("releases", len(found), size)
