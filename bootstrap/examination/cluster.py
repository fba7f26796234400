"""An installation as a part of a cluster: a worker's way to its head, a head's workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from bootstrap.cluster import link
from bootstrap.cluster.link import HeadAnswer
from bootstrap.installed import crew
from bootstrap.installed.crew import Crew
from bootstrap.installed.installation import Installation
from bootstrap.state.cluster import joined


@dataclass(frozen=True)
class OfWorker:
    """What a worker sees: its head, and what differs from what that had when it made the join file."""

    name: str
    host: str
    base: str
    link: HeadAnswer
    differing: Tuple[str, ...]


@dataclass(frozen=True)
class ClusterFacts:
    """One of the two; both are None on a host of its own."""

    worker: Optional[OfWorker] = None
    head: Optional[Crew] = None


def collect(installation: Installation) -> ClusterFacts:
    """Look at it."""
    if not installation.is_worker:
        return ClusterFacts(head=crew.find(installation))
    join = joined(installation.home)
    here = crew.packages(installation)
    differing = [
        f"{name}: {version} there, {here.get(name) or 'none'} here"
        for name, version in join.packages.items()
        if here.get(name) != version
    ]
    return ClusterFacts(OfWorker(join.name, join.host, join.base, link.look(join), tuple(differing)))
