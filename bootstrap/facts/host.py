"""All the facts of a host, collected at the same time, each within a time limit."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import wheelhouse
from bootstrap.facts import (
    account,
    airflows,
    disk,
    distribution,
    environment,
    firewall,
    libc,
    network,
    ports,
    postgres,
    processes,
    python,
    region,
    resources,
    security,
    services,
)
from bootstrap.facts.account import AccountFacts
from bootstrap.facts.airflows import Airflows
from bootstrap.facts.carried import CarriedSettings
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.distribution import Distribution
from bootstrap.facts.environment import Environment
from bootstrap.facts.firewall import Firewall
from bootstrap.facts.libc import Libc
from bootstrap.facts.network import Network
from bootstrap.facts.ports import PortState
from bootstrap.facts.postgres import HostPostgres
from bootstrap.facts.python import Interpreter
from bootstrap.facts.region import Region
from bootstrap.facts.resources import Resources
from bootstrap.facts.security import Security
from bootstrap.facts.server import Asked, Passwords, ServerFacts
from bootstrap.facts.services import InitSystem

SCHEMA = 1
SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What is asked about a host: the folder of the installation, ports, the account that would run it.

    `wanted_python` (``3.11``) limits the interpreters that are asked for their modules; empty asks all.
    `python` is an interpreter that the user named. `account` is empty when the account that asks runs it.
    `server` is an external PostgreSQL server, when one was named.
    """

    home: str
    wanted_python: str = ""
    python: Optional[str] = None
    ports: Tuple[int, ...] = ()
    account: str = ""
    server: Optional[Asked] = None


@dataclass(frozen=True)
class Failure:
    """A collector that gave no answer, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class Facts:
    """What a host is; the fields bear their collectors' names.

    A part is None when its collector failed, which then is in `failures`.
    """

    schema: int
    airferry: str
    request: Request
    pythons: Optional[Tuple[Interpreter, ...]] = None
    libc: Optional[Libc] = None
    distribution: Optional[Distribution] = None
    home: Optional[DiskPlace] = None
    tmp: Optional[DiskPlace] = None
    ports: Optional[Tuple[PortState, ...]] = None
    resources: Optional[Resources] = None
    account: Optional[AccountFacts] = None
    services: Optional[InitSystem] = None
    security: Optional[Security] = None
    network: Optional[Network] = None
    environment: Optional[Environment] = None
    region: Optional[Region] = None
    postgres: Optional[HostPostgres] = None
    firewall: Optional[Firewall] = None
    airflows: Optional[Airflows] = None
    server: Optional[ServerFacts] = None
    airflow_cfg: Optional[CarriedSettings] = None
    failures: Tuple[Failure, ...] = ()


def collect(
    request: Request,
    *,
    seconds: float = SECONDS,
    passwords: Passwords = Passwords(),  # noqa: B008  (frozen)
) -> Facts:
    """Collect everything; never raises, and ends after `seconds` even when a disk or a server hangs.

    `passwords` are for the database server that is asked about.
    """
    asked = request.server
    found, failures = run(
        {
            "pythons": lambda: python.collect(request.wanted_python, request.python),
            "libc": libc.collect,
            "distribution": distribution.collect,
            "home": lambda: disk.collect(request.home, entries=True),
            "tmp": lambda: disk.collect(tempfile.gettempdir()),
            "ports": lambda: ports.collect(request.ports),
            "resources": resources.collect,
            "account": lambda: account.collect(request.account),
            "services": lambda: services.collect(processes.user_of(os.geteuid())),
            "security": security.collect,
            "network": network.collect,
            "environment": environment.collect,
            "region": region.collect,
            "postgres": postgres.collect,
            "firewall": firewall.collect,
            "airflows": airflows.collect,
            "server": lambda: _server(asked, passwords) if asked else None,
        },
        seconds,
    )
    return Facts(SCHEMA, wheelhouse.__version__, request, **found, failures=failures)


def _server(asked: Asked, passwords: Passwords) -> ServerFacts:
    from bootstrap.facts import login  # noqa: PLC0415  (few are asked about one, and it is much to compile)

    return login.collect(asked, passwords)


def run(
    collectors: Dict[str, Callable[[], Any]], seconds: float
) -> Tuple[Dict[str, Any], Tuple[Failure, ...]]:
    """Run the collectors side by side; what has no answer after `seconds` is left behind and reported.

    A hanging network disk cannot be interrupted: its thread does not keep the process alive.
    """
    found: Dict[str, Any] = {}
    failures: List[Failure] = []

    def work(name: str, collector: Callable[[], Any]) -> None:
        try:
            found[name] = collector()
        except Exception as error:  # noqa: BLE001  (a collector that fails is itself a fact)
            failures.append(Failure(name, f"{type(error).__name__}: {error}"))

    threads = {
        name: threading.Thread(target=work, args=(name, collector), daemon=True)
        for name, collector in collectors.items()
    }
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    known = {failure.name for failure in failures}
    late = [name for name in collectors if name not in found and name not in known]
    failures += [Failure(name, f"no answer within {seconds:g} s") for name in late]
    return dict(found), tuple(sorted(failures, key=lambda failure: failure.name))
