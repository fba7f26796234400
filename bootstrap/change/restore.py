"""Back to a backup: its database, configuration, keys and release together. A rollback is one, too."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import List

from bootstrap.airflow import metadata
from bootstrap.backups import databases, state
from bootstrap.base import channel
from bootstrap.base.lock import held
from bootstrap.change import cluster_rules
from bootstrap.change.reversal import undone_on_failure
from bootstrap.change.steps import (
    FillStep,
    MoveStep,
    PutInStep,
    SaveStep,
    StateStep,
    StopStep,
    SwitchStep,
    servers,
    tidy,
    undo,
)
from bootstrap.change.upgrade import check_room
from bootstrap.installed import bytecode
from bootstrap.installed.database_running import airflow_runs, database_running
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import NONE
from bootstrap.state import backup as backups
from bootstrap.state import change_record, clusters, plan, receipt
from bootstrap.state.backup import SavedBackup
from bootstrap.state.change_record import Change
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Done, Progress, Step
from bootstrap.state.receipt import Receipt
from bootstrap.steps.airflow import MigrationFailed, StartStep
from bootstrap.steps.services import RestStep, ServicesStep
from wheelhouse import codec, timestamp
from wheelhouse.errors import AirferryError


class RestoreRefused(AirferryError):
    """A backup does not fit this home as it is; nothing was changed."""

    reference = "restore-refused"
    exit_code = 87


class NothingToRollBack(AirferryError):
    """There is no upgrade that could be undone."""

    reference = "nothing-to-roll-back"
    exit_code = 88


@dataclass(frozen=True)
class Restored:
    """The receipt that holds now, and each step."""

    receipt: Receipt
    steps: List[Done]


class SchemaStep:
    """See that the restored database is what its release needs."""

    name = "schema"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Check that the schema is that of Airflow {self.installation.receipt.airflow}"

    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return False

    def apply(self) -> None:
        """Compare tables and revision; raises MigrationFailed."""
        bytecode.mend(self.installation)
        missing = metadata.missing_tables(self.installation.database.query, self.installation.receipt.auth)
        problem = f"no table {', '.join(missing)}" if missing else self.installation.airflow.schema_problem()
        if problem:
            raise MigrationFailed(
                f"The restored database does not match Airflow {self.installation.receipt.airflow}.",
                found=problem,
                hint=f"Its output is in {self.installation.home.install_log}.",
            )


def wanted(installation: Installation, name: str) -> SavedBackup:
    """The backup of that id or path, when it can be restored here.

    Raises BackupNotFound, BackupDamaged, :class:`RestoreRefused`.
    """
    place = backups.named(installation.home.backups, name)
    backups.compare(place)
    found = place.backup
    if found.home != str(installation.home.path):
        raise RestoreRefused(
            f"The backup {found.id} was made in another home, and its files contain that path.",
            found=f"this home is {installation.home.path}",
            needed=f"a home {found.home}",
            hint=f"Install there, then restore: sh {found.bundle_file} install --home {found.home}",
        )
    if not installation.home.release(found.bundle_id).complete.exists():
        raise RestoreRefused(
            f"The release of the backup {found.id} is no longer installed.",
            found=f"no complete {installation.home.release(found.bundle_id).path}",
            needed=f"Airflow {found.airflow} from {found.bundle_file} ({found.bundle_id})",
            hint=f"Stop this installation and move {installation.home.path} away, install that bundle file"
            f" in its place, and restore from there: airferry restore MOVED/backups/{found.id}",
        )
    return place


def for_rollback(installation: Installation) -> SavedBackup:
    """The backup that the last upgrade has made.

    Raises :class:`NothingToRollBack`, and what :func:`wanted` does.
    """
    found = installation.receipt
    place = backups.of_last_upgrade(installation.home.backups, found)
    if place is None:
        raise NothingToRollBack(
            "There is no upgrade to undo.",
            found=f"Airflow {found.airflow} ({found.bundle_id})"
            + (f", and no backup of {found.previous}" if found.previous else ", a new installation"),
            hint="Any backup can be restored: airferry backups, then airferry restore BACKUP",
        )
    return wanted(installation, str(place.path))


def lost(installation: Installation, place: SavedBackup) -> int:
    """How many DAG runs have started since a backup: going back to it forgets them."""
    with held(installation.home.lock), database_running(installation):
        sql = f"SELECT count(*) FROM dag_run WHERE start_date > '{place.backup.started}'"  # noqa: S608
        return int(installation.database.query(sql))


def restore(installation: Installation, place: SavedBackup, kind: str, progress: Progress) -> Restored:
    """Put a backup in the place of what is there, which is backed up first, and start it.

    Interrupted, the same command finishes it, or undoes what was begun and does it anew. Raises
    UpgradeFailed when what was there had to be brought back.
    """
    home = installation.home
    journal = Journal(home.journal)
    with journal.recorded(kind, backup=place.backup.id), held(home.lock):
        change = change_record.find(home)
        if (
            change
            and change_record.is_switched(home)
            and (change.kind, change.source) == (kind, str(place.path))
        ):
            return _finish(change, [], progress, journal)
        if change:
            undo(change, progress, run=True)
            installation = Installation(receipt.load(home.receipt))
        return _restore(installation, place, kind, progress, journal)


def _restore(
    installation: Installation, place: SavedBackup, kind: str, progress: Progress, journal: Journal
) -> Restored:
    old = installation.receipt
    cluster_rules.check_drained(installation, f"the {kind} of their head")
    saved = replace(receipt.load(place.state / "receipt.json"), owner=old.owner)
    if saved.bundle_id == old.bundle_id:
        saved = as_it_runs(saved, old)
    if saved.is_roots:
        channel.ask("known", receipt=codec.encode(saved))
    target = Installation(saved)
    home = installation.home
    with database_running(installation):
        check_room(home, max(databases.size(installation), place.backup.database_size))
    now = timestamp.now()
    running = airflow_runs(installation)
    change = Change(change_record.SCHEMA, kind, old, saved, now, running=running, source=str(place.path))
    change_record.begin(home, change)
    with undone_on_failure(change, progress):
        done = plan.execute(_steps(installation, target, place, change), progress, journal)
    return _finish(change, done, progress, journal)


def _steps(before: Installation, after: Installation, place: SavedBackup, change: Change) -> List[Step]:
    same_release = before.receipt.bundle_id == after.receipt.bundle_id
    crossing = clusters.crosses(before.receipt, after.receipt)
    return [
        StopStep(before),
        SaveStep(before, change),
        MoveStep(before) if crossing else PutInStep(before, place.dump),
        StateStep(after, place.state),
        ServicesStep(after),
        *servers(after),
        *([FillStep(after, place.dump)] if crossing else []),
        SchemaStep(after),
        SwitchStep(after, None if same_release else place.state),
    ]


def _finish(change: Change, done: List[Done], progress: Progress, journal: Journal) -> Restored:
    """Start what is in its new place, and forget what was there before."""
    target = Installation(change.new)
    with undone_on_failure(change, progress):
        rest = [RestStep(target)] if target.receipt.services == NONE else []
        done = [*done, *plan.execute([StartStep(target), *rest], progress, journal)]
        change_record.end(target.home)
    tidy(target)
    backups.rotate(target.home.backups, backups.KEEP, change.new)
    return Restored(change.new, done)


def as_it_runs(saved: Receipt, now: Receipt) -> Receipt:
    """The receipt of a backup of the release in use: it runs on what this host has now."""
    return replace(
        saved,
        python=now.python,
        python_from=now.python_from,
        ca_file=now.ca_file,
        account=now.account,
        library_path=now.library_path,
        name=now.name,
        services=now.services,
        added=now.added,
    )


def undo_unfinished(installation: Installation, change: Change, progress: Progress) -> Receipt:
    """Bring back what was there before an interrupted change; its receipt."""
    home = installation.home
    with Journal(home.journal).recorded("rollback", undone=change.kind), held(home.lock):
        found = change_record.find(home)
        if found:
            undo(found, progress, run=True)
    return change.old


def dags_that_differ(installation: Installation, place: SavedBackup) -> List[str]:
    """The files below dags/ and plugins/ that are not as they were when a backup was made."""
    text = (place.path / backups.DAGS).read_text(encoding="utf-8")
    before = {item["path"]: item["sha256"] for item in json.loads(text)["files"]}
    now = {str(item["path"]): item["sha256"] for item in state.code_files(installation.home).files}
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
