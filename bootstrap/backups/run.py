"""The backup commands: make one and rotate, check one, list all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from bootstrap.backups import databases
from bootstrap.backups.check import check
from bootstrap.backups.save import save
from bootstrap.base.lock import held
from bootstrap.installed.database_running import database_running
from bootstrap.installed.installation import Installation
from bootstrap.state import backup as backups
from bootstrap.state import change_record
from bootstrap.state.backup import SavedBackup
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress


@dataclass(frozen=True)
class Made:
    """A new backup, whether a restore of it was tried, and the ids of the old ones that made room."""

    place: SavedBackup
    checked: bool
    removed: List[str]


def back_up(
    installation: Installation, progress: Progress, *, folder: Optional[Path], keep: int, verify: bool
) -> Made:
    """Make a backup in `folder` (default: the home's own, where the oldest beyond `keep` are removed)."""
    home = installation.home
    removed: List[str] = []
    with Journal(home.journal).recorded("backup") as ended, held(home.lock):
        change_record.refuse_unfinished(home)
        with database_running(installation), progress.step(
            "Back up the database, the configuration and the keys"
        ):
            databases.tidy(installation)  # whatever a change that was killed at its very end has left
            place = save(installation, folder=folder)
        ended["backup"] = place.backup.id
        if verify:
            with progress.step("Restore it into a scratch cluster, and compare"):
                check(installation, place)
        if folder is None:
            removed = backups.rotate(home.backups, keep, installation.receipt)
    return Made(place, verify, removed)


def check_one(installation: Installation, name: str, progress: Progress) -> SavedBackup:
    """Prove that a backup can be restored; nothing of the installation is touched."""
    home = installation.home
    with Journal(home.journal).recorded("backup-check"), held(home.lock):
        place = backups.named(home.backups, name)
        with progress.step(f"Restore {place.backup.id} into a scratch cluster, and compare"):
            check(installation, place)
    return place
