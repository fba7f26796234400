"""One database as a file and back: pg_dump and pg_restore (PostgreSQL manual, "Backup and Restore")."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List

from bootstrap.base import process
from bootstrap.base.process import Argument, CommandFailed
from bootstrap.postgres import locks
from bootstrap.postgres.server import Clients
from wheelhouse.errors import AirferryError

# A large database takes hours; this is only the end of a program that hangs.
_SECONDS = 24 * 3600.0


# Everything of the role's in its schema, but for what an extension brought.
_WIPE = """\
SET client_min_messages = warning;
DO $$
DECLARE item record;
BEGIN
    FOR item IN
        SELECT c.oid::regclass::text AS name, c.relkind AS kind FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
            AND pg_has_role(c.relowner, 'USAGE')
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'a', 'i'))
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE item.kind WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
            ELSE 'TABLE' END, item.name);
    END LOOP;
    FOR item IN
        SELECT t.oid::regtype::text AS name FROM pg_type t
        WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype IN ('e', 'd')
            AND pg_has_role(t.typowner, 'USAGE')
    LOOP
        EXECUTE format('DROP TYPE IF EXISTS %s CASCADE', item.name);
    END LOOP;
    FOR item IN
        SELECT p.oid::regprocedure::text AS name FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND pg_has_role(p.proowner, 'USAGE')
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', item.name);
    END LOOP;
END $$;
"""


class DumpFailed(AirferryError):
    """The database cannot be written to a file, or read back from one."""

    reference = "dump-failed"
    exit_code = 80


def save(clients: Clients, target: Path) -> None:
    """Write the database to `target` in the custom format, as it is at one moment, while it is in use.

    Raises :class:`DumpFailed`; what was written then is of no use.
    """
    # who the workers are is told by them every ten seconds
    options = ("-F", "c", "-N", "airferry", "--lock-wait-timeout", f"{locks.SECONDS}s", "-f", target)
    _run(clients, clients.command("pg_dump", *options), what="write the database to a file")
    # reads the table of contents, which is written last
    _run(clients, [clients.programs / "pg_restore", "--list", target], what="read the dump back")


def load(clients: Clients, source: Path) -> None:
    """Fill an empty database from `source`; whoever connects will own it all. Raises :class:`DumpFailed`."""
    options = ("--no-owner", "--no-privileges", "--exit-on-error")
    _run(clients, clients.command("pg_restore", *options, source), what="read the database from a file")


def replace(clients: Clients, source: Path, scratch: Path) -> None:
    """Put the content of `source` in the place of all that the role owns in its schema, in one transaction.

    For a server where no second database can be made. `scratch` is a private folder for the SQL, which is as
    large as the data. Raises :class:`DumpFailed`; the database is as it was then.
    """
    wipe, listed, script = scratch / "wipe.sql", scratch / "list", scratch / "restore.sql"
    wipe.write_text(f"SET LOCAL lock_timeout = '{locks.SECONDS}s';\n{_WIPE}", encoding="utf-8")
    restore = clients.programs / "pg_restore"
    contents = _run(clients, [restore, "--list", source], what="read the dump")
    # the schema itself is there
    wanted = [
        line for line in contents.splitlines() if not re.match(r"\d+; \d+ \d+ (SCHEMA|\S+ - SCHEMA) ", line)
    ]
    listed.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    options = ("--no-owner", "--no-privileges", "-L", listed, "-f", script)
    _run(clients, [restore, *options, source], what="read the database from a file")
    script.chmod(0o600)
    if int(query(clients, "SHOW server_version_num")) < 170000:
        _without(script, b"SET transaction_timeout = 0;\n")
    once = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", wipe, "-f", script)
    _run(clients, clients.command("psql", *once), what="replace what is in the database")


def _without(script: Path, line: bytes) -> None:
    """Blank out a statement that an older server does not know; it stands near the beginning."""
    with script.open("r+b") as stream:
        place = stream.read(4096).find(line)
        if place >= 0:
            stream.seek(place)
            stream.write(b"-" * (len(line) - 1))


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


def _run(clients: Clients, command: List[Argument], *, what: str) -> str:
    program = Path(command[0])
    if not program.is_file():
        raise DumpFailed(
            f"PostgreSQL's {program.name} is missing.",
            found=f"none in {clients.programs}",
            needed="the client programs beside the server's",
            hint="Install the distribution's PostgreSQL client package of the same version.",
        )
    try:
        return process.run(command, what=what, env=clients.env, timeout=_SECONDS).stdout
    except CommandFailed as error:
        raise DumpFailed(error.message, found=error.found, hint=error.hint) from error
