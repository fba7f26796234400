"""``HOME/bin/airferry clean``: old rows, logs and backups are removed."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from bootstrap import daily
from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of, length_of_time
from bootstrap.upkeep import retention
from bootstrap.upkeep.retention import Cleaned

# What runs now has rows and logs that are hours old.
_LEAST = 86_400


def _age(text: str) -> float:
    seconds = length_of_time(text)
    if seconds < _LEAST:
        raise typer.BadParameter(f"{text} is less than a day.")
    return seconds


def clean(
    older_than: float = typer.Option(
        ..., "--older-than", metavar="TIME", parser=_age, help="What is older goes: 90d, 12w; at least 1d."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be removed; change nothing."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Cleaned]:
    """Remove old rows of the database, task logs, rotated logs, backups and releases.

    The database is backed up first. The newest backup and the one for a rollback stay, and of each DAG its
    last run. Airflow may run meanwhile.
    """
    installation = daily.enter_as_account(home_of(home))
    found = retention.clean(installation, older_than, Console(quiet=json), dry_run=dry_run)

    def show(console: Console) -> None:
        rows = [
            [item.what, f"{item.count:,}", size_text(item.bytes) if item.bytes else ""]
            for item in found.removed
        ]
        console.table(["older than " + found.before[:10], "would go" if dry_run else "removed", ""], rows)
        if found.backup:
            console.note(f"The state before is in the backup {found.backup}: airferry restore {found.backup}")

    return Result(found, show)
