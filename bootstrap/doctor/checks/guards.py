"""What starts services here, and what keeps other hosts out."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import NOTE, OK, WARNING
from bootstrap.facts.firewall import Firewall
from bootstrap.facts.host import Facts

BUNDLE_NOTES = Entry(
    "bundle-notes",
    NOTE,
    "A warning from when the bundle was made",
    "It is a known issue of these versions, and was accepted when the bundle was made.",
)
SERVICES_OK = Entry("services-ok", OK, "Airflow is started after a restart of the host")
SYSTEMD_MISSING = Entry(
    "systemd-missing",
    NOTE,
    "systemd does not run here",
    "Components run under the supervisor in the installation; after a restart of the host an admin, or"
    " cron (@reboot), has to start it: bin/airferry start.",
)
USER_SYSTEMD_MISSING = Entry(
    "user-systemd-missing",
    NOTE,
    "systemd is not available to this account",
    "Components run under the supervisor in the installation; after a restart of the host an admin, or"
    " cron (@reboot), has to start it: bin/airferry start.",
)
LINGER_OFF = Entry(
    "linger-off",
    NOTE,
    "Processes of this account may end when it logs out",
    "That holds for units of its own (systemctl --user), and for everything where logind is set to"
    " KillUserProcesses. The install turns linger on where the account may; otherwise the supervisor in"
    " the installation runs the components: after a restart of the host, bin/airferry start.",
)
FIREWALL_CLOSED = Entry(
    "firewall-closed",
    WARNING,
    "The firewall blocks the web server",
    "Airflow runs and is healthy, but browsers on other hosts cannot reach it.",
    "Only firewalld's default zone, ufw's own rules and nftables' input chains are checked. An"
    " installation that listens on 127.0.0.1 alone (--host) needs no open port.",
)
FIREWALL_ON = Entry(
    "firewall-on",
    NOTE,
    "A firewall is on",
    "This account cannot see whether it allows access to the web server.",
)

_WEB = "web server"


def services(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether something here starts Airflow again after a restart of the host."""
    found = facts.services
    if found is None:
        return
    root = facts.account is not None and facts.account.me.uid == 0
    if not found.systemd:
        yield SYSTEMD_MISSING.found(f"process 1 is {found.init or 'unknown'}")
    elif root:
        yield SERVICES_OK.found("systemd")
    elif not found.user_systemd:
        uid = facts.account.me.uid if facts.account else "ID"
        yield USER_SYSTEMD_MISSING.found(f"no /run/user/{uid}/systemd")
    elif not found.linger:
        name = facts.account.me.name if facts.account else ""
        yield LINGER_OFF.found(
            "systemd starts nothing for this account before it logs in",
            remedy="Enable linger:",
            commands=(f"loginctl enable-linger {name}".strip(),),
            needs_root=True,
        )
    else:
        yield SERVICES_OK.found("systemd of this account, which keeps running after logout")


def firewall(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether the port of the web server is open to other hosts."""
    found = facts.firewall
    web = next((port.number for port in needs.ports if port.purpose == _WEB), None)
    if found is None or not found.kind or not found.closed or web is None:
        return
    where = found.kind + (f", zone {found.zone}" if found.zone else "")
    if found.ports is None:
        yield FIREWALL_ON.found(f"{where}: only root can read its rules")
    elif not _is_open(web, found.ports):
        shown = ", ".join(found.ports) or "none"
        yield FIREWALL_CLOSED.found(
            f"{where}: open are {shown}",
            needed=f"port {web} open for its users",
            remedy="Open it, or use a reverse proxy on this host:",
            commands=_open(found, web),
            needs_root=True,
        )


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
        yield BUNDLE_NOTES.found("\n".join(needs.notes))
