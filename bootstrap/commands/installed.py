"""``HOME/bin/airferry COMMAND``: the commands for daily use, a module for each group of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple, Union

import typer

from bootstrap import daily
from bootstrap.base.result import Result
from bootstrap.commands import config, dag_secrets, dags, doctor_results, site, workers
from bootstrap.commands.add import add
from bootstrap.commands.backups import backup, backups, restore, rollback
from bootstrap.commands.clean import clean
from bootstrap.commands.completion import completion
from bootstrap.commands.doctor_results import Explained, Judgement
from bootstrap.commands.env import env
from bootstrap.commands.evidence import evidence
from bootstrap.commands.helpful import offer
from bootstrap.commands.history import history
from bootstrap.commands.logs import logs
from bootstrap.commands.manual import show_help
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


SEEING, KEEPING, CHANGING = "To see how it is", "To keep it running", "To change it"
# in the order of --help, with examples
DAILY: Tuple[Tuple[str, Callable[..., Any], Tuple[str, ...]], ...] = (
    (SEEING, status, ("status", "status --json", "status --format nagios")),
    (SEEING, logs, ("logs", "logs -f scheduler", "logs --since 30m", "logs --install")),
    (SEEING, history, ("history", "history --steps -n 3")),
    (SEEING, evidence, ("evidence --output /media/disc", "evidence --compare OLD.json NEW.json")),
    (KEEPING, start, ("start", "start triggerer")),
    (KEEPING, stop, ("stop", "stop --wait 10m", "stop scheduler")),
    (KEEPING, restart, ("restart", "restart dag-processor")),
    (KEEPING, backup, ("backup", "backup --verify", "backup --output /mnt/backups")),
    (KEEPING, backups, ()),
    (KEEPING, restore, ("backups", "restore 2026-11-28T091500Z --check", "restore 2026-11-28T091500Z")),
    (KEEPING, rollback, ()),
    (KEEPING, clean, ("clean --older-than 90d --dry-run", "clean --older-than 90d")),
    (CHANGING, passwd, ("passwd", "passwd kim --generate")),
    (CHANGING, env, ('eval "$({} env)"', "env --cron")),
    (CHANGING, add, ("add airflow-...-add-0a1b2c3d.run", "add --remove airflow-...-add-0a1b2c3d.run")),
    (CHANGING, uninstall, ("uninstall", "uninstall --purge")),
)

for group, command, examples in DAILY:
    offer(app, command, examples, group=group)
app.add_typer(dags.app, name="dags", rich_help_panel=CHANGING)
app.add_typer(config.app, name="config", rich_help_panel=CHANGING)
app.add_typer(site.app, name="site", rich_help_panel=CHANGING)
app.add_typer(dag_secrets.connections, name="connections", rich_help_panel=CHANGING)
app.add_typer(dag_secrets.variables, name="variables", rich_help_panel=CHANGING)
app.add_typer(workers.app, name="workers", rich_help_panel=CHANGING)


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


def run(command: List[str] = typer.Argument(..., metavar="COMMAND..."), home: Optional[Path] = HOME) -> None:
    """Run a program as the installation's account: airferry run -- COMMAND."""
    installation = daily.enter_as_account(home_of(home))
    daily.exec_as_account(installation, command)


offer(
    app,
    doctor_home,
    ("doctor", "doctor --explain disk-full"),
    name="doctor",
    group=SEEING,
    kind=ExplainingCommand,
)
offer(
    app,
    run,
    ("run -- bin/airflow dags list",),
    group=CHANGING,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
offer(app, show_help, ("help config set", "help daily-use"), name="help", group=SEEING)
offer(
    app,
    completion,
    ('eval "$({} completion bash)"', "completion zsh > ~/.airferry-completion"),
    group=CHANGING,
)
