"""``HOME/bin/airferry backup | backups | restore | rollback``: ways back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional

import typer

from bootstrap import lifecycle
from bootstrap.backups import backup as found_backups
from bootstrap.backups import run
from bootstrap.backups.backup import KEEP, Place
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.console import Console, size_text
from wheelhouse import codec

_OUTPUT = typer.Option(
    None, "--output", metavar="DIR", help="The folder to make it in (default: HOME/backups)."
)


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
    installation = lifecycle.opened(home_of(home))
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
    installation = lifecycle.opened(home_of(home))
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


def _shown(place: Place) -> Dict[str, Any]:
    data: Dict[str, Any] = codec.encode(place.backup)
    return {**data, "path": str(place.path), "size": place.backup.size}
