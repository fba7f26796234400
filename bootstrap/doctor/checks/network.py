"""Loopback, the host's own name and proxies."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts

NETWORK_OK = Entry("network-ok", OK, "This host can connect to itself")
LOOPBACK_DOWN = Entry(
    "loopback-down",
    BLOCKER,
    "This host cannot connect to itself",
    "Airflow talks to PostgreSQL and its components to each other over 127.0.0.1.",
)
HOSTNAME_SLOW = Entry(
    "hostname-slow",
    NOTE,
    "Looking up this host's own name takes long",
    "Airflow looks it up for every task; where DNS does not answer, each one waits. airferry sets"
    " hostname_callable so that Airflow does not ask (2.6 and newer).",
)
HOSTNAME_UNKNOWN = Entry(
    "hostname-unknown",
    NOTE,
    "This host's own name cannot be looked up",
    "airferry sets hostname_callable so that Airflow does not ask.",
)
PROXY_SET = Entry(
    "proxy-set",
    NOTE,
    "Proxy variables are set",
    "Airflow 3 would send its own task API through the proxy, and every task would fail; airferry starts"
    " its components without them.",
)
LOCALHOST_UNKNOWN = Entry(
    "localhost-unknown",
    NOTE,
    "localhost is not this host",
    "airferry uses the address 127.0.0.1 and does not need the name.",
)

_SLOW = 0.5


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What a program here finds when it looks for its own host."""
    network = facts.network
    if network is None:
        return
    if network.loopback:
        yield LOOPBACK_DOWN.found(
            f"127.0.0.1: {network.loopback}",
            needed="a loopback interface that is up",
            remedy="Switch it on:",
            commands=("ip link set lo up",),
            needs_root=True,
        )
    own = network.own
    if own.timed_out or own.seconds > _SLOW:
        yield HOSTNAME_SLOW.found(
            f"{own.name}: {own.error or f'{own.seconds:.1f} s'}",
            remedy=f"Add a line to /etc/hosts: 127.0.1.1 {own.name}",
            needs_root=True,
        )
    elif own.error:
        yield HOSTNAME_UNKNOWN.found(f"{own.name}: {own.error}")
    elif not network.loopback:
        yield NETWORK_OK.found(f"{own.name} resolves to {', '.join(own.addresses)}")
    if network.proxies:
        exempt = "exempts" if network.no_proxy_local else "does not exempt"
        names = ", ".join(network.proxies)
        yield PROXY_SET.found(f"{names}; NO_PROXY {exempt} 127.0.0.1 and localhost")
    local = network.localhost
    if local.error or not any(
        address in ("::1",) or address.startswith("127.") for address in local.addresses
    ):
        yield LOCALHOST_UNKNOWN.found(
            f"localhost: {local.error or ', '.join(local.addresses) or 'unknown'}",
            remedy="Programs of your own may need the line in /etc/hosts: 127.0.0.1 localhost",
            needs_root=True,
        )
