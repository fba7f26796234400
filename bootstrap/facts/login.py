"""A login to a PostgreSQL server that was given as a URL, to look at it; nothing is changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import List, Optional

from bootstrap.airflow import fernet
from bootstrap.base.secret import Secret
from bootstrap.facts.server import Asked, DatabaseFacts, Passwords, Refusal, Room, ServerFacts
from bootstrap.postgres import external, wire
from bootstrap.postgres.quoting import literal, name
from bootstrap.postgres.refusal import LOGIN, MISSING, DatabaseUnavailable, StatementFailed

# For a login; a server that hangs must not use up the time of all collectors.
_SECONDS = 6.0
_OLDEST = 120000

_ITSELF = """SELECT current_setting('server_version'), current_setting('server_version_num'),
    extract(epoch FROM clock_timestamp())"""
# Sessions of the server itself (checkpointer and so on) have no database.
_ROOM = """SELECT
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()),
    coalesce((SELECT rolconnlimit FROM pg_roles WHERE rolname = {role}), -1),
    coalesce((SELECT datconnlimit FROM pg_database WHERE datname = {database}), -1)"""
_DATABASE = """SELECT pg_encoding_to_char(encoding), pg_get_userbyid(datdba), pg_has_role(datdba, 'MEMBER'),
    current_schema(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool
    FROM pg_database WHERE datname = current_database()"""
_TABLES = r"""SELECT n.nspname || '.' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
    AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
    ORDER BY nspname = current_schema() DESC, 1 LIMIT 200"""
_RIGHTS = """SELECT rolsuper OR (rolcreaterole AND rolcreatedb),
    EXISTS (SELECT FROM pg_roles WHERE rolname = {role}),
    EXISTS (SELECT FROM pg_database WHERE datname = {database})
    FROM pg_roles WHERE rolname = current_user"""
_FROM_OUTSIDE = """SELECT pg_encoding_to_char(encoding), pg_get_userbyid(datdba),
    coalesce((SELECT pg_has_role(oid, datdba, 'MEMBER') FROM pg_roles WHERE rolname = {role}), false)
    FROM pg_database WHERE datname = {database}"""
_REVISION = "SELECT min(version_num) FROM {table}"
_ENCRYPTED = "SELECT count(*) FROM {table} WHERE is_encrypted"
_TOKENS = {
    "connection": "SELECT coalesce(password, extra) FROM {table} WHERE is_encrypted LIMIT 1",
    "variable": "SELECT val FROM {table} WHERE is_encrypted LIMIT 1",
}
_ALIVE = """SELECT string_agg(DISTINCT hostname, ' ') FROM {table}
    WHERE state = 'running' AND latest_heartbeat > now() - interval '1 minute'"""


def collect(asked: Asked, passwords: Passwords) -> ServerFacts:
    """Log in as the role and look; where it is not let in, ask the administrator, if one was named."""
    server = ServerFacts(asked.connection.address)
    try:
        with wire.session(asked.connection, passwords.role, _SECONDS) as session:
            return _as_role(session, server, asked, passwords.fernet)
    except DatabaseUnavailable as error:
        server = replace(server, refusals=(_refusal(asked.user, error),))
        if not asked.admin or error.kind not in (LOGIN, MISSING):
            return server
    try:
        with external.administrator(asked.connection, asked.admin, passwords.admin, _SECONDS) as session:
            return _as_administrator(session, server, asked)
    except DatabaseUnavailable as error:
        return replace(server, refusals=(*server.refusals, _refusal(asked.admin, error)))


def _refusal(user: str, error: DatabaseUnavailable) -> Refusal:
    return Refusal(user, error.kind, error.said, error.sqlstate)


def _as_role(
    session: wire.WireSession, server: ServerFacts, asked: Asked, key: Optional[Secret]
) -> ServerFacts:
    found = replace(_itself(session, server, asked), role=True, found=True)
    if found.number < _OLDEST:
        return found
    encoding, owner, owned, schema, creates, read_only = _one(session, _DATABASE)
    tables = tuple(row[0] or "" for row in session.query(_TABLES, _SECONDS))

    def told(table: str, sql: str) -> str:
        """One value from a table of Airflow's; "" when it is not there or may not be read."""
        if f"{schema}.{table}" not in tables:
            return ""
        try:
            quoted = f"{name(schema)}.{name(table)}"
            rows = session.query(sql.format(table=quoted), _SECONDS)
        except StatementFailed:
            return ""
        return rows[0][0] or "" if rows else ""

    tokens = [token for token in (told(table, sql) for table, sql in _TOKENS.items()) if token]
    database = DatabaseFacts(
        encoding,
        owner,
        owned == "t",
        schema,
        creates == "t",
        read_only == "t",
        tables,
        revision=told("alembic_version", _REVISION),
        encrypted=sum(int(told(table, _ENCRYPTED) or 0) for table in ("connection", "variable")),
        opens=all(fernet.opens(key, token) for token in tokens) if key and tokens else None,
        alive=tuple(told("job", _ALIVE).split()),
    )
    return replace(found, database=database)


def _as_administrator(session: wire.WireSession, server: ServerFacts, asked: Asked) -> ServerFacts:
    found = _itself(session, server, asked)
    if found.number < _OLDEST:
        return found
    makes, role, exists = _one(session, _with(asked, _RIGHTS))
    found = replace(found, makes=makes == "t", role=role == "t", found=exists == "t")
    if not found.found:
        return found
    encoding, owner, owned = _one(session, _with(asked, _FROM_OUTSIDE))
    return replace(found, database=DatabaseFacts(encoding, owner, owned == "t"))


def _itself(session: wire.WireSession, server: ServerFacts, asked: Asked) -> ServerFacts:
    """The server as such: version, clock, connections."""
    before = time.time()
    version, number, clock = _one(session, _ITSELF)
    lead = float(clock) - (before + time.time()) / 2
    most, used, *named = map(int, _one(session, _with(asked, _ROOM)))
    limits = [limit for limit in named if limit >= 0]
    return replace(
        server,
        version=version,
        number=int(number),
        tls=session.tls,
        clock=round(lead, 1),
        room=Room(min([most, *limits]), max(0, min([most - used, *limits]))),
    )


def _with(asked: Asked, sql: str) -> str:
    return sql.format(role=literal(asked.user), database=literal(asked.database))


def _one(session: wire.WireSession, sql: str) -> List[str]:
    return [cell or "" for cell in session.query(sql, _SECONDS)[0]]
