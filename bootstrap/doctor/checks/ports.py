"""The ports that will be listened on."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts
from bootstrap.facts.ports import PortState, by_number


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
            yield Finding(
                "port-privileged", BLOCKER, f"{wanted.number} for the {wanted.purpose}", "1024 or higher",
                "Choose another port, and let a web server of the host pass requests on to it.",
            )  # fmt: skip
        elif wanted.named:
            yield Finding(
                "port-in-use", BLOCKER, _holder(port), f"port {wanted.number} for the {wanted.purpose}",
                "Stop that program, or choose another port, or leave the option out.",
            )  # fmt: skip
        else:
            yield Finding("port-other", NOTE, _holder(port))
    if free:
        yield Finding("ports-ok", OK, ", ".join(free))


def _holder(port: PortState) -> str:
    if port.state == "unknown":
        return f"port {port.number} cannot be taken"
    by = port.process or "a program that this account may not see"
    return f"port {port.number} is held by {by}" + (f", account {port.user}" if port.user else "")
