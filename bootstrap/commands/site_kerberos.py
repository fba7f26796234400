"""``HOME/bin/airferry site kerberos``: tickets for DAGs, renewed from a keytab."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.commands.site_results import entered
from bootstrap.installed import kerberos as installed
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.upkeep import tickets


@dataclass(frozen=True)
class KerberosTickets:
    """Whose tickets are renewed ("": nobody's), and until when the one in the cache holds.

    `changed` says that it was set now; `ends` is RFC 3339 in UTC, "" where there is no ticket.
    """

    principal: str
    changed: bool
    ends: str


def kerberos(
    principal: Optional[str] = typer.Option(
        None, help="Whose tickets: airflow@CORP.EXAMPLE, or airflow/_HOST@CORP.EXAMPLE for this host's name."
    ),
    keytab: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="The file with its key; it is copied."
    ),
    off: bool = typer.Option(False, "--off", help="Renew tickets no more, and forget the keytab."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[KerberosTickets]:
    """Renew Kerberos tickets for DAGs with Airflow's own component; without options, show them.

    A ticket is got and renewed with the keytab before anything is written. Tasks find it as KRB5CCNAME says.
    """
    if bool(principal) != bool(keytab) or (off and principal):
        raise InvalidOption("What is wanted?", needed="--principal NAME --keytab FILE, or --off")
    content = keytab.read_bytes() if keytab else b""  # root reads it while it still may
    console = Console(quiet=json)
    installation = entered(home_of(home))
    changed = False
    if off:
        changed = tickets.off(installation, console).changed
    elif principal:
        with console.step(f"Get a ticket for {principal}"):
            tried = tickets.attempt(installation, content, principal)
        changed = tickets.set_up(installation, content, tried, console).changed
    found = installed.settings(installation.home)
    held = tickets.ticket(Path(found.cache)) if found else None
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(held.ends)) if held else ""
    data = KerberosTickets(found.principal if found else "", changed, ends)

    def show(console: Console) -> None:
        if found is None:
            console.print("No tickets are renewed.")
            return
        console.print(
            f"Tickets of {found.name} are renewed every {found.seconds} seconds into {found.cache}."
        )
        if held:
            here = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held.ends))
            console.print(f"The one that is there ends at {here}.")
        else:
            console.warning("There is no ticket: the component kerberos has to run.")
            console.command(f"{installation.home.bin}/airferry start")

    return Result(data, show)


def row(installation: Installation) -> str:
    """The line of ``site``."""
    found = installed.settings(installation.home)
    return f"{found.name}, every {found.seconds} s" if found else "off"
