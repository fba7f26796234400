"""Tickets of an installation: its keytab, and the ticket that is there."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path

from bootstrap.facts import kerberos as facts
from bootstrap.installed import kerberos
from bootstrap.installed.installation import Installation


@dataclass(frozen=True)
class KerberosFacts:
    """`principal` is empty where no tickets are renewed.

    `keytab_problem` says why the keytab cannot be used, `exposed` that others may read it. `left` is how long
    the ticket holds, in seconds (0: none, or ended), `lacking` what the renewer needs and this host has not.
    """

    principal: str = ""
    keytab: str = ""
    keytab_problem: str = ""
    exposed: bool = False
    left: int = 0
    cache: str = ""
    lacking: str = ""


def collect(installation: Installation) -> KerberosFacts:
    """Read them; no program is run."""
    home = installation.home
    found = kerberos.settings(home)
    if found is None:
        return KerberosFacts()
    keytab, problem, exposed = Path(found.keytab), "", False
    try:
        exposed = bool(stat.S_IMODE(keytab.stat().st_mode) & 0o077)
        names = facts.principals(keytab)
        if not any(item == found.name or item.partition("@")[0] == found.name for item in names):
            problem = f"no key of {found.name}, only of {', '.join(names) or 'nobody'}"
    except (OSError, ValueError) as error:
        problem = str(error)
    lacking = "" if kerberos.kinit(home) else "no program kinit"
    if not kerberos.configuration(home).is_file():
        lacking = lacking or f"no {kerberos.configuration(home)}"
    left = 0
    try:
        held = [item for item in facts.tickets(Path(found.cache)) if item.server.startswith("krbtgt/")]
        left = max((int(item.ends - time.time()) for item in held), default=0)
    except (OSError, ValueError):
        pass
    return KerberosFacts(found.name, found.keytab, problem, exposed, max(0, left), found.cache, lacking)
