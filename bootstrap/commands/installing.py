"""What an install says at its end."""

from __future__ import annotations

from pathlib import Path

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.python import choice
from bootstrap.state.home import Home
from bootstrap.state.outcome import Outcome, Planned
from bootstrap.state.receipt import Receipt


def report(outcome: Outcome) -> Result[Outcome]:
    """What an install has done, and where everything is now."""

    def show(console: Console) -> None:
        _welcome(console, outcome.receipt)
        for note in outcome.notes:
            console.note(note)

    return Result(outcome, show)


def preview(found: Planned) -> Result[Planned]:
    """What an install would do."""
    return Result(found, lambda console: _plan(found, console))


def _plan(found: Planned, console: Console) -> None:
    for number, line in enumerate(found.plan, 1):
        console.print(f"{number:2}. {line}")
    drift = found.drift
    if drift and drift.edited:
        console.print("Edited by hand in airflow.cfg, and kept:")
        for line in drift.edited:
            console.print(line, indent=4)
    if drift:
        for line in drift.diff:
            console.print(line, indent=4)
    console.print("Nothing was changed.")


def _password(found: Receipt) -> str:
    where = f"in {Home(Path(found.home)).admin_password} (readable by {found.account} only)"
    return f"as before, if {found.admin_user} was there; else {where}" if found.database.adopted else where


def _welcome(console: Console, found: Receipt) -> None:
    home = Home(Path(found.home))
    web = "localhost" if found.web_host == "0.0.0.0" else found.web_host  # noqa: S104 - compared, not bound
    console.summary(
        [
            ("Web", f"http://{web}:{found.web_port}"),
            ("Login", found.admin_user),
            ("Password", _password(found)),
            ("Python", choice.reason(found)),
            ("DAG files", str(home.dags)),
            (
                "Database",
                f"PostgreSQL {found.database.server} on {found.database.host}:{found.database.port}",
            ),
            ("Status", f"{home.bin}/airferry status"),
            ("Start", f"{home.bin}/airferry start"),
            ("Stop", f"{home.bin}/airferry stop"),
            ("Airflow", f"{home.bin}/airflow dags list"),
        ],
        title=f"Airflow {found.airflow} runs, and the example pipeline has succeeded.",
    )
