"""Where head and workers meet when an engine needs more than the web server: the broker and the database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

from bootstrap.airflow.differences import Version
from bootstrap.base import process, secret
from bootstrap.base.secret import Secret
from bootstrap.cluster import broker, celery, dags, link
from bootstrap.cluster.engine import Way, engine_of
from bootstrap.cluster.link import HeadAnswer
from bootstrap.installed import external
from bootstrap.installed.installation import Installation
from bootstrap.postgres import wire
from bootstrap.postgres.connection import Connection
from bootstrap.state import cluster as clusters
from bootstrap.state.cluster import DATABASE, HeadRecord, Join
from bootstrap.state.receipt import PRIVATE
from wheelhouse.errors import AirferryError

_LOOPBACK = ("localhost", "::1")


class Meeting(NamedTuple):
    """The URLs as the head itself uses them; both empty for an engine that needs neither."""

    broker: Secret
    results: Secret


def of_head(installation: Installation, cluster: HeadRecord) -> Meeting:
    """The URLs of broker and results on the head."""
    if cluster.engine != "celery":
        return Meeting(Secret(""), Secret(""))
    place, password = connection(installation), database_password(installation)
    told = secret.read(clusters.broker_file(installation.home))
    return Meeting(celery.broker_url(told, place, password), celery.results_url(place, password))


def own_server(installation: Installation) -> bool:
    """Whether the metadata database is on the installation's own PostgreSQL."""
    return installation.receipt.database.kind == PRIVATE


def has_own_role(version: Version, *, private: bool) -> bool:
    """Whether workers have a role that sees nothing but results: not where each is a client of it all."""
    return private and version >= (3, 0, 0)


def connection(installation: Installation) -> Connection:
    """How the head reaches what it shares with workers in the database."""
    found = external.connection_of(installation.receipt.database, installation.home)
    if has_own_role(installation.version.numbers, private=own_server(installation)):
        return Connection(found.host, found.port, found.database, celery.ROLE)
    return found


def database_password(installation: Installation) -> Secret:
    """The password of that role."""
    home = installation.home
    if has_own_role(installation.version.numbers, private=own_server(installation)):
        return secret.read(home.secrets / celery.ROLE_PASSWORD)
    return secret.read(home.postgres_password)


def for_worker(installation: Installation, cluster: HeadRecord) -> Dict[str, str]:
    """How a worker reaches the same: another name for what is on this host."""
    found = connection(installation)
    here = found.host in _LOOPBACK or found.host.startswith("127.")
    told = {
        "host": cluster.address if here else found.host, "port": str(found.port), "name": found.database,
        "role": found.user, "sslmode": found.sslmode,
    }  # fmt: skip
    if found.sslrootcert:
        told["authorities"] = Path(found.sslrootcert).read_text(encoding="utf-8", errors="replace")
    return told


def ways(installation: Installation, cluster: HeadRecord) -> Tuple[Way, ...]:
    """What must be open between the hosts of this head."""
    found = installation.receipt
    database = found.database.port if own_server(installation) else 0
    return engine_of(cluster.engine).ways(found.web_port, cluster.broker, database, found.log_port)


def access(installation: Installation) -> Tuple[Tuple[str, ...], str]:
    """The networks that the installation's own PostgreSQL lets workers in from, and as which role."""
    found = clusters.find(installation.home)
    if found is None or found.engine != "celery" or not own_server(installation):
        return (), ""
    return found.networks, connection(installation).user


def make(installation: Installation) -> None:
    """Make table, role and rights that workers need, where they are not there; raises CommandFailed."""
    query = installation.database.query
    if not query(f"SELECT to_regclass('{celery.SCHEMA}.worker')").strip():
        query(celery.TABLE)
    if not has_own_role(installation.version.numbers, private=own_server(installation)):
        return
    server, word = installation.cluster, database_password(installation).reveal()
    there = server.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{celery.ROLE}'", superuser=True)  # noqa: S608
    verb = "ALTER" if there else "CREATE"
    grants = celery.GRANTS.replace("CURRENT_DATABASE_NAME", installation.receipt.database.name)
    place = f"\\connect {installation.receipt.database.name}"
    text = f"{verb} ROLE {celery.ROLE} LOGIN PASSWORD '{word}';\n{place}\n{grants};\n"
    server.script(Secret(text), what="make the role of workers", hidden=(Secret(word),))


def ensure(installation: Installation) -> None:
    """Before components start: have what workers need; a restored database or a new release may lack it."""
    found = clusters.find(installation.home)
    if found is None or found.engine != celery.CELERY.name:
        return
    if not dags.modules_current(installation.home.path):
        dags.write_modules(installation.home.path)
    make(installation)


def look(
    installation: Installation, join: Join, timeout: float = 10.0, *, versions: bool = True
) -> HeadAnswer:
    """The way from a worker to its head, and to whatever else its engine needs; never raises.

    With `versions` the head is asked for its release as well.
    """
    found = link.look(join, timeout, installation.receipt.airflow if versions else "")
    if not join.database or found.error:
        return found
    database = ""
    try:
        with wire.session(celery.connection(join), join.key(DATABASE), timeout) as session:
            session.query("SELECT 1")
    except AirferryError as error:
        words = getattr(error, "said", "") or error.message
        database = f"the head's database at {celery.connection(join).address}: {words}"
    return replace(found, database=database, broker=ping(installation, celery.CELERY.broker(join)))


def undrain(join: Join) -> None:
    """On a worker: have its own row say that it takes tasks; raises DatabaseUnavailable, StatementFailed."""
    with wire.session(celery.connection(join), join.key(DATABASE)) as session:
        celery.CELERY.undrain(lambda sql: str(session.query(sql)), join.name)


def ping(installation: Installation, url: Secret, authorities: Optional[Path] = None) -> str:
    """What is wrong with the broker as this host sees it, in a line; "" for nothing.

    `authorities` are the certificates that its own is signed by (None: those that are kept).
    """
    return broker.ping(
        url,
        installation.release.python,
        process.environment(installation.airflow.environment()),
        authorities or clusters.broker_authorities_file(installation.home),
    )
