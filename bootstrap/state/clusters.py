"""The old cluster, set aside as a whole: a server of another major version cannot read it."""

from __future__ import annotations

from pathlib import Path

from bootstrap.base import discard
from bootstrap.state.home import Home
from bootstrap.state.receipt import PRIVATE, Receipt

_DISCARDED = "postgres.discarded-"


def crosses(old: Receipt, new: Receipt) -> bool:
    """Whether a cluster of our own would have to be read by a server of another major version."""
    if (old.database.kind, new.database.kind) != (PRIVATE, PRIVATE):
        return False
    return major(old.database.server) != major(new.database.server)


def major(version: str) -> int:
    """The major version of PostgreSQL's (18 for ``18.6``)."""
    return int(version.partition(".")[0])


def set_aside(home: Home) -> None:
    """Move the cluster beside its place; its server must be down."""
    tidy(home)
    if home.cluster.exists():
        home.cluster.replace(_aside(home))


def bring_back(home: Home) -> bool:
    """Move it back, whatever was made in its place; whether there was one."""
    if not _aside(home).exists():
        return False
    if home.cluster.exists():
        discard.set_aside(home.cluster, _DISCARDED)
    _aside(home).replace(home.cluster)
    tidy(home)
    return True


def tidy(home: Home) -> None:
    """Remove what is not to be brought back any more."""
    if _aside(home).exists():
        discard.set_aside(_aside(home), _DISCARDED)
    discard.sweep(home.path, _DISCARDED)


def _aside(home: Home) -> Path:
    return home.cluster.with_name("postgres.before")
