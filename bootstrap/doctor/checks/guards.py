"""What starts services here, and what keeps other hosts out."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import NOTE, OK, WARNING
from bootstrap.facts.firewall import Firewall
from bootstrap.facts.host import Facts

_WEB = "web server"


def services(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether something here starts Airflow again after a restart of the host."""
    found = facts.services
    if found is None:
        return
    root = facts.account is not None and facts.account.me.uid == 0
    if not found.systemd:
        yield Finding("systemd-missing", NOTE, f"process 1 is {found.init or 'unknown'}")
    elif root:
        yield Finding("services-ok", OK, "systemd")
    elif not found.user_systemd:
        uid = facts.account.me.uid if facts.account else "ID"
        yield Finding("user-systemd-missing", NOTE, f"no /run/user/{uid}/systemd")
    elif not found.linger:
        name = facts.account.me.name if facts.account else ""
        yield Finding(
            "linger-off", NOTE, "systemd starts nothing for this account before it logs in", "",
            "Let it go on:", (f"loginctl enable-linger {name}".strip(),), needs_root=True,
        )  # fmt: skip
    else:
        yield Finding("services-ok", OK, "systemd of this account, which outlives its logins")


def firewall(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether the port of the web server is open to other hosts."""
    found = facts.firewall
    web = next((port.number for port in needs.ports if port.purpose == _WEB), None)
    if found is None or not found.kind or not found.closed or web is None:
        return
    where = found.kind + (f", zone {found.zone}" if found.zone else "")
    if found.ports is None:
        yield Finding("firewall-on", NOTE, f"{where}: its rules are for root to read")
    elif not _is_open(web, found.ports):
        shown = ", ".join(found.ports) or "none"
        yield Finding(
            "firewall-closed", WARNING, f"{where}: open are {shown}", f"port {web} open for its users",
            "Open it, or let a web server of this host pass requests on:", _open(found, web), needs_root=True,
        )  # fmt: skip


def _is_open(port: int, ports: Sequence[str]) -> bool:
    for item in ports:
        first, _, last = item.partition("-")
        if first.isdigit() and int(first) <= port <= int(last if last.isdigit() else first):
            return True
    return False


def _open(found: Firewall, port: int) -> Tuple[str, ...]:
    commands = {
        "firewalld": (f"firewall-cmd --permanent --add-port={port}/tcp", "firewall-cmd --reload"),
        "ufw": (f"ufw allow {port}/tcp",),
    }
    return commands.get(found.kind, ())


def bundle(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What was already known when the bundle was made."""
    if needs.notes:
        yield Finding("bundle-notes", NOTE, "\n".join(needs.notes))
