"""``HOME/bin/airferry site mail``: where Airflow sends mail when a task fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import typer

from bootstrap import handoff
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.commands.site_results import entered
from bootstrap.facts.mail import MailServer
from bootstrap.installed import mail as installed
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.upkeep import mail as mails
from bootstrap.upkeep.mail import MailAsked

_PORTS = {"none": 25, "starttls": 587, "ssl": 465}


@dataclass(frozen=True)
class MailSettings:
    """The mail `server` ("": none) with its port and encryption; `changed` says that it was set now.

    `tested` is the address that a test mail was sent to, and taken for; "" where none was.
    """

    server: str
    changed: bool
    tested: str


def mail(
    host: Optional[str] = typer.Option(None, help="The mail server."),
    port: Optional[int] = typer.Option(
        None, min=1, max=65535, help="Its port (default: 25, 587 with starttls, 465 with ssl)."
    ),
    encryption: str = typer.Option("none", help="none, starttls or ssl."),
    user: Optional[str] = typer.Option(None, help="The account at the server, where it wants a login."),
    password_file: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="A file whose first line is its password."
    ),
    sender: Optional[str] = typer.Option(None, "--from", metavar="ADDRESS", help="Who the mails come from."),
    test: Optional[str] = typer.Option(
        None, "--test", metavar="ADDRESS", help="Have Airflow send a mail there, with what is set (now)."
    ),
    off: bool = typer.Option(False, "--off", help="Forget the mail server."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[MailSettings]:
    """Set the mail server for mails about failed tasks; without options, show it.

    The server is tried first. Server and sender go into airflow.cfg, all of it into the connection
    smtp_default: each release of Airflow reads its own part. The components are started again.
    """
    if encryption not in _PORTS:
        raise InvalidOption(f"--encryption {encryption} is not known.", needed=" or ".join(_PORTS))
    if bool(user) != bool(password_file):
        raise InvalidOption("A login is a user and a password.", needed="--user and --password-file together")
    if host and not sender:
        raise InvalidOption("Mails need a sender.", needed="--from ADDRESS")
    if not host and (port or user or sender):
        raise InvalidOption("The mail server is missing.", needed="--host HOST, and --from ADDRESS")
    if off and (host or test):
        raise InvalidOption("--off takes no other option.")
    password = handoff.password(password_file)
    console = Console(quiet=json)
    installation = entered(home_of(home))
    changed = False
    if off:
        changed = mails.off(installation, console).changed
    elif host:
        server = MailServer(host, port or _PORTS[encryption], encryption, user or "")
        asked = MailAsked(server, sender or "", password)
        with console.step(f"Ask the mail server {host}"):
            mails.check(installation, asked)
        changed = mails.set_up(installation, asked, console).changed
    if test:
        with console.step(f"Send a mail to {test}"):
            mails.test(installation, test)
    data = MailSettings(row(installation) if installed.server(installation) else "", changed, test or "")

    def show(console: Console) -> None:
        console.print(f"Mails go to {data.server}." if data.server else "No mail server is set.")
        if data.tested:
            console.print(f"The server has taken a mail for {data.tested}. Has it arrived?")
        elif host:
            console.print("To try it:")
            console.command(f"{installation.home.bin}/airferry site mail --test ADDRESS")

    return Result(data, show)


def row(installation: Installation) -> str:
    """The line of ``site``."""
    found = installed.server(installation)
    if found is None:
        return "none"
    encrypted = "" if found.encryption == "none" else f", {found.encryption}"
    return f"{found.host} port {found.port}{encrypted}"
