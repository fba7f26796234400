"""Mail about failed tasks: whether the server answers, and whether this Airflow can send."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import OK, WARNING
from bootstrap.examination.installed import Installed

MAIL_OK = Entry("mail-ok", OK, "The mail server answers")
MAIL_SERVER_FAILS = Entry(
    "mail-server-fails",
    WARNING,
    "The mail server cannot be used",
    "A task that fails is tried again and recorded all the same, but nobody gets a mail.",
    "The server that airflow.cfg names was connected to, with its encryption; nothing was sent, and nobody"
    " logged in.",
)
MAIL_PROVIDER_MISSING = Entry(
    "mail-provider-missing",
    WARNING,
    "The provider that sends mail is not installed",
    "From 3.2 on Airflow sends mail about a failed task with its SMTP provider; without it there is only"
    " a line in the task's log.",
)


def check(installed: Installed) -> Iterator[Finding]:
    """What mails about failed tasks need, where a server is set."""
    found = installed.mail
    if found is None or not found.server:
        return
    site = f"{command(installed)} site mail"
    if found.lacks_provider:
        yield MAIL_PROVIDER_MISSING.found(
            "no apache-airflow-providers-smtp",
            needed="apache-airflow-providers-smtp",
            remedy="On the internet host: airferry bundle --onto FILE apache-airflow-providers-smtp. Here:"
            f" {command(installed)} add ADDON",
        )
    if found.said:
        yield MAIL_SERVER_FAILS.found(
            f"{found.server}: {found.said}",
            remedy=f"Check name, port, firewall and encryption, or set another server ({site} --host ...)."
            f" Then: {site} --test ADDRESS",
        )
    else:
        yield MAIL_OK.found(found.server)
