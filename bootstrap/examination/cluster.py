"""An installation as a part of a cluster: a worker's way to its head, a head's workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from bootstrap.airflow.webaddress import port_of
from bootstrap.base.secret import masked
from bootstrap.cluster.engine import Way, engine_of
from bootstrap.cluster.link import HeadAnswer
from bootstrap.installed import crew, in_force, meeting, refusals
from bootstrap.installed.crew import Crew
from bootstrap.installed.dagimports import DagProblem, imported
from bootstrap.installed.installation import Installation
from bootstrap.installed.refusals import WorkerRefusal
from bootstrap.state import cluster as clusters
from bootstrap.state.cluster import BROKER, Join, joined

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class OfWorker:
    """What a worker sees: its head, and what differs from there.

    `dags_folder` is where its DAG files lie, `proxies` are variables of its processes that name one, past
    which the head is asked.
    """

    name: str
    host: str
    base: str
    link: HeadAnswer
    differing: Tuple[str, ...]
    dags_folder: str = ""
    proxies: Tuple[str, ...] = ()


@dataclass(frozen=True)
class ClusterFacts:
    """One of the two; both are None on a host of its own. `refused` are workers that a head did not take.

    `ways` must be open between the hosts.
    """

    worker: Optional[OfWorker] = None
    head: Optional[Crew] = None
    refused: Tuple[WorkerRefusal, ...] = ()
    ways: Tuple[Way, ...] = ()


def collect(installation: Installation) -> ClusterFacts:
    """Look at it."""
    if not installation.is_worker:
        found = crew.find(installation)
        if found is None:
            return ClusterFacts()
        ways = meeting.ways(installation, clusters.load(installation.home))
        return ClusterFacts(head=found, refused=refusals.find(installation), ways=ways)
    join = joined(installation.home)
    here = crew.packages(installation)
    answer = meeting.look(installation, join)
    # what the head says now counts, not what it was when it wrote the join file
    told = {} if answer.other_version else join.packages
    differing = [
        f"{name}: {version} there, {here.get(name) or 'none'} here"
        for name, version in told.items()
        if here.get(name) != version
    ]
    if answer.other_version:
        differing = [f"apache-airflow: {answer.version} there, {answer.here} here"]
    own = in_force.variables(installation.home)
    proxies = tuple(sorted(name for name in own if name.lower() in _PROXIES and own[name]))
    folder = str(installation.folders.pipelines)
    seen = OfWorker(join.name, join.host, join.base, answer, tuple(differing), folder, proxies)
    return ClusterFacts(seen, ways=_ways(join, port_of(join.base)))


def _ways(join: Join, port: int) -> Tuple[Way, ...]:
    broker = join.key(BROKER).reveal()
    database = int(join.database.get("port", "0"))
    return engine_of(join.engine).ways(port, masked(broker) if broker else "", database, join.log_port)


def dag_imports(installation: Installation) -> Tuple[DagProblem, ...]:
    """On a worker: the DAG files that cannot be imported on this host, whatever the head makes of them."""
    return imported(installation, installation.folders.pipelines).problems
