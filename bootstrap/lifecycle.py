"""Daily use of an installation: status, start, stop."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ContextManager, Dict, List, Sequence, Tuple

from bootstrap import account, bytecode, process, receipt, registry
from bootstrap.airflow import health
from bootstrap.change import record
from bootstrap.home import Home
from bootstrap.installation import POSTGRES, Installation
from bootstrap.journal import Journal
from bootstrap.lock import held, holder
from bootstrap.postgres.refusal import DatabaseUnavailable
from bootstrap.registry import Record
from bootstrap.services import broker, strays
from bootstrap.services.manager import NONE, ServiceError
from bootstrap.steps.airflow import start as start_all

SCHEMA = 1

# The name under which the status shows a server of somebody's.
DATABASE = "database"


@dataclass(frozen=True)
class ComponentStatus:
    """One component: what the service manager says, and what Airflow's own health says of it."""

    name: str
    state: str
    health: str
    note: str

    @property
    def good(self) -> bool:
        """Whether it runs and nothing says that it is ill."""
        return self.state == "RUNNING" and self.health in ("healthy", "")


@dataclass(frozen=True)
class Status:
    """The state of an installation; ``schema`` versions the JSON.

    `unfinished` says what to do about an upgrade, a restore or a rollback that was interrupted; `added` are
    the packages of add-ons (``name version``).
    """

    schema: int
    airflow: str
    bundle_id: str
    home: str
    url: str
    components: Tuple[ComponentStatus, ...]
    unfinished: str = ""
    added: Tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every component is."""
        return all(component.good for component in self.components)


def opened(home: Home) -> Installation:
    """Load an installation and continue as its account; raises NotInstalled, AccountError."""
    _readable(home)
    found = receipt.load(home.receipt)
    place = home.path.stat()
    # an account without a name is named by its number
    owner = account.find(found.account) or account.Account(found.account, place.st_uid, place.st_gid)
    record = registry.of_system(home.path) if os.geteuid() == 0 else None
    if record:
        if record.account != owner.name:
            raise account.AccountError(
                f"{home.receipt} names another account than root's own record of this installation.",
                found=owner.name,
                needed=record.account,
                hint="Somebody changed the receipt. As root, run the install again with the right --account.",
            )
        _stay_behind(record)
    account.run_as(owner, home.path)
    return Installation(found)


def _stay_behind(record: Record) -> None:
    """Go on in a new process; as root, this one only starts and stops units for it, and ends as it ends."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child:
        theirs.close()
        raise SystemExit(broker.attend(child, ours, broker.Broker(record)))
    ours.close()
    os.environ[broker.VARIABLE] = str(theirs.detach())


def status(installation: Installation) -> Status:
    """Look at every component; never fails because one is down."""
    found = installation.receipt
    external = [] if installation.servers else [_external(installation)]
    states = installation.services.states()
    reported = health.fetch(installation.version, installation.probe_address, installation.receipt.web_port)
    components = []
    for component in external:
        known = reported.components.get("metadatabase", "") if reported.raw else ""
        components.append(replace(component, health=known))
    for name in [*installation.servers, *installation.components]:
        state = states.get(name)
        components.append(
            ComponentStatus(
                name,
                state.state if state else "STOPPED",
                reported.components.get("metadatabase" if name == POSTGRES else name, ""),
                state.note if state else f"{found.services} does not run it",
            )
        )
    return Status(
        SCHEMA,
        found.airflow,
        found.bundle_id,
        found.home,
        installation.url,
        tuple(components),
        _unfinished(installation.home),
        tuple(name for item in found.added for name in item.packages),
    )


def _unfinished(home: Home) -> str:
    busy = holder(home.lock)
    if busy:
        return f"Another airferry is at work ({busy})." if record.find(home) else ""
    try:
        record.refuse_unfinished(home)
    except record.ChangeUnfinished as error:
        return f"{error.message} {error.hint}"
    return ""


def _external(installation: Installation) -> ComponentStatus:
    """The database of somebody's server: whether Airflow's role can log in."""
    try:
        installation.external.log_in()
    except DatabaseUnavailable as error:
        return ComponentStatus(DATABASE, "UNREACHABLE", "", error.said)
    address = installation.database.connection.address
    return ComponentStatus(DATABASE, "RUNNING", "", f"at {address}, not started or stopped from here")


def start(installation: Installation, names: Sequence[str] = ()) -> None:
    """Start all components and wait for health, or start only `names`."""
    with _recorded(installation, "start", names), held(installation.home.lock):
        record.refuse_unfinished(installation.home)
        if not names:
            start_all(installation)
            return
        _check(installation, names)
        bytecode.mend(installation)
        installation.services.configure(installation.programs())
        installation.services.launch()
        installation.services.start(list(names))


def stop(installation: Installation, names: Sequence[str] = ()) -> None:
    """Stop all components and the manager, Airflow before PostgreSQL; or stop only `names`."""
    with _recorded(installation, "stop", names), held(installation.home.lock):
        if names:
            _check(installation, names)
            installation.services.stop(list(names))
            return
        installation.services.stop(installation.components)
        installation.services.stop(installation.servers)
        installation.services.shut_down()
        if installation.receipt.services != NONE:  # then what runs is somebody else's to stop
            # an installer that was killed leaves what it was running, such as a migration
            strays.kill_users(installation.home.path / "releases", programs_only=True)


def exec_as_account(installation: Installation, command: List[str]) -> None:
    """Replace this process by `command`, as the installation's account; raises CommandFailed."""
    os.environ.pop(broker.VARIABLE, None)
    try:
        os.execvpe(command[0], command, {**os.environ, "HOME": installation.receipt.home})  # noqa: S606
    except OSError as error:
        raise process.CommandFailed(f"{command[0]} did not start: {error.strerror}.") from error


def _recorded(
    installation: Installation, command: str, names: Sequence[str]
) -> ContextManager[Dict[str, object]]:
    details = {"components": list(names)} if names else {}
    return Journal(installation.home.journal).recorded(command, **details)


def _check(installation: Installation, names: Sequence[str]) -> None:
    known = [*installation.servers, *installation.components]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ServiceError(
            f"There is no component {', '.join(unknown)}.", needed="one of " + ", ".join(known)
        )


def _readable(home: Home) -> None:
    if Path(home.path).exists() and not os.access(str(home.path), os.X_OK):
        raise account.AccountError(
            f"{home.path} cannot be entered by {account.current().name}.",
            hint="Run this as the account that owns it, or as root.",
        )
