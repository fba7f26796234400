"""``HOME/bin/airferry logs``: what the components write."""

from __future__ import annotations

import select
import signal
import sys
from pathlib import Path
from typing import Iterable, List, Optional

import typer

from bootstrap import daily
from bootstrap.base.terminal import printable
from bootstrap.commands.shared import HOME, home_of
from bootstrap.installed import logs as reading
from bootstrap.installed.installation import POSTGRES
from bootstrap.installed.logs import Follower, Log
from bootstrap.services.manager import KERBEROS

_POLL = 250  # milliseconds between looks at the files


def logs(
    component: Optional[List[str]] = typer.Argument(None, help="Only these components (default: all)."),
    follow: bool = typer.Option(
        False, "--follow", "-f", help="Follow the logs: print new lines as they are written."
    ),
    lines: int = typer.Option(
        20,
        "--lines",
        "-n",
        min=0,
        show_default=False,
        help="The number of newest lines of each (default: 20; with --since, all).",
    ),
    since: Optional[str] = typer.Option(
        None, metavar="TIME", help="Only lines since then: 30m, 2h or 3d ago, 2026-11-25, '2026-11-25 14:30'."
    ),
    install: bool = typer.Option(False, "--install", help="Show the install log."),
    home: Optional[Path] = HOME,
) -> int:
    """Show the components' logs: the newest lines, those since a time, or, with -f, what comes next.

    With more than one log, each line begins with the component's name. PostgreSQL's is postgres.
    """
    start = reading.moment(since) if since else None
    installation = daily.enter_as_account(home_of(home))
    renewer = [KERBEROS] if installation.renews_tickets else []
    known = [POSTGRES, *installation.components, *renewer]
    chosen = reading.choose(installation.home, known, component or (), install=install)
    # as cat does: a reader that has gone, or Ctrl-C, ends this without a word
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    width = max(len(log.name) for log in chosen) if len(chosen) > 1 else 0
    followers = [Follower(log) for log in chosen] if follow else []
    for log in chosen:
        _show(log, reading.since(log, start) if start else reading.last(log, lines), width)
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)  # tells when nobody reads any more
    while followers and not watch.poll(_POLL):
        for follower in followers:
            _show(follower.log, follower.lines(), width)
    return 0


def _show(log: Log, lines: Iterable[bytes], width: int) -> None:
    head = f"{log.name:{width}} | ".encode() if width else b""
    out = sys.stdout.buffer
    for line in lines:
        # an escape sequence must not reach a terminal; neither behind a pipe, as with grep and tail
        out.write(head + _harmless(line))
    out.flush()


def _harmless(line: bytes) -> bytes:
    return printable(line.rstrip(b"\r\n").decode("utf-8", "replace")).encode() + b"\n"
