"""The metadata database: reachable, at this release's revision, read by living components."""

from __future__ import annotations

from typing import Iterator

from bootstrap.base.columns import listed
from bootstrap.base.console import size_text
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.installed import Installed
from bootstrap.examination.metadata import Metadata

DATABASE_OK = Entry("database-ok", OK, "The database answers and fits this release")
DATABASE_REFUSED = Entry(
    "database-refused",
    BLOCKER,
    "The database does not answer Airflow's role",
    "Airflow does not work without it.",
)
SCHEMA_BEHIND = Entry(
    "schema-behind",
    BLOCKER,
    "The database's schema is not that of this release",
    "Components wait for a migration, or fail at the first column that is missing.",
    "The newest revision among the release's own migration scripts was compared with the database's.",
)
TABLES_MISSING = Entry(
    "tables-missing",
    BLOCKER,
    "Tables are missing in the database",
    "Whatever needs one of them fails: often every task.",
)
CHECKSUMS_OFF = Entry(
    "checksums-off",
    NOTE,
    "The database's pages have no checksums",
    "A disk that returns wrong data is noticed late. airferry enables them when it creates a cluster.",
)
CONNECTIONS_MANY = Entry(
    "connections-many",
    WARNING,
    "The database has few free connections",
    "At the limit every component and task fails with 'too many clients already'.",
)
HEARTBEAT_OLD = Entry(
    "heartbeat-old",
    BLOCKER,
    "A component runs, but sends no heartbeat",
    "It hangs, and tasks wait for it; the process alone does not show it.",
)
DAG_IMPORT_ERRORS = Entry(
    "dag-import-errors",
    WARNING,
    "DAG files cannot be imported",
    "Their pipelines do not run, and disappear from the list after a while.",
)

_SILENT = 60.0  # Airflow itself calls a component ill after 30 s without a sign of life
_USED = 0.85


def check(installed: Installed) -> Iterator[Finding]:
    """What the server says; a server that is meant to be down is another finding."""
    found = installed.metadata
    if found is None:
        return
    states = {item.name: item.state for item in installed.components or ()}
    if found.problem:
        if states.get("postgres", "RUNNING") == "RUNNING":
            yield DATABASE_REFUSED.found(
                found.problem,
                needed="an answer to Airflow's own role",
                remedy=f"The server's log is {installed.home}/logs/airferry/postgres.log.",
            )
        return
    problems = [*_schema(found, installed), *_server(found), *_life(found, installed)]
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        used = f"{found.connections} of {found.most} connections"
        yield DATABASE_OK.found(f"PostgreSQL {found.version}, {size_text(found.size)}, {used}")
    if found.unread:
        lines = [f"{name}: {error}" for name, error in found.unread.items()]
        yield DAG_IMPORT_ERRORS.found(
            listed(lines),
            needed="DAG files that can be imported",
            remedy="Correct them; each is read again within a minute. The full error is on Airflow's"
            " home page.",
        )


def _schema(found: Metadata, installed: Installed) -> Iterator[Finding]:
    again = (f"{installed.home}/bin/airflow db migrate", f"{command(installed)} restart")
    lines = [
        f"{table}: {found.revisions.get(table) or 'none'}, not {head}"
        for table, head in found.heads.items()
        if found.revisions.get(table) != head
    ]
    if lines:
        yield SCHEMA_BEHIND.found(
            listed(lines),
            needed=f"the revisions of Airflow {installed.airflow}",
            remedy="Stop Airflow, make a backup, then bring the schema up to date:",
            commands=again,
        )
    if found.missing:
        yield TABLES_MISSING.found(
            ", ".join(found.missing),
            needed=f"every table of Airflow {installed.airflow}",
            remedy="Restore a backup. Without one: move postgres/ away, and the install creates"
            " an empty database.",
        )


def _server(found: Metadata) -> Iterator[Finding]:
    if not found.checksums:
        yield CHECKSUMS_OFF.found("data_checksums = off")
    if found.most and found.connections > _USED * found.most:
        yield CONNECTIONS_MANY.found(
            f"{found.connections} of {found.most} connections are in use",
            needed="free connections",
            remedy="Look for clients that do not close their connections (SELECT * FROM"
            " pg_stat_activity), or raise"
            " max_connections"
            " in postgres/postgresql.conf below the include, then restart.",
        )


def _life(found: Metadata, installed: Installed) -> Iterator[Finding]:
    """Signs of life in the database itself: the web server that Airflow's own health needs may be down."""
    reported = {item.name: item for item in installed.components or ()}
    silent = [
        f"{item.component}: {item.age:.0f} s ago"
        for item in found.heartbeats
        if item.age > _SILENT
        and item.component in reported
        and reported[item.component].state == "RUNNING"
        # what Airflow says itself is a finding already
        and reported[item.component].health in ("", "unreachable")
    ]
    if silent:
        yield HEARTBEAT_OLD.found(
            listed(silent),
            needed=f"a heartbeat within {_SILENT:.0f} seconds",
            remedy="Look at its log, then restart it:",
            commands=(f"{command(installed)} restart",),
        )
