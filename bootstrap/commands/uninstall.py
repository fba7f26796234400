"""``uninstall``, in an installation and in a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from bootstrap.base.console import Console
from bootstrap.commands.shared import HOME, JSON, home_of


def uninstall(
    home: Optional[Path] = HOME,
    purge: bool = typer.Option(
        False, "--purge", help="Remove the data, too: database, DAGs, logs, backups, configuration, secrets."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    json: bool = JSON,
) -> int:
    """Stop everything and remove what an install makes; the data stays unless --purge is given.

    An install into the same home brings kept data back. Works on a broken installation, and again after an
    interruption (then: sh FILE uninstall). As root, --purge also removes the account made for this home.
    """
    from bootstrap import uninstall as work  # noqa: PLC0415  (other commands start sooner without it)

    work.uninstall(Console(quiet=json), home_of(home), purge=purge, ask=not yes, json=json)
    return 0
