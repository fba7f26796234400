"""The options of an install that makes a host a worker."""

from __future__ import annotations

import typer

from bootstrap.commands.shared import WORKER

JOIN = typer.Option(
    None,
    "--join",
    exists=True,
    dir_okay=False,
    metavar="FILE",
    help="Make this host a worker of the head that wrote this file (bin/airferry workers invite).",
    rich_help_panel=WORKER,
)
QUEUE = typer.Option(
    None, "--queue", "-q", help="With --join: a queue to serve, repeatable.", rich_help_panel=WORKER
)
CONCURRENCY = typer.Option(
    None,
    "--concurrency",
    min=1,
    help="With --join: the number of tasks at once here.",
    rich_help_panel=WORKER,
)
