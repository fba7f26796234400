"""The broker of a head: named, asked, and kept, before anything else is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Tuple

from bootstrap.base import secret, smallfile
from bootstrap.base.secret import Secret
from bootstrap.cluster import celery
from bootstrap.cluster.broker import BrokerUnusable
from bootstrap.installed import meeting
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster as clusters
from bootstrap.state.cluster import HeadRecord
from bootstrap.state.plan import Progress

# Addresses on the networks that this host itself is on (pg_hba.conf).
_NEAR = ("samenet",)


@dataclass(frozen=True)
class BrokerAsked:
    """A broker as it was asked for: its URL without a password, that, and who has signed its certificate.

    `networks` are those from which workers reach the head's own PostgreSQL.
    """

    url: str = ""
    password: Optional[Secret] = None
    authorities: str = ""
    networks: Tuple[str, ...] = ()


NO_BROKER = BrokerAsked()


def settle(
    installation: Installation, cluster: HeadRecord, asked: BrokerAsked, progress: Progress
) -> HeadRecord:
    """Ask the broker, then keep how it is reached; the record with it. Raises BrokerUnusable."""
    home = installation.home
    url = asked.url or cluster.broker
    if not url:
        raise BrokerUnusable(
            "Celery needs a broker: a server that tasks go through on their way to workers.",
            needed="the URL of the site's Redis, Valkey or RabbitMQ, which every host reaches",
            hint="bin/airferry workers enable celery --broker redis://HOST:6379/0. A host's own package"
            " does: redis-server or valkey, with bind, requirepass, appendonly yes and maxmemory-policy"
            " noeviction.",
        )
    if url == celery.OF_DATABASE and installation.version.numbers >= (3, 0, 0):
        raise BrokerUnusable(
            "With Airflow 3 the database cannot be the broker as well.",
            needed="Redis, Valkey or RabbitMQ; or Edge, which needs neither: workers enable edge",
        )
    path = clusters.broker_file(home)
    if asked.password is None and url == cluster.broker and path.exists():
        told = secret.read(path)
    else:
        told = celery.with_password(url, asked.password or Secret(""))
    kept = clusters.broker_authorities_file(home)
    # until the broker has answered, what is in use stays
    asking = kept.with_name(f"{kept.name}.asked") if asked.authorities else kept
    try:
        if asked.authorities:
            smallfile.write(asking, asked.authorities, 0o600)
        if url != celery.OF_DATABASE:
            with progress.step(f"Ask the broker {url}"):
                _ask(installation, url, told, asking)
        if asked.authorities:
            asking.replace(kept)
    finally:
        if asked.authorities:
            asking.unlink(missing_ok=True)
    # of a secret value no more is recorded than that it is one: another would not be noticed. First, so that
    # one that is kept is always going to be written
    written = ManagedSettings(installation)
    if not path.exists() or secret.read(path) != told:
        written.forget("broker_url")
        secret.write(path, told)
    role_password = home.secrets / celery.ROLE_PASSWORD
    if not role_password.exists():
        written.forget("result_backend")
        secret.write(role_password, secret.generate(32))
    networks = asked.networks or cluster.networks or _NEAR
    return replace(cluster, broker=url, networks=networks if meeting.own_server(installation) else ())


def _ask(installation: Installation, url: str, told: Secret, authorities: Path) -> None:
    """Raise BrokerUnusable for a broker that does not answer, or refuses."""
    problem = meeting.ping(installation, told, authorities)
    if problem:
        raise BrokerUnusable(
            f"The broker cannot be used: {problem}.",
            found=url,
            needed="an answer to this host, and later to each worker",
            hint="Is it up, is its port open for this host, and is the password right"
            " (--broker-password-file FILE)? Nothing was changed.",
        )
