"""One database as a file and back: pg_dump and pg_restore (PostgreSQL manual, "Backup and Restore")."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

from bootstrap import process
from bootstrap.postgres.server import Clients
from bootstrap.process import Argument, CommandFailed
from wheelhouse.errors import AirferryError

# A large database takes hours; this is only the end of a program that hangs.
_SECONDS = 24 * 3600.0


class DumpFailed(AirferryError):
    """The database cannot be written to a file, or read back from one."""

    reference = "dump-failed"
    exit_code = 80


def save(clients: Clients, target: Path) -> None:
    """Write the database to `target` in the custom format, as it is at one moment, while it is in use.

    Raises :class:`DumpFailed`; what was written then is of no use.
    """
    _run(clients, clients.command("pg_dump", "-F", "c", "-f", target), what="write the database to a file")
    # reads the table of contents, which is written last
    _run(clients, [clients.programs / "pg_restore", "--list", target], what="read the dump back")


def load(clients: Clients, source: Path) -> None:
    """Fill an empty database from `source`; whoever connects will own it all. Raises :class:`DumpFailed`."""
    options = ("--no-owner", "--no-privileges", "--exit-on-error")
    _run(clients, clients.command("pg_restore", *options, source), what="read the database from a file")


def size(clients: Clients) -> int:
    """The bytes that the database takes on the server's disk."""
    return int(query(clients, "SELECT pg_database_size(current_database())"))


def version(clients: Clients) -> str:
    """The server's version (``18.6``)."""
    return query(clients, "SHOW server_version").split()[0]


def revision(clients: Clients) -> str:
    """The revision of Airflow's schema; "" when there is none."""
    if not query(clients, "SELECT to_regclass('alembic_version')"):
        return ""
    return query(clients, "SELECT min(version_num) FROM alembic_version")


def rows(clients: Clients) -> Dict[str, int]:
    """The number of rows of every table of Airflow's."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    names = query(clients, tables).split()
    if not names:
        return {}
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in names)  # noqa: S608
    pairs = (line.split("\t") for line in query(clients, counts).split("\n"))
    return {name: int(count) for name, count in pairs}


def query(clients: Clients, sql: str) -> str:
    """Run one query; its rows as text, columns separated by tabs. Raises CommandFailed."""
    options = ("-X", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "\t", "-c", sql)
    command = clients.command("psql", *options)
    return process.run(command, what="query the database", env=clients.env, timeout=_SECONDS).stdout.strip()


def _run(clients: Clients, command: List[Argument], *, what: str) -> None:
    program = Path(command[0])
    if not program.is_file():
        raise DumpFailed(
            f"PostgreSQL's {program.name} is not there.",
            found=f"none in {clients.programs}",
            needed="the client programs beside the server's",
            hint="Install the distribution's PostgreSQL client package of the same version.",
        )
    try:
        process.run(command, what=what, env=clients.env, timeout=_SECONDS)
    except CommandFailed as error:
        raise DumpFailed(error.message, found=error.found, hint=error.hint) from error
