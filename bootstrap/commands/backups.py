"""``HOME/bin/airferry backup | backups | restore | rollback``: ways back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple, Union

import typer

from bootstrap import daily
from bootstrap.backups import run
from bootstrap.base import question
from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.change import restore as restoring
from bootstrap.change import worker as workers
from bootstrap.commands.shared import HOME, JSON, NOW, WAIT, home_of, patience
from bootstrap.installed.installation import Installation
from bootstrap.state import backup as found_backups
from bootstrap.state import change_record
from bootstrap.state.backup import KEEP, RESTORE, ROLLBACK, Backup, SavedBackup
from bootstrap.state.plan import Done
from bootstrap.state.receipt import Receipt

_OUTPUT = typer.Option(
    None, "--output", metavar="DIR", help="The folder for the backup (default: HOME/backups)."
)

# the exit code for a backup that was made, but not of everything
LEFT_OUT = 89
_UNARCHIVED = "dags and plugins are large: the backup holds their checksums only. Keep a copy yourself."

_YES = typer.Option(False, "--yes", "-y", help="Do not ask for confirmation.")


@dataclass(frozen=True)
class BackupMade:
    """A backup at `path`, of `size` bytes: `checked` says that it was restored as a proof.

    `backup` is its own description; `removed` are the ids of old ones that made room. `left_out` are files of
    dags and plugins that could not be read, `archived` says whether those folders are in it: large ones are
    not, but for their checksums.
    """

    path: str
    size: int
    checked: bool
    removed: Tuple[str, ...]
    backup: Backup
    left_out: Tuple[str, ...] = ()
    archived: bool = True


@dataclass(frozen=True)
class BackupListed:
    """A backup at `path`, of `size` bytes, and its own description; the rest as in BackupMade."""

    path: str
    size: int
    backup: Backup
    left_out: Tuple[str, ...] = ()
    archived: bool = True


@dataclass(frozen=True)
class BackupList:
    """The backups of an installation, oldest first."""

    backups: Tuple[BackupListed, ...]


@dataclass(frozen=True)
class WentBack:
    """What holds again, and how it came about.

    `lost_runs` counts the DAG runs that had started since; `differing_dags` are files that are not as they
    were then, and were left alone. `left_out` are files that the backup does not hold.
    """

    receipt: Receipt
    steps: Tuple[Done, ...] = ()
    lost_runs: int = 0
    differing_dags: Tuple[str, ...] = ()
    left_out: Tuple[str, ...] = ()


def backup(
    output: Optional[Path] = _OUTPUT,
    keep: int = typer.Option(KEEP, min=1, help="How many to keep in HOME/backups."),
    verify: bool = typer.Option(
        False, "--verify", help="Verify the backup: restore it into a scratch cluster."
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[BackupMade]:
    """Back up the database, the configuration and the keys; Airflow may run meanwhile."""
    console = Console(quiet=json)
    folder = output.expanduser().absolute() if output else None
    installation = daily.enter_as_account(home_of(home))
    made = run.back_up(installation, console, folder=folder, keep=keep, verify=verify)

    def show(console: Console) -> None:
        console.print(f"{made.place.path} ({size_text(made.place.backup.size)})")
        console.note("It contains the keys and passwords of this installation: protect it accordingly.")
        for removed in made.removed:
            console.note(f"Removed the old backup {removed} (--keep {keep}).")
        if not made.place.archived:
            console.note(_UNARCHIVED)
        if made.place.left_out:
            console.warning(_without(made.place))

    data = _made(made.place, checked=made.checked, removed=tuple(made.removed))
    return Result(data, show, LEFT_OUT if data.left_out else 0)


def backups(home: Optional[Path] = HOME, json: bool = JSON) -> Result[BackupList]:
    """List the backups in HOME/backups, oldest first."""
    installation = daily.enter_as_account(home_of(home))
    places = found_backups.find_all(installation.home.backups)
    rows = [
        [item.id, item.reason, item.airflow, size_text(item.size), _short(place)]
        for place in places
        for item in [place.backup]
    ]

    def show(console: Console) -> None:
        if rows:
            console.table(["backup", "made for", "Airflow", "size", ""], rows)
        else:
            console.print(f"There is no backup in {installation.home.backups}.")

    listed = (
        BackupListed(str(place.path), place.backup.size, place.backup, place.left_out, place.archived)
        for place in places
    )
    return Result(BackupList(tuple(listed)), show)


def _made(place: SavedBackup, *, checked: bool, removed: Tuple[str, ...] = ()) -> BackupMade:
    found = place.backup
    return BackupMade(str(place.path), found.size, checked, removed, found, place.left_out, place.archived)


def _without(place: SavedBackup) -> str:
    return "The backup was made without files that cannot be read: " + ", ".join(place.left_out)


def _short(place: SavedBackup) -> str:
    """What a backup lacks, in a column."""
    if place.left_out:
        return f"{len(place.left_out)} left out: {place.left_out[0]}"
    return "" if place.archived else "without dags and plugins, which are large"


def restore(
    name: str = typer.Argument(..., metavar="BACKUP", help="An id from `airferry backups`, or a path."),
    check: bool = typer.Option(False, "--check", help="Only check that it can be restored."),
    yes: bool = _YES,
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Union[WentBack, BackupMade]]:
    """Go back to a backup: its database, configuration, keys and release. What is there is saved first."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home), patience(wait, now=now), changes=not check)
    if check:
        place = run.check_one(installation, name, console)
        said = f"{place.backup.id} restores: {place.backup.airflow}, as it was saved."

        def show(console: Console) -> None:
            console.print(said)
            if place.left_out:
                console.warning(_without(place))

        return Result(_made(place, checked=True), show)
    return _go_back(installation, restoring.wanted(installation, name), RESTORE, console, yes=yes)


