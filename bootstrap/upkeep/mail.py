"""The mail server of an installation: tried, set, and proven by a mail that Airflow itself sends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Optional

from bootstrap.airflow.command import source
from bootstrap.base import process
from bootstrap.base.secret import Secret
from bootstrap.change import site
from bootstrap.facts import mail as facts
from bootstrap.facts.mail import MailServer
from bootstrap.installed import in_force
from bootstrap.installed import mail as installed
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit
from bootstrap.state.plan import Progress
from wheelhouse.errors import AirferryError

_ADDRESS = re.compile(r"[^@\s<>,;\"']+@[^@\s<>,;\"']+")
_SENDER = ("email", "from_email")
_OPTIONS = ("smtp_host", "smtp_port", "smtp_starttls", "smtp_ssl", "smtp_mail_from")


class MailUnusable(AirferryError):
    """The mail server, or this Airflow, cannot send mail; nothing was changed."""

    reference = "mail-unusable"
    exit_code = 115


class MailNotSent(AirferryError):
    """The settings are in place, and a test mail was not taken."""

    reference = "mail-not-sent"
    exit_code = 113


@dataclass(frozen=True)
class MailAsked:
    """The server, who mails come from, and the password of the server's user."""

    server: MailServer
    sender: str
    password: Optional[Secret] = None


def check(installation: Installation, asked: MailAsked) -> None:
    """Try the server, before anything is written; raises :class:`MailUnusable`."""
    if not _ADDRESS.fullmatch(asked.sender):
        raise MailUnusable(f"{asked.sender} is no mail address.", needed="--from NAME@DOMAIN")
    variables = (f"AIRFLOW_CONN_{installed.CONNECTION.upper()}", "AIRFLOW__SMTP__")
    winning = [name for name in in_force.variables(installation.home) if name.startswith(variables)]
    if winning:
        raise MailUnusable(
            f"{', '.join(winning)} in {installation.home.etc}/local.env wins over what is set here.",
            needed="a local.env without it",
            hint="Take the line out, and give this command again.",
        )
    if installed.lacks_provider(installation):
        raise MailUnusable(
            f"Airflow {installation.receipt.airflow} sends mail with the SMTP provider, which is not there.",
            needed=installed.PROVIDER,
            hint="On the internet host: airferry bundle --extra smtp, or an add-on: airferry bundle --onto"
            f" FILE {installed.PROVIDER}. Here: {installation.home.bin}/airferry add ADDON",
        )
    said = facts.problem(asked.server, asked.password)
    if said:
        raise MailUnusable(
            f"The mail server {asked.server.host} port {asked.server.port} cannot be used.",
            found=said,
            needed="a server that answers, with the encryption and the login that it wants",
            hint="Ports: 25 or 587 with --encryption starttls or none, 465 with --encryption ssl.",
        )


def set_up(installation: Installation, asked: MailAsked, progress: Progress) -> site.SiteChange:
    """Write the connection and the options; every release takes from them what it reads.

    Up to 3.1 server and sender come from ``[smtp]`` and the login from the connection, from 3.2 on all of it
    comes from the connection. The password is in Airflow's database alone. Raises what writing raises.
    """
    server = asked.server
    extra = {
        "from_email": asked.sender,
        "disable_ssl": server.encryption != "ssl",
        "disable_tls": server.encryption != "starttls",
    }
    connection: Dict[str, Any] = {
        "conn_type": "smtp", "host": server.host, "port": server.port, "extra_dejson": extra,
    }  # fmt: skip
    if server.user and asked.password:
        connection.update(login=server.user, password=asked.password.reveal())
    options = {
        "smtp_host": server.host,
        "smtp_port": str(server.port),
        "smtp_starttls": str(server.encryption == "starttls"),
        "smtp_ssl": str(server.encryption == "ssl"),
        "smtp_mail_from": asked.sender.replace("%", "%%"),
    }
    edit = Edit(
        # from 3.2 on, the sender of a mail about a failed task; without it airflow@airflow
        {**{("smtp", name): value for name, value in options.items()}, _SENDER: options["smtp_mail_from"]},
        connections={installed.CONNECTION: Secret(json.dumps(connection))},
    )
    return site.change(installation, "mail", edit, progress, _healthy)


def off(installation: Installation, progress: Progress) -> site.SiteChange:
    """Take the options and the connection out."""
    places = [*(("smtp", name) for name in _OPTIONS), _SENDER]
    edit = Edit(dict.fromkeys(places), connections={installed.CONNECTION: None})
    return site.change(installation, "mail", edit, progress, _healthy)


def test(installation: Installation, address: str) -> None:
    """Have Airflow send a mail, as it does when a task fails; raises :class:`MailNotSent`."""
    if not _ADDRESS.fullmatch(address):
        raise MailNotSent(f"{address} is no mail address.", needed="NAME@DOMAIN")
    asked = {
        "to": address,
        "subject": f"Airflow {installation.receipt.name}: a test",
        "text": f"Airflow {installation.receipt.airflow} in {installation.receipt.home} can send mail.",
        "provider": installed.sent_by_provider(installation),
    }
    said = process.run(
        [installation.release.python, "-c", source("mailtest.py")],
        what="send a test mail",
        # outside of a task a connection is read from the database, from 3.1 on only where this is said
        env={**installation.airflow.environment(), "_AIRFLOW_PROCESS_CONTEXT": "server"},
        stdin=Secret(json.dumps(asked)),
        timeout=180,
    ).stdout
    found = json.loads(said.strip().splitlines()[-1])["said"]
    if found:
        raise MailNotSent(
            f"The test mail to {address} was not sent. The settings stay as they are.",
            found=found,
            hint=f"Set others with {installation.home.bin}/airferry site mail; a server may take mail for"
            " some addresses and from some senders alone.",
        )


def _healthy(_: Installation) -> None:
    """Every component has started again, which was waited for; mail itself is proven by a test mail."""
