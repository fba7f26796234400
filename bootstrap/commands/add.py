"""``HOME/bin/airferry add``: packages of an add-on, brought in and taken out again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import typer

from bootstrap import daily
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, NOW, WAIT, home_of, patience
from bootstrap.state import admission
from bootstrap.state.receipt import Added
from bootstrap.upkeep import addons
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify


@dataclass(frozen=True)
class AddOns:
    """The add-ons that the installation has now."""

    added: Tuple[Added, ...]


def add(
    file: str = typer.Argument(..., metavar="FILE", help="An add-on, made with: airferry bundle --onto."),
    remove: bool = typer.Option(
        False, "--remove", help="Remove the add-on; FILE is its file name or bundle id."
    ),
    restart: bool = typer.Option(
        True, "--restart/--no-restart", show_default=False, help="Restart Airflow (default: yes)."
    ),
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[AddOns]:
    """Add the packages of an add-on to this installation, and restart Airflow.

    Every byte is checked first, and no version of an installed package changes. What fails is undone. An
    upgrade leaves add-ons behind, unless the newer bundle holds their packages.
    """
    console = Console(quiet=json)
    if remove:
        installation = daily.enter_as_account(
            home_of(home), patience(wait, now=now), more=lambda custodian: addons.by_root(custodian, None)
        )
        changed = addons.remove(installation, Path(file).name, console, restart=restart)
    else:
        # root opens it while it still may: it can lie where the account cannot read
        with Bundle.open(Path(file)) as bundle:
            with console.progress(bundle.seal.size, "Verify the add-on") as advance:
                verify(bundle, advance)
            admission.check(bundle.stream, Path(file).name)
            installation = daily.enter_as_account(
                home_of(home),
                patience(wait, now=now),
                more=lambda custodian: addons.by_root(custodian, bundle),
            )
            changed = addons.add(installation, bundle, console, restart=restart)
    return Result(AddOns(changed.added), lambda console: _show(changed.added, console))


def _show(added: Tuple[Added, ...], console: Console) -> None:
    rows = [(item.bundle_id, ", ".join(item.packages)) for item in added]
    console.summary(rows, title="Add-ons:") if rows else console.print("There are no add-ons.")
