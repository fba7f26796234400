"""Kerberos tickets for DAGs: the keytab, and the ticket that is renewed from it."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination.installed import Installed

KERBEROS_OK = Entry("kerberos-ok", OK, "There is a Kerberos ticket")
KERBEROS_KEYTAB = Entry(
    "kerberos-keytab",
    BLOCKER,
    "The keytab cannot be used",
    "No ticket can be got with it: tasks that need one fail as soon as the one that is there ends.",
    "The file was read; whether its key is still the KDC's, only a new ticket tells.",
)
KERBEROS_KEYTAB_EXPOSED = Entry(
    "kerberos-keytab-exposed",
    WARNING,
    "Others can read the keytab",
    "Whoever has it is that principal, everywhere.",
)
KERBEROS_TICKET_ENDED = Entry(
    "kerberos-ticket-ended",
    BLOCKER,
    "There is no Kerberos ticket that holds",
    "Every task that needs one fails.",
    "The ticket cache was read. Airflow's component kerberos fills it, again and again.",
)
KERBEROS_LACKS = Entry(
    "kerberos-lacks",
    BLOCKER,
    "This host lacks what tickets are got with",
    "Airflow runs kinit, which reads the realm's KDC from krb5.conf.",
)


def check(installed: Installed) -> Iterator[Finding]:
    """What tickets need, where they are renewed."""
    found = installed.kerberos
    if found is None or not found.principal:
        return
    site = f"{command(installed)} site kerberos --principal NAME --keytab FILE"
    if found.lacking:
        yield KERBEROS_LACKS.found(
            found.lacking,
            needed="kinit (krb5-user, krb5-workstation), and a krb5.conf with the realm",
            remedy="Install them from the distribution's medium; another file than /etc/krb5.conf: a line"
            " KRB5_CONFIG=FILE in etc/local.env.",
        )
    if found.keytab_problem:
        yield KERBEROS_KEYTAB.found(
            f"{found.keytab}: {found.keytab_problem}",
            needed=f"a keytab with a key of {found.principal}",
            remedy=f"Have one made on the KDC (kadmin: ktadd -k FILE PRINCIPAL), then: {site}",
        )
    if found.exposed:
        yield KERBEROS_KEYTAB_EXPOSED.found(
            found.keytab, needed="mode 0600", remedy="Close it:", commands=(f"chmod 600 '{found.keytab}'",)
        )
    if not found.left:
        yield KERBEROS_TICKET_ENDED.found(
            f"no ticket that holds in {found.cache}",
            remedy="See why, and start the renewer: the KDC must be reachable, and this host's clock right.",
            commands=(f"{command(installed)} logs kerberos", f"{command(installed)} restart kerberos"),
        )
    elif not found.keytab_problem:
        yield KERBEROS_OK.found(f"{found.principal}, for {found.left // 60} more minutes")
