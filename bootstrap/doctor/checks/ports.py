"""The ports that will be listened on."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts
from bootstrap.facts.ports import PortState, by_number

PORTS_OK = Entry("ports-ok", OK, "The ports are free")
PORT_IN_USE = Entry(
    "port-in-use", BLOCKER, "A port is in use", "Two programs cannot listen on the same port."
)
PORT_OTHER = Entry(
    "port-other",
    NOTE,
    "The usual port is in use",
    "The installer takes the next free port and shows it at the end.",
)
PORT_PRIVILEGED = Entry(
    "port-privileged",
    BLOCKER,
    "A port below 1024 is reserved",
    "Airflow runs as an ordinary account, which may not take it.",
)


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Each port: one that the user named must be free, another is chosen anew."""
    if facts.ports is None:
        return
    found = by_number(facts.ports)
    free = []
    for wanted in needs.ports:
        port = found.get(wanted.number)
        if port is None:
            continue
        if port.state == "free":
            free.append(f"{wanted.number} ({wanted.purpose})")
        elif port.state == "denied":
            yield PORT_PRIVILEGED.found(
                f"{wanted.number} for the {wanted.purpose}",
                needed="1024 or higher",
                remedy="Choose another port, and use a reverse proxy on the host.",
            )
        elif wanted.named:
            yield PORT_IN_USE.found(
                _holder(port),
                needed=f"port {wanted.number} for the {wanted.purpose}",
                remedy="Stop that program, or choose another port, or leave the option out.",
            )
        else:
            yield PORT_OTHER.found(_holder(port))
    if free:
        yield PORTS_OK.found(", ".join(free))


def _holder(port: PortState) -> str:
    if port.state == "unknown":
        return f"port {port.number} cannot be used"
    by = port.process or "a process that this account cannot see"
    return f"port {port.number} is held by {by}" + (f", account {port.user}" if port.user else "")
