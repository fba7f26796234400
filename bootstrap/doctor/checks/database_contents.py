"""What is already in a database of an external PostgreSQL server."""

from __future__ import annotations

from typing import Iterator

from bootstrap.airflow import differences, revisions
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import WantedServer
from bootstrap.doctor.severity import BLOCKER, NOTE
from bootstrap.facts.server import Asked, DatabaseFacts

DATABASE_FOREIGN = Entry(
    "database-foreign",
    BLOCKER,
    "The database contains other tables",
    "Airflow's tables would be mixed with them, and a restore or an upgrade would touch both.",
    "An installation needs a database of its own. Another database on the same server is enough.",
)
DATABASE_AIRFLOW = Entry(
    "database-airflow",
    BLOCKER,
    "The database contains the tables of an Airflow",
    "An install would migrate them to this release, which cannot be undone without a backup.",
    "With --adopt-database they are taken over: DAG runs, connections, variables and accounts stay, and"
    " the schema is migrated to this release. Back the database up first.",
)
DATABASE_NEWER = Entry(
    "database-newer",
    BLOCKER,
    "The Airflow in the database is newer than this bundle",
    "A schema is migrated forwards only.",
)
DATABASE_IN_USE = Entry(
    "database-in-use",
    BLOCKER,
    "Another Airflow uses the database",
    "Two schedulers of different installations run each other's tasks, and the older one breaks on the"
    " migrated schema.",
)
DATABASE_FERNET = Entry(
    "database-fernet",
    BLOCKER,
    "The key to the passwords in the database is missing",
    "Connections and variables are encrypted with the fernet key of the Airflow that wrote them; without"
    " it every task that uses one fails.",
    "The key is in that Airflow's airflow.cfg, [core] fernet_key (or in its environment,"
    " AIRFLOW__CORE__FERNET_KEY). An airflow.cfg in the home is kept, and its keys are taken over.",
)

_SHOWN = 5
# What is in every Airflow's database, and together in no other.
_AIRFLOW = ("alembic_version", "dag", "dag_run", "task_instance")


def contents(found: DatabaseFacts, asked: Asked, wanted: WantedServer, airflow: str) -> Iterator[Finding]:
    """Tables that are there already."""
    if not found.tables or wanted.own:
        return
    if not all(f"{found.schema}.{table}" in found.tables for table in _AIRFLOW):
        more = f" and {len(found.tables) - _SHOWN} more" if len(found.tables) > _SHOWN else ""
        yield DATABASE_FOREIGN.found(
            ", ".join(found.tables[:_SHOWN]) + more,
            needed="an empty database",
            remedy="Name another database in the URL; this one is not touched.",
        )
        return
    version = revisions.FIRST.get(found.revision)
    what = f"Airflow {version}" if version else f"an Airflow (revision {found.revision or 'unknown'})"
    if found.alive:
        yield DATABASE_IN_USE.found(
            f"{what} on {', '.join(found.alive)}, alive within the last minute",
            needed="an Airflow that is stopped",
            remedy="Stop all its components, wait a minute, and try again.",
        )
    if version is None or differences.numbers(version) > differences.numbers(airflow):
        yield DATABASE_NEWER.found(
            what,
            needed=f"a schema of Airflow {airflow} or older",
            remedy="Use a bundle of that Airflow or a newer one.",
        )
    elif not wanted.adopt:
        yield DATABASE_AIRFLOW.found(
            f"{what} in {asked.database}",
            needed="an empty database",
            remedy="Name another database; or take it over, after a backup, with --adopt-database.",
        )
    else:
        yield DATABASE_AIRFLOW.found(f"{what} in {asked.database} is taken over", severity=NOTE)
        if found.encrypted and not found.opens:
            here = (
                "this host has no key"
                if found.opens is None
                else "the key on this host does not decrypt them"
            )
            yield DATABASE_FERNET.found(
                f"{found.encrypted} connections and variables are encrypted, and {here}",
                needed="the fernet key of the Airflow that wrote them",
                remedy="Copy that Airflow's airflow.cfg into the home first: its keys are taken"
                " over. Or continue"
                " without it (--ignore database-fernet) and enter these passwords again.",
            )
