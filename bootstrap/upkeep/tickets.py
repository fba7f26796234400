"""Kerberos tickets of an installation: a keytab that is tried and kept, and Airflow's own renewer."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Tuple

from bootstrap.base import process
from bootstrap.base.process import CommandFailed
from bootstrap.change import site
from bootstrap.facts import kerberos as facts
from bootstrap.installed import kerberos
from bootstrap.installed.installation import Installation
from bootstrap.installed.kerberos import CACHE, KEYTAB, KerberosSettings
from bootstrap.installed.site_edits import Edit
from bootstrap.services.manager import KERBEROS, NONE
from bootstrap.state.plan import Progress
from wheelhouse.errors import AirferryError

# Airflow's default; half of a ticket's life where that is shorter
_SECONDS = 3600
_OPTIONS = ("principal", "keytab", "ccache", "reinit_frequency", "include_ip")
_PATIENCE = 90.0


class KerberosUnusable(AirferryError):
    """No ticket comes of this keytab here; nothing was changed."""

    reference = "kerberos-unusable"
    exit_code = 137


@dataclass(frozen=True)
class Tried:
    """A ticket that the keytab has given: its end, in seconds of the epoch, and how often to renew it."""

    principal: str
    ends: int
    seconds: int


def attempt(installation: Installation, keytab: bytes, principal: str) -> Tried:
    """Get a ticket and renew it, as Airflow does, into a cache that is thrown away.

    Raises :class:`KerberosUnusable`.
    """
    home = installation.home
    if not kerberos.kinit(home):
        raise KerberosUnusable(
            "This host has no kinit, which Airflow renews tickets with.",
            needed="MIT Kerberos' programs",
            hint="From the distribution's medium: krb5-user (Debian, Ubuntu) or krb5-workstation (RHEL).",
        )
    file, cache = home.run / "keytab.tried", home.run / "krb5-tickets.tried"
    try:
        _write(file, keytab)
        wanted = replace(KerberosSettings(principal, str(file), str(cache)))
        _known(file, wanted.name)
        _kinit(
            installation,
            "-f",
            "-A",
            "-r",
            f"{_SECONDS}m",
            "-k",
            "-t",
            str(file),
            "-c",
            str(cache),
            wanted.name,
        )
        ticket = next(item for item in facts.tickets(cache) if item.server.startswith("krbtgt/"))
        try:
            _kinit(installation, "-c", str(cache), "-R")
        except KerberosUnusable as error:
            raise KerberosUnusable(
                "The ticket cannot be renewed, and Airflow's renewer ends when it cannot.",
                found=error.found,
                needed="a principal, and a ticket-granting service, with a maximum renewable life",
                hint="On the KDC: kadmin.local -q 'modprinc -maxrenewlife 7days PRINCIPAL', and the same for"
                " krbtgt/REALM@REALM.",
            ) from error
    finally:
        for path in (file, cache):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    life = ticket.ends - int(time.time())
    return Tried(principal, ticket.ends, max(5, min(_SECONDS, life // 2)))


def _known(file: Path, principal: str) -> None:
    try:
        found = facts.principals(file)
    except ValueError as error:
        raise KerberosUnusable(f"The keytab cannot be read: {error}.") from error
    if not any(item == principal or item.partition("@")[0] == principal for item in found):
        raise KerberosUnusable(
            f"The keytab has no key of {principal}.",
            found=", ".join(found) or "no principal",
            needed="--principal NAME, one that is in it",
        )


def _kinit(installation: Installation, *arguments: str) -> None:
    home = installation.home
    try:
        process.run(
            [kerberos.kinit(home), *arguments],
            what="get a ticket",
            env=kerberos.environment(home),
            timeout=60,
        )
    except CommandFailed as error:
        raise KerberosUnusable(
            "No ticket was given.",
            found=error.found,
            hint=f"Is the realm in {kerberos.configuration(home)} (another file: KRB5_CONFIG=FILE in"
            f" {home.etc}/local.env), its KDC reachable (port 88), and this host's clock right?",
        ) from error


def set_up(installation: Installation, keytab: bytes, tried: Tried, progress: Progress) -> site.SiteChange:
    """Keep the keytab, have Airflow's renewer run, and wait for its ticket; raises SiteChangeFailed."""
    home = installation.home
    with contextlib.suppress(FileNotFoundError):
        (home.path / CACHE).unlink()
    _write(home.path / KEYTAB, keytab)
    options = {
        ("core", "security"): "kerberos",
        ("kerberos", "principal"): tried.principal,
        ("kerberos", "keytab"): str(home.path / KEYTAB).replace("%", "%%"),
        ("kerberos", "ccache"): str(home.path / CACHE).replace("%", "%%"),
        ("kerberos", "reinit_frequency"): str(tried.seconds),
        # a ticket for addresses is not renewed where the KDC sees another one: behind NAT, on the loopback
        ("kerberos", "include_ip"): "False",
    }
    return site.change(installation, "kerberos", Edit(dict(options)), progress, _has_ticket)


def off(installation: Installation, progress: Progress) -> site.SiteChange:
    """Take the options, the keytab and the tickets away."""
    home = installation.home
    if installation.receipt.services != NONE and installation.renews_tickets:
        installation.services.stop([KERBEROS])
    edit = Edit({("core", "security"): None, **{("kerberos", name): None for name in _OPTIONS}})
    made = site.change(installation, "kerberos", edit, progress, lambda _: None)
    for name in (KEYTAB, CACHE):
        with contextlib.suppress(FileNotFoundError):
            (home.path / name).unlink()
    return made


def _has_ticket(installation: Installation) -> None:
    deadline = time.monotonic() + _PATIENCE
    while ticket(installation.home.path / CACHE) is None:
        if time.monotonic() > deadline:
            raise KerberosUnusable(
                "Airflow's renewer has got no ticket.",
                found=f"nothing in {installation.home.path / CACHE} after {_PATIENCE:.0f} s",
                hint=f"Its log: {installation.home.bin}/airferry logs {KERBEROS}",
            )
        time.sleep(0.5)


def ticket(cache: Path) -> Optional[facts.Ticket]:
    """The ticket-granting ticket in a cache that holds now; None for none."""
    found: Tuple[facts.Ticket, ...] = ()
    with contextlib.suppress(OSError, ValueError):
        found = facts.tickets(cache)
    held = [item for item in found if item.server.startswith("krbtgt/") and item.ends > time.time()]
    return held[0] if held else None


def _write(path: Path, content: bytes) -> None:
    """Write a keytab in one step, for this account alone."""
    beside = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(str(beside), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fsync(stream.fileno())
    beside.replace(path)
