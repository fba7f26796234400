"""The metadata database: reachable, at this release's revision, read by living components."""

from __future__ import annotations

from typing import Iterator

from bootstrap.base.console import size_text
from bootstrap.doctor.checks.files import command, listed
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.installed import Installed
from bootstrap.examination.metadata import Metadata

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
            yield Finding(
                "database-refused", BLOCKER, found.problem, "an answer to Airflow's own role",
                f"The server's log is {installed.home}/logs/airferry/postgres.log.",
            )  # fmt: skip
        return
    problems = [*_schema(found, installed), *_server(found), *_life(found, installed)]
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        used = f"{found.connections} of {found.most} connections"
        yield Finding(
            "database-ok", OK, f"PostgreSQL {found.version}, {size_text(found.size)}, {used}"
        )  # fmt: skip
    if found.unread:
        lines = [f"{name}: {error}" for name, error in found.unread.items()]
        yield Finding(
            "dag-import-errors", WARNING, listed(lines), "DAG files that can be imported",
            "Mend them; each is read again within a minute. The whole error is on the first page of Airflow.",
        )  # fmt: skip


def _schema(found: Metadata, installed: Installed) -> Iterator[Finding]:
    again = (f"{installed.home}/bin/airflow db migrate", f"{command(installed)} restart")
    lines = [
        f"{table}: {found.revisions.get(table) or 'none'}, not {head}"
        for table, head in found.heads.items()
        if found.revisions.get(table) != head
    ]
    if lines:
        yield Finding(
            "schema-behind", BLOCKER, listed(lines), f"the revisions of Airflow {installed.airflow}",
            "Stop Airflow, make a backup, then bring the schema up to date:", again,
        )  # fmt: skip
    if found.missing:
        yield Finding(
            "tables-missing", BLOCKER, ", ".join(found.missing),
            f"every table of Airflow {installed.airflow}",
            "Restore a backup. Without one: move postgres/ away, and the install makes an empty database.",
        )  # fmt: skip


def _server(found: Metadata) -> Iterator[Finding]:
    if not found.checksums:
        yield Finding("checksums-off", NOTE, "data_checksums = off")
    if found.most and found.connections > _USED * found.most:
        yield Finding(
            "connections-many", WARNING, f"{found.connections} of {found.most} connections are in use",
            "some to spare",
            "Look for clients that do not let go (SELECT * FROM pg_stat_activity), or raise max_connections"
            " in postgres/postgresql.conf below the include, then restart.",
        )  # fmt: skip


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
        yield Finding(
            "heartbeat-old", BLOCKER, listed(silent), f"a sign of life within {_SILENT:.0f} seconds",
            "Look at its log, then restart it:", (f"{command(installed)} restart",),
        )  # fmt: skip
