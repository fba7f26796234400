"""``HOME/bin/airferry status | start | stop | restart``: the components."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

import typer

from bootstrap import daily
from bootstrap.base.console import Console
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.installed import status as state
from bootstrap.installed.installation import Installation
from wheelhouse import codec


def status(home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Show every component and whether Airflow calls it healthy. Exit 0 when all are, 33 otherwise."""
    console = Console(quiet=json)
    found = state.look(daily.enter_as_account(home_of(home)))
    if json:
        console.json(codec.encode(found))
    else:
        console.summary(
            [
                ("Airflow", found.airflow),
                ("Web", found.url),
                ("Home", found.home),
                ("Bundle", found.bundle_id),
                *([("Added", ", ".join(found.added))] if found.added else []),
            ]
        )
        rows = [[item.name, item.state.lower(), item.health, item.note] for item in found.components]
        console.table(["component", "state", "health", ""], rows)
        ill = [item.name for item in found.components if not item.good]
        if ill:
            console.print(f"Down or ill: {', '.join(ill)}. Logs: {found.home}/logs/airferry/")
        if found.unfinished:
            console.warning(found.unfinished)
    return 0 if found.healthy and not found.unfinished else 33


_ACTIONS = {"Start": daily.start, "Stop": daily.stop}
COMPONENTS = typer.Argument(None, help="Only these (default: all).")


def start(component: Optional[List[str]] = COMPONENTS, home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Start all components and wait until Airflow is healthy."""
    console = Console(quiet=json)
    return _told(console, _do(console, "Start", component or (), home), json=json)


def stop(component: Optional[List[str]] = COMPONENTS, home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Stop all components; no process of the installation stays."""
    console = Console(quiet=json)
    return _told(console, _do(console, "Stop", component or (), home), json=json)


def restart(
    component: Optional[List[str]] = COMPONENTS, home: Optional[Path] = HOME, json: bool = JSON
) -> int:
    """Stop, then start."""
    console = Console(quiet=json)
    _do(console, "Stop", component or (), home)
    return _told(console, _do(console, "Start", component or (), home), json=json)


def _do(console: Console, verb: str, names: Sequence[str], home: Optional[Path]) -> Installation:
    installation = daily.enter_as_account(home_of(home))
    with console.step(f"{verb} " + (", ".join(names) or f"Airflow {installation.receipt.airflow}")):
        _ACTIONS[verb](installation, names)
    return installation


def _told(console: Console, installation: Installation, *, json: bool) -> int:
    if json:
        console.json({"ok": True, **codec.encode(state.look(installation))})
    return 0
