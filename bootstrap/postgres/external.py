"""An external PostgreSQL server, given as a URL: asked, and filled by Airflow; not ours to run."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, Mapping, Optional

from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.postgres import host, refusal, scram, tunnel, wire
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.embedded import PostgresFailed
from bootstrap.postgres.quoting import literal, name
from bootstrap.postgres.refusal import DatabaseUnavailable
from bootstrap.postgres.server import Clients

# Waiting helps against these: a server that restarts, or has no connection left for a moment.
_PASSING = (refusal.UNREACHABLE, refusal.SILENT, refusal.FULL, refusal.REFUSED)
# Databases that every cluster has; an administrator's role need not have one of its own.
_COMMON = ("postgres", "template1")


@dataclass(frozen=True)
class External:
    """An external server: `password_file` holds the role's password, `carried` the bundle's programs."""

    connection: Connection
    password_file: Path
    carried: Optional[Path]
    env: Mapping[str, str]

    @property
    def password(self) -> Optional[Secret]:
        """The role's password; None when the server lets it in without."""
        try:
            found = secret.read(self.password_file)
        except FileNotFoundError:
            return None
        return found if found.reveal() else None

    @contextlib.contextmanager
    def clients(self) -> Iterator[Clients]:
        """The carried programs, else the host's, connected through our own TLS unless there is none.

        Raises PostgresFailed when there are none, or only ones older than the server.
        """
        programs = self._programs()
        if self.connection.sslmode == "disable":
            found = self.connection
            yield Clients(programs, found, {**self.env, **found.environment})
            return
        with tunnel.opened(self.connection, self.password) as found:
            yield Clients(programs, found, {**self.env, **found.environment})

    def ready(self) -> bool:
        """Whether the role can log in to its database."""
        return self.has_database()

    def wait(self, seconds: float = 60) -> None:
        """Wait until it can; raises :class:`DatabaseUnavailable`, at once for what waiting does not cure."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.log_in(seconds=10)
                return
            except DatabaseUnavailable as error:
                if error.kind not in _PASSING or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def log_in(self, seconds: float = 5) -> None:
        """See whether the role can log in to its database; raises :class:`DatabaseUnavailable`."""
        with wire.session(self.connection, self.password, seconds):
            pass

    def has_database(self) -> bool:
        """Whether the role can log in to its database."""
        try:
            self.log_in()
        except DatabaseUnavailable:
            return False
        return True

    def query(self, sql: str) -> str:
        """Run SQL as Airflow's role; raises StatementFailed, :class:`DatabaseUnavailable`."""
        with wire.session(self.connection, self.password) as session:
            rows = session.query(sql)
        return "\n".join("\t".join(cell or "" for cell in row) for row in rows).strip()

    def create(self, admin: str, admin_password: Optional[Secret]) -> None:
        """Make the role and the database, whichever is not there; what is there is not touched.

        Raises StatementFailed, :class:`DatabaseUnavailable`.
        """
        wanted = self.connection
        with administrator(wanted, admin, admin_password) as session:
            exists = f"SELECT 1 FROM pg_roles WHERE rolname = {literal(wanted.user)}"  # noqa: S608
            if not session.query(exists):
                # the server's log gets no password to see, only what it stores anyway
                given = self.password
                stored = f" PASSWORD {literal(scram.verifier(given).reveal())}" if given else ""
                session.query(f"CREATE ROLE {name(wanted.user)} LOGIN{stored}")
            exists = f"SELECT 1 FROM pg_database WHERE datname = {literal(wanted.database)}"  # noqa: S608
            if not session.query(exists):
                with _member(session, wanted.user):
                    session.query(
                        f"CREATE DATABASE {name(wanted.database)} OWNER {name(wanted.user)} ENCODING 'UTF8'"
                        " TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
                        seconds=300,
                    )

    def _programs(self) -> Path:
        version = int(self.query("SHOW server_version_num")) // 10000
        carried = host.major_of(self.carried) if self.carried else 0
        # for hosts with an old C library a bundle carries an older PostgreSQL
        found = self.carried if carried >= version else host.clients(version)
        if found is None:
            in_bundle = f"those of PostgreSQL {carried}" if carried else "none"
            raise PostgresFailed(
                f"There are no PostgreSQL client programs for a server of version {version}.",
                found=f"{in_bundle} in the bundle, and none of this version or newer on this host",
                needed=f"pg_dump, pg_restore and psql of PostgreSQL {version} or newer",
                hint=f"Install the distribution's client package (postgresql-client, postgresql{version}).",
            )
        return found


@contextlib.contextmanager
def administrator(
    wanted: Connection, admin: str, password: Optional[Secret], seconds: float = 10
) -> Iterator[wire.WireSession]:
    """A session of the server's administrator; raises :class:`DatabaseUnavailable`."""
    for database in _COMMON:
        try:
            with wire.session(replace(wanted, user=admin, database=database), password, seconds) as session:
                yield session
                return
        except DatabaseUnavailable as error:
            if error.kind != refusal.MISSING or database == _COMMON[-1]:
                raise


@contextlib.contextmanager
def _member(session: wire.WireSession, role: str) -> Iterator[None]:
    """Be a member of `role` for a moment: only a superuser makes databases for others."""
    may = (
        f"SELECT rolsuper OR pg_has_role(rolname, {literal(role)}, 'USAGE')"  # noqa: S608
        " FROM pg_roles WHERE rolname = current_user"
    )
    if session.query(may) == [("t",)]:
        yield
        return
    session.query(f"GRANT {name(role)} TO CURRENT_USER")
    try:
        yield
    finally:
        session.query(f"REVOKE {name(role)} FROM CURRENT_USER")
