"""HTTPS: the certificate of the web server, and logins that anybody on the way can read."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, Optional

from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.site.certificates import Examined, covers

if TYPE_CHECKING:
    from bootstrap.examination.installed import Installed

ENDING_DAYS = 30
_DAY = 86400.0

TLS_OK = Entry("tls-ok", OK, "The certificate of the web server fits")
TLS_UNREADABLE = Entry(
    "tls-unreadable",
    BLOCKER,
    "The certificate or its key cannot be used",
    "The web server does not start with it.",
    "Certificate and key are two files in PEM, the key without a password.",
)
TLS_KEY_MISMATCH = Entry(
    "tls-key-mismatch",
    BLOCKER,
    "Certificate and key do not belong together",
    "The web server does not start with them.",
    "A key belongs to the one request that the certificate was made from.",
)
TLS_EXPIRED = Entry(
    "tls-expired",
    BLOCKER,
    "The certificate does not hold now",
    "Browsers refuse it, and the tasks of Airflow 3 fail.",
)
TLS_ENDING = Entry(
    "tls-ending",
    WARNING,
    "The certificate ends soon",
    "From then on browsers refuse it, and the tasks of Airflow 3 fail.",
    f"Said {ENDING_DAYS} days before.",
)
TLS_NAME = Entry(
    "tls-name",
    BLOCKER,
    "The certificate is for other names",
    "Browsers refuse it for the address that they are given.",
    "Only the subject alternative names count. No browser takes a common name without them.",
)
TLS_CHAIN = Entry(
    "tls-chain",
    BLOCKER,
    "The chain of the certificate is broken",
    "The tasks of Airflow 3 trust only a chain that is whole, with its root; browsers miss intermediates.",
    "The installation keeps certificate, intermediates and root in one file, because the client of a task"
    " trusts what is in [api] ssl_cert.",
)
TLS_UNRESOLVED = Entry(
    "tls-unresolved",
    BLOCKER,
    "This host does not find itself under the name of its certificate",
    "The tasks of Airflow 3 reach the web server under a name of the certificate, and fail without it.",
    "A certificate that is for 127.0.0.1 or localhost as well needs no name to be found.",
)
PROXY_BYPASSED = Entry(
    "proxy-bypassed",
    NOTE,
    "The web server can be reached past its proxy",
    "Whoever logs in there sends the password unencrypted.",
    "Where the proxy is on another host, that is as it must be.",
)
LOGIN_UNENCRYPTED = Entry(
    "login-unencrypted",
    WARNING,
    "Logins cross the network unencrypted",
    "Whoever is on the way between a browser and this host can read passwords.",
)


@dataclass(frozen=True)
class WantedTls:
    """What is asked of a certificate: the `host` of browsers ("": not known), and how tasks reach it.

    `tasks` says that tasks speak HTTPS to the web server (Airflow 3). `own_host` is the name that they use,
    `resolved` whether it leads to this host (None: not looked up). `again` is the command to be run with
    other files. With `whole` the chain has to be so in Airflow 2 as well: an upgrade to 3 needs it.
    """

    host: str
    tasks: bool
    own_host: str = ""
    resolved: Optional[bool] = None
    again: str = ""
    now: float = 0.0
    whole: bool = False


def judge(found: Examined, place: str, wanted: WantedTls) -> Iterator[Finding]:
    """A certificate that was examined, in the file `place`; nothing where all is well."""
    now = wanted.now or time.time()
    commands = (wanted.again,) if wanted.again else ()
    if found.problem or (found.key_problem and "another certificate" not in found.key_problem):
        yield TLS_UNREADABLE.found(
            f"{place}: {found.problem}" if found.problem else f"its key: {found.key_problem}",
            needed="a certificate in PEM, and its key in PEM without a password",
            remedy="Give files that can be used:" if commands else "Give files that can be used.",
            commands=commands,
        )
        if found.problem:
            return
    elif found.key_problem:
        yield TLS_KEY_MISMATCH.found(
            f"{place}, for {found.subject}: {found.key_problem}",
            needed="the key that the certificate was requested with",
            remedy="Compare: openssl x509 -noout -pubkey -in CERT, and openssl pkey -pubout -in KEY.",
            commands=commands,
        )
    yield from _dates(found, place, wanted, now)
    if wanted.host and not covers(found.names, wanted.host):
        yield TLS_NAME.found(
            f"{', '.join(found.names) or 'no name at all (a common name alone does not count)'}",
            needed=wanted.host,
            remedy="Have a certificate made for that name (subject alternative name), or give browsers an"
            " address that it is for.",
            commands=commands,
        )
    expired = not found.starts <= now <= found.ends
    if found.chain_problem and not (expired and "expired" in found.chain_problem):
        yield TLS_CHAIN.found(
            f"{place}: {found.chain_problem}",
            needed="the certificate, then its intermediates, in one file, and the root of the authority",
            remedy="Append the intermediates to the file, and name a file with the root: --ca FILE (install:"
            " --tls-ca FILE).",
            severity=BLOCKER if wanted.tasks or wanted.whole else WARNING,
        )
    if wanted.tasks and wanted.resolved is False:
        yield TLS_UNRESOLVED.found(
            f"{wanted.own_host} is not found here",
            needed="a line in /etc/hosts, or DNS",
            remedy="As root:",
            commands=(f"echo '127.0.0.1 {wanted.own_host}' >> /etc/hosts",),
            needs_root=True,
        )


def _dates(found: Examined, place: str, wanted: WantedTls, now: float) -> Iterator[Finding]:
    commands = (wanted.again,) if wanted.again else ()
    if now > found.ends:
        yield TLS_EXPIRED.found(
            f"{place}: it ended on {_day(found.ends)}",
            needed="a certificate that holds now",
            remedy="Have a new one made. If the date here is wrong (see date), correct that first.",
            commands=commands,
        )
    elif now < found.starts:
        yield TLS_EXPIRED.found(
            f"{place}: it begins on {_day(found.starts)}, and it is {_day(now)} here",
            needed="a certificate that holds now",
            remedy="Wait, or correct the clock of this host if that is wrong.",
        )
    elif found.ends - now < ENDING_DAYS * _DAY:
        days = int((found.ends - now) / _DAY)
        yield TLS_ENDING.found(
            f"{place}: it ends on {_day(found.ends)}, in {days} days",
            needed=f"more than {ENDING_DAYS} days",
            remedy="Have a new one made, and put it in its place; tasks that run go on:",
            commands=commands,
        )


def check(installed: Installed) -> Iterator[Finding]:
    """The certificate in use, or that there is none where there should be one."""
    found = installed.tls
    if found is None:
        return
    site = f"{command(installed)} site tls"
    if found.examined:
        own = "--self-signed" if found.own_authority else "--cert FILE --key FILE"
        wanted = WantedTls(
            found.host, found.tasks, found.own_host, found.resolved, again=f"{site} {own}", now=found.now
        )
        problems = list(judge(found.examined, found.path, wanted))
        yield from problems
        if not problems:
            yield TLS_OK.found(
                f"{found.path}: for {', '.join(found.examined.names)}, to {_day(found.examined.ends)}"
            )
    elif found.exposed:
        yield LOGIN_UNENCRYPTED.found(
            f"plain HTTP on {found.exposed}",
            needed="HTTPS, or a web server that listens on this host alone",
            remedy="With a certificate of yours (--cert FILE --key FILE), or one that is made here:",
            commands=(f"{site} --self-signed",),
        )
    elif found.bypass:
        again = f"sh {shlex.quote(installed.bundle_file)} install --home {shlex.quote(installed.home)}"
        yield PROXY_BYPASSED.found(
            f"plain HTTP on {found.bypass}",
            remedy="Where the proxy is on this host, have Airflow listen on it alone:",
            commands=(f"{again} --host 127.0.0.1",),
        )


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
