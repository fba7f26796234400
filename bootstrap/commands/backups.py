"""``HOME/bin/airferry backup | backups | restore | rollback``: ways back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, Optional

import typer

from bootstrap import daily
from bootstrap.backups import run
from bootstrap.base.console import Console, size_text
from bootstrap.change import restore as restoring
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.state import backup as found_backups
from bootstrap.state import change_record
from bootstrap.state.backup import KEEP, RESTORE, ROLLBACK, SavedBackup
from wheelhouse import codec

_OUTPUT = typer.Option(
    None, "--output", metavar="DIR", help="The folder to make it in (default: HOME/backups)."
)

_YES = typer.Option(False, "--yes", "-y", help="Do not ask.")


def backup(
    output: Optional[Path] = _OUTPUT,
    keep: int = typer.Option(KEEP, min=1, help="How many to keep in HOME/backups."),
    verify: bool = typer.Option(False, "--verify", help="Prove it: restore it into a scratch cluster."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> int:
    """Back up the database, the configuration and the keys; Airflow may run meanwhile."""
    console = Console(quiet=json)
    folder = output.expanduser().absolute() if output else None
    installation = daily.enter_as_account(home_of(home))
    made = run.back_up(installation, console, folder=folder, keep=keep, verify=verify)
    if json:
        shown = {**_shown(made.place), "checked": made.checked, "removed": made.removed}
        console.json({"schema": 1, "ok": True, "backup": shown})
        return 0
    console.print(f"{made.place.path} ({size_text(made.place.backup.size)})")
    console.note("It holds the keys and passwords of this installation: keep it as you keep those.")
    for removed in made.removed:
        console.note(f"Removed the old backup {removed} (--keep {keep}).")
    return 0


def backups(home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """List the backups in HOME/backups, oldest first."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home))
    places = found_backups.find_all(installation.home.backups)
    if json:
        console.json({"schema": 1, "backups": [_shown(place) for place in places]})
        return 0
    if not places:
        console.print(f"There is no backup in {installation.home.backups}.")
        return 0
    rows = [
        [item.id, item.reason, item.airflow, size_text(item.size)]
        for item in (place.backup for place in places)
    ]
    console.table(["backup", "made for", "Airflow", "size"], rows)
    return 0


def _shown(place: SavedBackup) -> Dict[str, Any]:
    data: Dict[str, Any] = codec.encode(place.backup)
    return {**data, "path": str(place.path), "size": place.backup.size}


def restore(
    name: str = typer.Argument(..., metavar="BACKUP", help="An id from `airferry backups`, or a path."),
    check: bool = typer.Option(False, "--check", help="Only prove that it can be restored."),
    yes: bool = _YES,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> int:
    """Go back to a backup: its database, configuration, keys and release. What is there is saved first."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home))
    if check:
        place = run.check_one(installation, name, console)
        if json:
            console.json({"schema": 1, "ok": True, "backup": {**_shown(place), "checked": True}})
        else:
            console.print(f"{place.backup.id} restores: {place.backup.airflow}, as it was saved.")
        return 0
    return _go_back(installation, restoring.wanted(installation, name), RESTORE, console, yes=yes, json=json)


def rollback(yes: bool = _YES, home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Undo the last upgrade, or one that was interrupted; what is there is saved first."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home))
    change = change_record.find(installation.home)
    if change and change.kind != ROLLBACK:
        back = restoring.undo_unfinished(installation, change, console)
        if json:
            console.json({"schema": 1, "ok": True, "receipt": codec.encode(back), "lost_runs": 0})
        else:
            console.print(f"The {change.title} was undone: Airflow {back.airflow} is back.")
        return 0
    if change:
        installation = daily.enter_as_account(home_of(home))
        return _go_back(
            installation, found_backups.load(Path(change.source)), ROLLBACK, console, yes=True, json=json
        )
    return _go_back(installation, restoring.for_rollback(installation), ROLLBACK, console, yes=yes, json=json)


def _go_back(
    installation: Installation, place: SavedBackup, kind: str, console: Console, *, yes: bool, json: bool
) -> int:
    runs = 0 if change_record.find(installation.home) else restoring.lost(installation, place)
    differing = restoring.dags_that_differ(installation, place)
    if not yes:
        _confirm(installation, place, runs, console)
    done = restoring.restore(installation, place, kind, console)
    if json:
        steps = [codec.encode(step) for step in done.steps]
        result = {"receipt": codec.encode(done.receipt), "steps": steps, "lost_runs": runs}
        console.json({"schema": 1, "ok": True, **result, "differing_dags": differing})
        return 0
    console.print(f"Airflow {done.receipt.airflow} runs as it was at {place.backup.finished}.")
    if differing:
        console.note(
            f"{len(differing)} DAG files are not as they were then, and were left alone; as they were they"
            f" lie in {place.path / found_backups.DAGS_ARCHIVE}."
        )
    return 0


def _confirm(installation: Installation, place: SavedBackup, runs: int, console: Console) -> None:
    """Say what goes and ask; raises InvalidOption where nobody can answer."""
    found = place.backup
    console.warning(
        f"This goes back to Airflow {found.airflow} as it was at {found.finished}. {runs} DAG runs have"
        " started since then; they are forgotten, and whatever was changed in Airflow, too. What is there"
        " now is backed up first."
    )
    if not sys.stdin.isatty():
        raise InvalidOption("Nobody can be asked here.", needed="--yes", hint="Add --yes to go on.")
    if not typer.confirm("Go on?", err=True):
        raise KeyboardInterrupt
