"""The state of an installation: what runs, how healthy it is, and what a change has left unfinished."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Sequence, Tuple

from bootstrap.airflow import health
from bootstrap.airflow.health import HEALTHY, UNHEALTHY, UNREACHABLE
from bootstrap.base.lock import holder
from bootstrap.cluster.engine import Waiting
from bootstrap.installed import crew, meeting
from bootstrap.installed.crew import Crew, WorkerStatus
from bootstrap.installed.installation import POSTGRES, Installation
from bootstrap.postgres.refusal import DatabaseUnavailable
from bootstrap.state import change_record
from bootstrap.state.cluster import joined
from bootstrap.state.home import Home, site_before
from wheelhouse.errors import AirferryError

# The name under which the status shows an external server.
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
    """The state of an installation.

    `unfinished` says what to do about an install, an upgrade, a restore or a rollback that was broken off;
    `added` are the packages of add-ons (``name version``). `workers` are those of a head, `starving` the
    queues whose tasks none of them takes.
    """

    airflow: str
    bundle_id: str
    home: str
    url: str
    components: Tuple[ComponentStatus, ...]
    unfinished: str = ""
    added: Tuple[str, ...] = ()
    workers: Tuple[WorkerStatus, ...] = ()
    starving: Tuple[Waiting, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every component is, every worker that was ever there, and no task waits in vain."""
        well = all(item.good for item in self.components)
        return well and all(item.good for item in self.workers) and not self.starving


def look(installation: Installation) -> Status:
    """Look at every component; never fails because one is down."""
    found = installation.receipt
    if installation.is_worker:
        return _of_worker(installation)
    external = [] if installation.servers else [_external(installation)]
    states = installation.services.states()
    reported = health.fetch(installation.version, installation.web)
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
    found_crew = crew.find(installation)
    if found_crew and found_crew.broker not in ("", "database"):
        components.append(_broker(found_crew))
    return Status(
        found.airflow,
        found.bundle_id,
        found.home,
        installation.url,
        tuple(components),
        unfinished(installation.home) or _never_finished(installation, components),
        tuple(name for item in found.added for name in item.packages),
        found_crew.workers if found_crew else (),
        found_crew.starving if found_crew else (),
    )


def _broker(found: Crew) -> ComponentStatus:
    """The broker of the site's, as this host sees it."""
    state = "UNREACHABLE" if found.broker_problem else "RUNNING"
    return ComponentStatus("broker", state, "", found.broker_problem or f"{found.broker}, not managed here")


def _of_worker(installation: Installation) -> Status:
    """The worker, and what its head says to it."""
    found, head = installation.receipt, meeting.look(installation, joined(installation.home))
    states = installation.services.states()
    components = []
    for name in installation.components:
        state = states.get(name)
        note = state.note if state else f"{found.services} does not run it"
        health = UNREACHABLE if head.error else UNHEALTHY if head.problem else HEALTHY
        parts = (state.state if state else "STOPPED", health, ", ".join(filter(None, (note, head.problem))))
        components.append(ComponentStatus(name, *parts))
    never = _never_finished(installation, components)
    added = tuple(name for item in found.added for name in item.packages)
    return Status(
        found.airflow, found.bundle_id, found.home, installation.url, tuple(components), never, added
    )


def running(installation: Installation) -> Tuple[str, ...]:
    """The components that run, PostgreSQL of our own among them; none where nobody can say."""
    try:
        states = installation.services.states()
    except (AirferryError, OSError):
        return ()
    names = [*installation.servers, *installation.components]
    return tuple(name for name in names if name in states and states[name].pid)


def stop_command(installation: Installation) -> str:
    """What stops all of it, as it is typed."""
    return f"{shlex.quote(str(installation.home.bin / 'airferry'))} stop"


def _never_finished(installation: Installation, components: Sequence[ComponentStatus]) -> str:
    found = installation.receipt
    if found.completed or found.removed or holder(installation.home.lock):
        return ""
    names = [item.name for item in components if item.state == "RUNNING" and item.name != DATABASE]
    again = f"sh {shlex.quote(found.bundle_file)} install --home {shlex.quote(found.home)}"
    stop = f" To stop what runs: {stop_command(installation)}" if names else ""
    runs = f"; running all the same: {', '.join(names)}" if names else ""
    return f"The install was never finished{runs}. To finish it: {again}.{stop}"


def unfinished(home: Home) -> str:
    """What to do about a change that was broken off; "" where none was."""
    busy = holder(home.lock)
    if busy:
        return f"Another airferry command is running ({busy})." if change_record.find(home) else ""
    try:
        change_record.refuse_unfinished(home)
    except change_record.ChangeUnfinished as error:
        return f"{error.message} {error.hint}"
    if site_before(home).exists():
        return (
            "A change of site settings was interrupted before they were proven. This goes back to those"
            f" before it: {shlex.quote(str(home.bin / 'airferry'))} site undo"
        )
    return ""


def _external(installation: Installation) -> ComponentStatus:
    """The database on an external server: whether Airflow's role can log in."""
    try:
        installation.external.log_in()
    except DatabaseUnavailable as error:
        return ComponentStatus(DATABASE, "UNREACHABLE", "", error.said)
    address = installation.database.connection.address
    return ComponentStatus(DATABASE, "RUNNING", "", f"at {address}, not managed by this installation")
