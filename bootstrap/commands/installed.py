"""``HOME/bin/airferry COMMAND``: the commands for daily use, a module for each group of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import List, Optional, Union

import typer

from bootstrap import daily
from bootstrap.base.result import Result
from bootstrap.commands import config, doctor_results
from bootstrap.commands.add import add
from bootstrap.commands.backups import backup, backups, restore, rollback
from bootstrap.commands.doctor_results import Explained, Judgement
from bootstrap.commands.env import env
from bootstrap.commands.history import history
from bootstrap.commands.logs import logs
from bootstrap.commands.passwd import passwd
from bootstrap.commands.services import restart, start, status, stop
from bootstrap.commands.shared import (
    EXPLAIN,
    HOME,
    JSON,
    STRICT,
    ExplainingCommand,
    application,
    asked,
    home_of,
)
from bootstrap.commands.uninstall import uninstall
from bootstrap.doctor import checkup

app = application("airferry", "Manages this Airflow installation.")


# in the order of --help
DAILY = (
    status,
    start,
    stop,
    restart,
    logs,
    history,
    backup,
    backups,
    restore,
    rollback,
    passwd,
    env,
    add,
    uninstall,
)

for command in DAILY:
    app.command()(command)
app.add_typer(config.app, name="config")


@app.command(name="doctor", cls=ExplainingCommand)
def doctor_home(
    context: typer.Context,
    home: Optional[Path] = HOME,
    explain: Optional[str] = EXPLAIN,
    strict: bool = STRICT,
    json: bool = JSON,
) -> Result[Union[Judgement, Explained]]:
    """Judge whether this installation is sound; changes nothing."""
    if explain is not None:
        return doctor_results.explained(explain)
    installation = daily.enter_as_account(home_of(home))
    report = checkup.judge(installation)
    command = shlex.quote(f"{installation.home.bin}/airferry")
    return doctor_results.judged(
        report,
        strict=strict,
        next_command=f"{command} status{asked(context)}",
        again=f"{command} doctor{asked(context, 'strict')}",
    )


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(command: List[str] = typer.Argument(..., metavar="COMMAND..."), home: Optional[Path] = HOME) -> None:
    """Run a program as the installation's account: airferry run -- COMMAND."""
    installation = daily.enter_as_account(home_of(home))
    daily.exec_as_account(installation, command)
