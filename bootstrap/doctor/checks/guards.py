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
    "Said when the bundle was made",
    "It is known of these versions, and was accepted outside.",
)
SERVICES_OK = Entry("services-ok", OK, "Something here can start Airflow after a restart")
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
    "systemd does nothing for this account",
    "Components run under the supervisor in the installation; after a restart of the host an admin, or"
    " cron (@reboot), has to start it: bin/airferry start.",
)
LINGER_OFF = Entry(
    "linger-off",
    NOTE,
    "What this account runs may end when it logs out",
    "That holds for units of its own (systemctl --user), and for everything where logind is set to"
    " KillUserProcesses. The install turns linger on where the account may; otherwise the supervisor in"
    " the installation runs the components: after a restart of the host, bin/airferry start.",
)
FIREWALL_CLOSED = Entry(
    "firewall-closed",
    WARNING,
    "The firewall blocks the web server",
    "Airflow runs and is healthy, and no browser reaches it from another host.",
    "Only firewalld's default zone, ufw's own rules and nftables' input chains are looked at. An"
    " installation that listens on 127.0.0.1 alone (--host) needs no open port.",
)
FIREWALL_ON = Entry(
    "firewall-on",
    NOTE,
    "A firewall is on",
    "Whether it lets others to the web server cannot be seen by this account.",
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
            remedy="Let it go on:",
            commands=(f"loginctl enable-linger {name}".strip(),),
            needs_root=True,
        )
    else:
        yield SERVICES_OK.found("systemd of this account, which outlives its logins")


def firewall(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether the port of the web server is open to other hosts."""
    found = facts.firewall
    web = next((port.number for port in needs.ports if port.purpose == _WEB), None)
    if found is None or not found.kind or not found.closed or web is None:
        return
    where = found.kind + (f", zone {found.zone}" if found.zone else "")
    if found.ports is None:
        yield FIREWALL_ON.found(f"{where}: its rules are for root to read")
    elif not _is_open(web, found.ports):
        shown = ", ".join(found.ports) or "none"
        yield FIREWALL_CLOSED.found(
            f"{where}: open are {shown}",
            needed=f"port {web} open for its users",
            remedy="Open it, or let a web server of this host pass requests on:",
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
