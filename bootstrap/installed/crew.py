"""The workers of a head as one value: who was invited, who has shown up, and what waits for nobody."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Tuple

from bootstrap.cluster.dags import mark
from bootstrap.cluster.engine import Seen, Waiting, of_cluster, versions
from bootstrap.cluster.sysinfo import bundle
from bootstrap.installed import meeting
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster as clusters
from bootstrap.state.cluster import HeadRecord, Invited
from wheelhouse import timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest

# Well before the ten minutes after which Airflow takes a waiting task for a lost one.
WAITING_SECONDS = 60.0
# What stands in the place of the engine's word.
INVITED, EXPIRED, LOST = "invited", "invitation ended", "lost"


@dataclass(frozen=True)
class WorkerStatus:
    """A worker as its head sees it; `age` is how many seconds ago it was heard of (-1: never).

    `differing` are packages of another version than here (``name version``). `dags` is the digest of its DAG
    files and `drifting` what else is not as here: the bundle, the DAG files. `logs` is why the logs of its
    tasks cannot be read from here while it holds them ("": they can, or the engine brings them here).
    """

    name: str
    state: str
    alive: bool
    age: float
    queues: Tuple[str, ...]
    running: int
    slots: int
    airflow: str = ""
    differing: Tuple[str, ...] = ()
    note: str = ""
    dags: str = ""
    drifting: Tuple[str, ...] = ()
    logs: str = ""

    @property
    def good(self) -> bool:
        """Whether it runs, or was never there."""
        return (self.alive and not self.differing) or self.state in (INVITED, EXPIRED, "offline")


@dataclass(frozen=True)
class Crew:
    """All workers, queues that no live worker serves (`starving`), and the digest of the DAG files here.

    `broker` is the URL of the engine's broker without its password, `broker_problem` what is wrong with it.
    """

    engine: str
    workers: Tuple[WorkerStatus, ...]
    starving: Tuple[Waiting, ...]
    dags: str = ""
    broker: str = ""
    broker_problem: str = ""


def find(installation: Installation) -> Optional[Crew]:
    """As :func:`look`; None where there are no workers, or nobody can say."""
    try:
        return look(installation) if clusters.find(installation.home) else None
    except (AirferryError, OSError):
        return None


def look(installation: Installation) -> Crew:
    """Ask the head's records and its database; raises NoCluster, DatabaseUnavailable, StatementFailed."""
    cluster = clusters.load(installation.home)
    engine, query = of_cluster(cluster), installation.database.query
    seen = {item.name: item for item in engine.seen(query)}
    invited = {item.name: item for item in cluster.workers}
    here = packages(installation)
    wanted = versions(here, engine)
    own = mark(installation.folders.pipelines, installation.folders.plugins)
    here_is = {"bundle": bundle(installation.home.path), "DAG files": own}
    found = [
        _status(name, seen.get(name), invited.get(name), wanted, here_is)
        for name in sorted({*seen, *invited})
    ]
    alive = {queue for item in found if item.alive and not _drained(item) for queue in item.queues}
    starving = [
        item
        for item in engine.waiting(query, spread=cluster.spread)
        if item.queue not in alive and item.seconds > WAITING_SECONDS
    ]
    problem = ""
    if cluster.broker:
        problem = meeting.ping(installation, meeting.of_head(installation, cluster).broker)
    port = installation.receipt.log_port
    told = [replace(item, logs=_logs(seen[item.name], port)) if item.alive else item for item in found]
    return Crew(engine.name, tuple(told), tuple(starving), own, cluster.broker, problem)


def _logs(seen: Seen, port: int) -> str:
    """Why the head does not reach the logs that a worker serves; "" where it does, or none are served."""
    if not seen.host:
        return ""
    try:
        socket.create_connection((seen.host, port), timeout=3).close()
    except OSError as error:
        return f"{seen.host} port {port}: {error.strerror or error}"
    return ""


def packages(installation: Installation) -> Dict[str, str]:
    """The versions of the installation's packages, by name."""
    try:
        text = installation.release.manifest.read_text(encoding="utf-8")
        found = {package.name: package.version for package in Manifest.loads(text).packages}
    except (OSError, UnicodeDecodeError, AirferryError):
        found = {"apache-airflow": installation.receipt.airflow}
    for item in installation.receipt.added:
        found.update(dict(name.split(" ", 1) for name in item.packages if " " in name))
    return found


def ended(until: str) -> bool:
    """Whether a moment (RFC 3339) has passed."""
    return timestamp.parse(until).timestamp() < time.time()


def _status(
    name: str,
    seen: Optional[Seen],
    invited: Optional[Invited],
    wanted: Mapping[str, str],
    here: Mapping[str, str],
) -> WorkerStatus:
    if seen is None:
        assert invited is not None, "a name comes from one of the two"
        state = EXPIRED if ended(invited.until) else INVITED
        return WorkerStatus(name, state, False, -1.0, invited.queues, 0, 0)
    differing = tuple(
        f"{package} {version}"
        for package, version in seen.versions.items()
        if version and package in wanted and version != wanted[package]
    )
    state = seen.state
    if not seen.alive and state not in ("offline", "offline maintenance"):
        state = LOST
    return WorkerStatus(
        name, state, seen.alive, round(seen.age, 1), seen.queues, seen.running, seen.slots,
        seen.versions.get("apache-airflow", ""), differing, seen.note, seen.dags,
        tuple(what for what, value in (("bundle", seen.bundle), ("DAG files", seen.dags))
              if value and value != here[what]),
    )  # fmt: skip


def _drained(item: WorkerStatus) -> bool:
    return "maintenance" in item.state


def rests(state: str, running: int) -> bool:
    """Whether a worker in that state takes no tasks and has ended those that it had."""
    return running == 0 and "maintenance mode" in state


def busy(found: Crew) -> List[WorkerStatus]:
    """The live workers that run tasks, or may take some any moment: those that are not drained to the end."""
    return [item for item in found.workers if item.alive and not rests(item.state, item.running)]


def names(cluster: HeadRecord) -> List[str]:
    """The workers that were invited."""
    return [item.name for item in cluster.workers]
