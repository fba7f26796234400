"""``HOME/bin/airferry status | start | stop | restart``: the components."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

import typer

from bootstrap import daily
from bootstrap.base import duration
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands import workers
from bootstrap.commands.shared import HOME, JSON, NOW, WAIT, home_of, patience
from bootstrap.installed import monitoring
from bootstrap.installed import status as state
from bootstrap.installed.crew import Crew
from bootstrap.installed.installation import Installation
from bootstrap.installed.status import Status

TEXT, PROMETHEUS, NAGIOS = FORMATS = ("text", "prometheus", "nagios")


def _format(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f"{value} is none of {', '.join(FORMATS)}.")
    return value


def status(
    form: str = typer.Option(
        TEXT,
        "--format",
        metavar="FORMAT",
        parser=_format,
        help="text; prometheus (for a textfile collector; exit 0); or nagios (one line; exit 0, 1 or 2).",
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Status]:
    """Show every component and whether Airflow calls it healthy. Exit 0 when all are, 33 otherwise."""
    installation = daily.enter_as_account(home_of(home))
    found = state.look(installation)
    if form == NAGIOS:
        line, code = monitoring.nagios(found)
        return Result(found, lambda console: _lines(console, [line]), code)
    if form == PROMETHEUS:
        lines = monitoring.prometheus(found, installation)
        return Result(found, lambda console: _lines(console, lines))
    well = found.healthy and not found.unfinished
    return Result(found, lambda console: _show(found, installation, console), 0 if well else 33)


def _lines(console: Console, lines: Sequence[str]) -> None:
    """Print lines that a program reads: none is wrapped."""
    for line in lines:
        console.command(line, indent=0)


def _show(found: Status, installation: Installation, console: Console) -> None:
    console.summary(
        [
            ("Airflow", found.airflow),
            *(
                [("Head", found.url)]
                if installation.is_worker
                else [("Web", installation.url_for_others or found.url), ("On this host", found.url)]
            ),
            ("Home", found.home),
            ("Bundle", found.bundle_id),
            *([("Added", ", ".join(found.added))] if found.added else []),
        ]
    )
    rows = [[item.name, item.state.lower(), item.health, item.note] for item in found.components]
    console.table(["component", "state", "health", ""], rows, words=("state", "health"))
    if found.workers or found.starving:
        workers.show(Crew("", found.workers, found.starving), console)
    ill = [item.name for item in found.components if not item.good]
    if ill:
        console.print(f"Down or unhealthy: {', '.join(ill)}. Logs: {found.home}/logs/airferry/")
    if found.unfinished:
        console.warning(found.unfinished)


_ACTIONS = {"Start": daily.start, "Stop": daily.stop}
# Tasks that are named; the others are counted.
_SHOWN = 5
COMPONENTS = typer.Argument(None, help="Only these components (default: all).")


def start(
    component: Optional[List[str]] = COMPONENTS, home: Optional[Path] = HOME, json: bool = JSON
) -> Result[Optional[Status]]:
    """Start all components and wait until Airflow is healthy."""
    return _told(_do(Console(quiet=json), "Start", component or (), home), json=json)


def stop(
    component: Optional[List[str]] = COMPONENTS,
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Optional[Status]]:
    """Stop all components, and wait for running tasks first; no process of the installation stays."""
    console = Console(quiet=json)
    return _told(_do(console, "Stop", component or (), home, patience(wait, now=now)), json=json)


def restart(
    component: Optional[List[str]] = COMPONENTS,
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Optional[Status]]:
    """Stop, then start, and wait until what was restarted answers."""
    console = Console(quiet=json)
    _do(console, "Stop", component or (), home, patience(wait, now=now))
    return _told(_do(console, "Start", component or (), home), json=json)


def _do(
    console: Console, verb: str, names: Sequence[str], home: Optional[Path], limit: Optional[float] = None
) -> Installation:
    installation = daily.enter_as_account(home_of(home), limit)
    if verb == "Stop":
        _tell(console, installation, daily.waited_for(installation, names))
    with console.step(f"{verb} " + (", ".join(names) or f"Airflow {installation.receipt.airflow}")):
        _ACTIONS[verb](installation, names)
    return installation


def _tell(console: Console, installation: Installation, tasks: Sequence[str]) -> None:
    """Say which tasks are waited for, and how long."""
    if not tasks:
        return
    shown = ", ".join(tasks[:_SHOWN]) + (f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else "")
    limit = installation.patience
    if limit == 0:
        console.note(f"Running tasks are ended: {shown}.")
        return
    most = "" if limit is None else f" for up to {duration.text(limit)}"
    console.note(f"Waiting{most} for running tasks: {shown}. Then they are ended, and count as failed.")


def _told(installation: Installation, *, json: bool) -> Result[Optional[Status]]:
    # the steps have said it to people; to look takes a while
    return Result(state.look(installation) if json else None, lambda console: None)
