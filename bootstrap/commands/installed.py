"""``HOME/bin/airferry COMMAND``: the commands for daily use."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from bootstrap import lifecycle, preflight
from bootstrap.commands.shared import EXPLAIN, HOME, JSON, STRICT, application, home_of
from bootstrap.console import Console
from bootstrap.doctor.render import render, render_entry
from wheelhouse import codec

app = application("airferry", "Looks after this Airflow installation.")


@app.command()
def status(home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Show every component and whether Airflow calls it healthy. Exit 0 when all are, 33 otherwise."""
    console = Console(quiet=json)
    found = lifecycle.status(lifecycle.opened(home_of(home)))
    if json:
        console.json(codec.encode(found))
    else:
        console.summary(
            [
                ("Airflow", found.airflow),
                ("Web", found.url),
                ("Home", found.home),
                ("Bundle", found.bundle_id),
            ]
        )
        rows = [[item.name, item.state.lower(), item.health, item.note] for item in found.components]
        console.table(["component", "state", "health", ""], rows)
        ill = [item.name for item in found.components if not item.good]
        if ill:
            console.print(f"Down or ill: {', '.join(ill)}. Logs: {found.home}/logs/airferry/")
    return 0 if found.healthy else 33


@app.command()
def start(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Start all components and wait until Airflow is healthy."""
    console = Console()
    installation = lifecycle.opened(home_of(home))
    with console.step("Start " + (", ".join(component or []) or f"Airflow {installation.receipt.airflow}")):
        lifecycle.start(installation, component or ())
    return 0


@app.command()
def stop(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Stop all components; no process of the installation stays."""
    console = Console()
    installation = lifecycle.opened(home_of(home))
    with console.step("Stop " + (", ".join(component or []) or f"Airflow {installation.receipt.airflow}")):
        lifecycle.stop(installation, component or ())
    return 0


@app.command()
def restart(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Stop, then start."""
    stop(component, home)
    return start(component, home)


@app.command(name="doctor")
def doctor_home(
    home: Optional[Path] = HOME,
    explain: Optional[str] = EXPLAIN,
    strict: bool = STRICT,
    json: bool = JSON,
) -> int:
    """Judge whether this installation is sound; changes nothing."""
    console = Console(quiet=json)
    if explain:
        render_entry(explain, console)
        return 0
    installation = lifecycle.opened(home_of(home))
    report = preflight.judge_installed(installation)
    if json:
        console.json(report.as_dict())
    else:
        again = f"{installation.home.bin}/airferry doctor"
        render(report, console, next_command=f"{installation.home.bin}/airferry status", again=again)
    return report.exit_code(strict)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(command: List[str] = typer.Argument(..., metavar="COMMAND..."), home: Optional[Path] = HOME) -> None:
    """Run a program as the installation's account: airferry run -- COMMAND."""
    installation = lifecycle.opened(home_of(home))
    lifecycle.exec_as_account(installation, command)