def rollback(
    yes: bool = _YES,
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[WentBack]:
    """Undo the last upgrade, or one that was interrupted; what is there is saved first."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home), patience(wait, now=now), changes=True)
    if installation.is_worker:
        returned = workers.rollback(installation, console)
        told = f"This worker runs Airflow {returned.receipt.airflow} again."
        return Result(WentBack(returned.receipt, tuple(returned.steps)), lambda console: console.print(told))
    change = change_record.find(installation.home)
    if change and change.kind != ROLLBACK:
        back = restoring.undo_unfinished(installation, change, console)
        said = f"The {change.title} was undone: Airflow {back.airflow} is back."
        return Result(WentBack(back), lambda console: console.print(said))
    if change:
        installation = daily.enter_as_account(home_of(home), patience(wait, now=now), changes=True)
        return _go_back(installation, found_backups.load(Path(change.source)), ROLLBACK, console, yes=True)
    return _go_back(installation, restoring.for_rollback(installation), ROLLBACK, console, yes=yes)


def _go_back(
    installation: Installation, place: SavedBackup, kind: str, console: Console, *, yes: bool
) -> Result[WentBack]:
    runs = 0 if change_record.find(installation.home) else restoring.lost(installation, place)
    differing = restoring.dags_that_differ(installation, place)
    if not yes:
        _confirm(installation, place, runs, console)
    done = restoring.restore(installation, place, kind, console)

    def show(console: Console) -> None:
        if place.left_out:
            console.warning(_without(place))
        console.print(f"Airflow {done.receipt.airflow} runs as it was at {place.backup.finished}.")
        if differing:
            console.note(
                f"{len(differing)} DAG files differ from the backup and were left unchanged; the saved ones"
                f" are in {place.path / found_backups.DAGS_ARCHIVE}."
            )

    return Result(WentBack(done.receipt, tuple(done.steps), runs, tuple(differing), place.left_out), show)


def _confirm(installation: Installation, place: SavedBackup, runs: int, console: Console) -> None:
    """Say what goes and ask; raises ConfirmationMissing without a yes."""
    found = place.backup
    console.warning(
        f"This goes back to Airflow {found.airflow} as it was at {found.finished}. {runs} DAG runs have"
        " started since then; they and all later changes in Airflow are lost. The current state "
        "is backed up first."
    )
    if place.left_out:
        console.warning(_without(place))
    question.confirm()
