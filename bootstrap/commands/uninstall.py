"""``uninstall``, in an installation and in a bundle."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Optional

import typer

from bootstrap.base import question
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.outcome import Left, Uninstalled
from bootstrap.state.receipt import Receipt


def uninstall(
    home: Optional[Path] = HOME,
    purge: bool = typer.Option(
        False, "--purge", help="Remove the data, too: database, DAGs, logs, backups, configuration, secrets."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask for confirmation."),
    json: bool = JSON,
) -> Result[Uninstalled]:
    """Stop everything and remove what an install makes; the data stays unless --purge is given.

    An install into the same home brings kept data back. Works on a broken installation, and again after an
    interruption (then: sh FILE uninstall). As root, --purge also removes the account made for this home.
    """
    from bootstrap import uninstall as work  # noqa: PLC0415  (other commands start sooner without it)

    console, place = Console(quiet=json), home_of(home)
    found = receipt.load(place.receipt)
    if not yes:
        _confirm(console, place, found, work.DATA if purge else "")
    # what this runs from goes away, or the account cannot read it: nothing may be imported after this
    sample = Uninstalled(str(place.path), purge, (Left("", ""),))
    for as_json in (False, True):
        _told(sample, found).show(Console(io.StringIO(), io.StringIO()), "uninstall", json=as_json)
    return _told(work.uninstall(place, console, purge=purge), found)


def _confirm(console: Console, home: Home, found: Receipt, data: str) -> None:
    """Say what goes and ask; raises ConfirmationMissing without a yes."""
    console.warning(
        f"This stops Airflow {found.airflow} in {home.path} and removes its programs. "
        + (f"It DELETES {data}." if data else "The data stays.")
    )
    question.confirm()


def _told(done: Uninstalled, found: Receipt) -> Result[Uninstalled]:
    return Result(done, lambda console: _show(done, found, console))


def _show(done: Uninstalled, found: Receipt, console: Console) -> None:
    console.print(f"Airflow {found.airflow} is uninstalled.")
    if not done.left:
        console.print("Nothing is left.")
        return
    console.summary([(item.what, item.why) for item in done.left], title="Left:")
    if not done.purged:
        file, place = shlex.quote(found.bundle_file), shlex.quote(done.home)
        console.print("An install into this home brings the data back:")
        console.command(f"sh {file} install --home {place}")
        console.print("To remove it as well:")
        console.command(f"sh {file} uninstall --purge --home {place}")
