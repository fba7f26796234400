"""Loopback, the host's own name and proxies."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts

_SLOW = 0.5


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What a program here finds when it looks for its own host."""
    network = facts.network
    if network is None:
        return
    if network.loopback:
        yield Finding(
            "loopback-down", BLOCKER, f"127.0.0.1: {network.loopback}", "a loopback interface that is up",
            "Switch it on:", ("ip link set lo up",), needs_root=True,
        )  # fmt: skip
    own = network.own
    if own.timed_out or own.seconds > _SLOW:
        yield Finding(
            "hostname-slow", NOTE, f"{own.name}: {own.error or f'{own.seconds:.1f} s'}", "",
            f"A line in /etc/hosts ends the waiting: 127.0.1.1 {own.name}", needs_root=True,
        )  # fmt: skip
    elif own.error:
        yield Finding("hostname-unknown", NOTE, f"{own.name}: {own.error}")
    elif not network.loopback:
        yield Finding("network-ok", OK, f"{own.name} is {', '.join(own.addresses)}")
    if network.proxies:
        exempt = "exempts" if network.no_proxy_local else "does not exempt"
        names = ", ".join(network.proxies)
        yield Finding("proxy-set", NOTE, f"{names}; NO_PROXY {exempt} 127.0.0.1 and localhost")
    local = network.localhost
    if local.error or not any(
        address in ("::1",) or address.startswith("127.") for address in local.addresses
    ):
        yield Finding(
            "localhost-unknown", NOTE, f"localhost: {local.error or ', '.join(local.addresses) or 'unknown'}",
            "", "Programs of your own may need the line in /etc/hosts: 127.0.0.1 localhost", needs_root=True,
        )  # fmt: skip
