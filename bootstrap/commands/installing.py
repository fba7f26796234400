"""What an install says at its end."""

from __future__ import annotations

from pathlib import Path

from bootstrap.base.console import Console
from bootstrap.install import Outcome
from bootstrap.python import choice
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse import codec


def report(outcome: Outcome, console: Console, *, json: bool) -> None:
    """Show what an install has done, and where everything is now."""
    if json:
        steps = [codec.encode(step) for step in outcome.steps]
        result = {"receipt": codec.encode(outcome.receipt), "steps": steps, "notes": outcome.notes}
        console.json({"schema": 1, "ok": True, **result})
        return
    _welcome(console, outcome.receipt)
    for note in outcome.notes:
        console.note(note)


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
