"""The metadata database of an installation, asked as Airflow's own role, each question within seconds."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Set, Tuple

from bootstrap.airflow import metadata
from bootstrap.base import process
from bootstrap.installed.installation import Installation
from wheelhouse.errors import AirferryError

_SECONDS = 5
_ERRORS = 20
# Airflow's components by the names of their jobs; 2.x has no DAG processor of its own
_JOBS = {"SchedulerJob": "scheduler", "TriggererJob": "triggerer", "DagProcessorJob": "dag-processor"}
# a table of schema revisions, and where the release keeps the scripts that lead to its own
_REVISIONS = {"alembic_version": "migrations/versions"}
_FAB = {"alembic_version_fab": "providers/fab/migrations/versions"}


@dataclass(frozen=True)
class Heartbeat:
    """The newest sign of life of a component in the database, `age` seconds ago, and the state it says."""

    component: str
    state: str
    age: float


@dataclass(frozen=True)
class Metadata:
    """`problem` says why the server did not answer Airflow's role; all else is empty then.

    `checksums` is whether pages are protected (None: unknown), `size` the database's in bytes,
    `connections` those in use of `most`. `revisions` maps each table of schema revisions to what is in it,
    `heads` to what the installed release needs. `unread` are DAG files with the last line of their error.
    """

    problem: str = ""
    version: str = ""
    checksums: bool = True
    size: int = 0
    connections: int = 0
    most: int = 0
    revisions: Dict[str, str] = field(default_factory=dict)
    heads: Dict[str, str] = field(default_factory=dict)
    missing: Tuple[str, ...] = ()
    unread: Dict[str, str] = field(default_factory=dict)
    heartbeats: Tuple[Heartbeat, ...] = ()


def collect(installation: Installation) -> Metadata:
    """Ask the server; a question about tables that are not there has no answer, and that is one."""
    query = _asker(installation)
    try:
        version, checksums, size, used, most = query(
            "SELECT current_setting('server_version'), current_setting('data_checksums'),"
            " pg_database_size(current_database()), (SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'), current_setting('max_connections')"
        ).split("\t")
    except AirferryError as error:
        lines = error.found.strip().splitlines() or [error.message]
        return Metadata(problem=lines[0])
    heads = {}
    tables = revision_tables(installation.version.numbers, installation.receipt.auth)
    revisions: Dict[str, str] = {}
    for table, folder in tables.items():
        wanted = _head(installation.release.venv, folder)
        if wanted:
            heads[table] = wanted
            revisions[table] = ""
            with contextlib.suppress(AirferryError):
                rows = query(f"SELECT version_num FROM {table}").split()  # noqa: S608  (names of ours)
                revisions[table] = ", ".join(sorted(rows))
    unread: Dict[str, str] = {}
    heartbeats: Tuple[Heartbeat, ...] = ()
    with contextlib.suppress(AirferryError):
        unread = metadata.import_errors(query)
        heartbeats = _heartbeats(query)
    return Metadata(
        "",
        version.split()[0],
        checksums == "on",
        int(size),
        int(used),
        int(most),
        revisions,
        heads,
        tuple(metadata.missing_tables(query, installation.receipt.auth)),
        dict(list(unread.items())[:_ERRORS]),
        heartbeats,
    )


def revision_tables(numbers: Tuple[int, int, int], auth: str) -> Dict[str, str]:
    """The tables of schema revisions of a release, and where it keeps the scripts that lead to its own.

    Airflow 2 makes the tables of FAB in its own migrations, although the provider brings scripts, too; from 3
    on they have a table of revisions of their own (``airflow.utils.db_manager``, ``external_db_managers``).
    """
    return {**_REVISIONS, **(_FAB if auth == "fab" and numbers >= (3, 0, 0) else {})}


def _asker(installation: Installation) -> Callable[[str], str]:
    def ask(sql: str) -> str:
        with installation.database.clients() as clients:
            env = {
                **clients.env,
                "PGCONNECT_TIMEOUT": str(_SECONDS),
                "PGOPTIONS": f"-c statement_timeout={_SECONDS * 1000}",
            }
            command = clients.command(
                "psql", "-X", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "\t", "-c", sql
            )
            return process.run(
                command, what="ask the metadata database", env=env, timeout=2 * _SECONDS
            ).stdout.strip("\n")

    return ask


def _heartbeats(query: Callable[[str], str]) -> Tuple[Heartbeat, ...]:
    rows = query(
        "SELECT DISTINCT ON (job_type) job_type, coalesce(state, ''),"
        " extract(epoch FROM now() - latest_heartbeat) FROM job"
        " WHERE latest_heartbeat IS NOT NULL ORDER BY job_type, latest_heartbeat DESC"
    )
    found = []
    for row in filter(None, rows.split("\n")):
        job, state, age = row.split("\t")
        if job in _JOBS:
            found.append(Heartbeat(_JOBS[job], state, round(float(age), 1)))
    return tuple(found)


def _head(venv: Path, folder: str) -> str:
    """The revision that no other follows, from the release's migration scripts (alembic's own rule)."""
    made: Set[str] = set()
    followed: List[str] = []
    for path in venv.glob(f"lib/python3*/site-packages/airflow/{folder}/*.py"):
        text = path.read_text(encoding="utf-8", errors="replace")
        revision = re.search(r"^revision(?:: str)? = ['\"](\w+)['\"]", text, re.MULTILINE)
        if revision:
            made.add(revision.group(1))
            before = re.search(r"^down_revision[^=\n]*= ([^\n]*)", text, re.MULTILINE)
            followed += re.findall(r"['\"](\w+)['\"]", before.group(1)) if before else []
    return ", ".join(sorted(made - set(followed)))
