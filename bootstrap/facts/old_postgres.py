"""An old metadata database on PostgreSQL: where it is by SQLAlchemy's URL, and what one transaction sees.

Everything is read in a transaction of its own that cannot write (REPEATABLE READ, READ ONLY), so that all
tables are of one moment.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, unquote

from bootstrap.base.secret import Secret
from bootstrap.facts import old_database
from bootstrap.facts.old_database import OldDatabase
from bootstrap.postgres import connection, passfile, quoting, wire
from bootstrap.postgres.connection import PORT, Connection
from wheelhouse.errors import AirferryError

POSTGRESQL = "postgresql"
# Where a server of this host's listens when the URL names no host: Debian's and Red Hat's place, libpq's own.
SOCKETS = ("/var/run/postgresql", "/tmp")  # noqa: S108
# Everything is text as COPY of any server reads it. Of the transaction alone: a pooler (PgBouncer) refuses
# such settings at the login, and would give the session to others as it was left.
_SETTINGS = {
    "TimeZone": "UTC", "DateStyle": "ISO, YMD", "extra_float_digits": "3", "IntervalStyle": "postgres",
    "bytea_output": "hex", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "60s",
}  # fmt: skip
# What speaks to libpq and changes nothing here.
_WITHOUT_EFFECT = re.compile(r"connect_timeout|application_name|keepalives\w*|client_encoding|gssencmode|"
                             r"target_session_attrs|tcp_user_timeout|fallback_application_name")  # fmt: skip


@dataclass(frozen=True)
class OldServer:
    """How an old database is reached; `settings` are those that the URL has libpq start with."""

    connection: Connection
    password: Optional[Secret] = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it is, as it may be shown."""
        found = self.connection
        return f"{POSTGRESQL}://{found.user}@{found.address}/{found.database}"


def is_postgresql(url: str) -> bool:
    """Whether SQLAlchemy would go to PostgreSQL for that URL."""
    return url.partition("://")[0].partition("+")[0] in ("postgres", POSTGRESQL)


def server_of(url: str, person: Path, user: str) -> OldServer:
    """Where SQLAlchemy's URL leads; `person` is the home of `user`, who runs that Airflow.

    Raises ValueError, which never repeats a password.
    """
    scheme, _, rest = url.partition("://")
    driver = scheme.partition("+")[2]
    if driver not in ("", "psycopg2", "psycopg", "asyncpg", "psycopg2cffi", "pg8000"):
        raise ValueError(f"the driver {driver} is not known")
    rest, _, query = rest.partition("?")
    authority, _, name = rest.partition("/")
    login, _, place = authority.rpartition("@")
    named, _, password = login.partition(":")
    given = dict(parse_qsl(query, keep_blank_values=True))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\],]*))(?::(\d+))?", place)
    if match is None or "," in given.get("host", ""):
        raise ValueError("it names several hosts, or none that is understood")
    host = given.pop("host", "") or unquote(match[1] or match[2] or "")
    port = int(given.pop("port", "") or match[3] or PORT)
    if not host:
        host = next((item for item in SOCKETS if os.path.exists(f"{item}/.s.PGSQL.{port}")), SOCKETS[0])  # noqa: PTH110
    role = unquote(named) or given.pop("user", "") or user
    database = unquote(name) or given.pop("dbname", "") or role
    secret = unquote(password) or given.pop("password", "")
    settings = _options(given.pop("options", ""))
    found = Connection(
        host, port, database, role,
        sslmode=given.pop("sslmode", ""), sslrootcert=given.pop("sslrootcert", ""),
    )  # fmt: skip
    others = [item for item in given if not _WITHOUT_EFFECT.fullmatch(item)]
    if others or found.sslmode not in ("", *connection.SSLMODES):
        raise ValueError(f"the URL has what is not supported here: {', '.join(others) or 'sslmode'}")
    if found.sslmode.startswith("verify-") and not found.sslrootcert:
        found = replace(found, sslrootcert=str(person / ".postgresql" / "root.crt"))
    known = Secret(secret) if secret else passfile.find(found, {"HOME": str(person)})
    return OldServer(found, known, settings)


def _options(text: str) -> Dict[str, str]:
    """The settings of ``options=-c name=value``; raises ValueError for others."""
    found = dict(re.findall(r"-c\s*([\w.]+)=((?:\\.|[^\s\\])*)", text))
    if re.sub(r"-c\s*[\w.]+=(?:\\.|[^\s\\])*", "", text).strip():
        raise ValueError("the URL's options= has more than -c NAME=VALUE")
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in found.items()}


class AskedPostgres:
    """PostgreSQL, in a transaction that cannot write."""

    def __init__(self, session: wire.WireSession) -> None:
        self.session = session

    def tables(self) -> List[str]:
        """The names of its tables."""
        rows = self.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
        return [row[0] or "" for row in rows]

    def columns(self, table: str) -> List[str]:
        """The names of a table's columns that hold values of their own."""
        rows = self.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"  # noqa: S608
            f" AND table_name = {quoting.literal(table)} AND is_generated = 'NEVER' ORDER BY ordinal_position"
        )
        return [row[0] or "" for row in rows]

    def copied(self, table: str, columns: Sequence[str]) -> Iterator[bytes]:
        """Every row of a table as a line of COPY's text."""
        names = ", ".join(map(quoting.name, columns))
        yield from self.session.copied_out(f"COPY {quoting.name(table)} ({names}) TO STDOUT")

    def query(self, sql: str) -> Sequence[Tuple[Optional[str], ...]]:
        """The rows of a query, as text."""
        return self.session.query(sql, 600)


@contextlib.contextmanager
def opened(server: OldServer) -> Iterator[AskedPostgres]:
    """What it holds at this moment; raises DatabaseUnavailable, StatementFailed."""
    with wire.session(server.connection, server.password, 15, server.settings) as session:
        session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.query("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _SETTINGS.items()))
        yield AskedPostgres(session)
        session.query("ROLLBACK")


def of_server(server: OldServer, key: str) -> OldDatabase:
    """What is in it, as far as a take-over must know."""
    database = OldDatabase(POSTGRESQL, server.address)
    try:
        with opened(server) as asked:
            size = asked.query("SELECT pg_database_size(current_database())")[0][0]
            return old_database.counted(asked, replace(database, size=int(size or 0)), key)
    except AirferryError as error:
        return replace(database, problem=error.found or error.message)
