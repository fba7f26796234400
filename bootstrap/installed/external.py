"""The choice of an external PostgreSQL server for an installation: what was asked for, and what it means."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional, Tuple

from bootstrap.airflow import config
from bootstrap.base import secret, smallfile
from bootstrap.base.secret import Secret
from bootstrap.facts.server import Asked, Passwords
from bootstrap.postgres import passfile
from bootstrap.postgres.connection import Connection
from bootstrap.state.home import FERNET, Home
from bootstrap.state.receipt import EXTERNAL, PRIVATE, Database, Receipt
from wheelhouse.errors import AirferryError


class DatabaseChoiceFixed(AirferryError):
    """An installation that has a database was asked to use another one."""

    reference = "database-choice-fixed"
    exit_code = 77


@dataclass(frozen=True)
class DatabaseChoice:
    """An ``--postgres`` URL and what goes with it: `admin` may make role and database, once."""

    connection: Connection
    admin: str = ""
    adopt: bool = False
    passwords: Passwords = field(default_factory=Passwords)


@dataclass(frozen=True)
class Handed:
    """What the install itself gets: passwords and the text of the root certificate, each None when not given.

    `administrator` is who makes role and database ("": nobody).
    """

    role: Optional[Secret] = None
    administrator: str = ""
    administrator_password: Optional[Secret] = None
    certificate: Optional[str] = None


def certificate(home: Home) -> Path:
    """Where the installation keeps its copy of the server's root certificate."""
    return home.etc / "postgres-ca.pem"


def database_of(choice: DatabaseChoice, home: Home, server: str = "") -> Database:
    """What the receipt says of it; `server` is the version, when it is known."""
    found = choice.connection
    return Database(
        host=found.host,
        port=found.port,
        name=found.database,
        role=found.user,
        server=server,
        kind=EXTERNAL,
        sslmode=found.sslmode,
        sslrootcert=str(certificate(home)) if found.sslrootcert else "",
        adopted=choice.adopt,
    )


def connection_of(database: Database, home: Home) -> Connection:
    """How Airflow's role reaches the database of a receipt; our own server has no TLS."""
    if database.kind == PRIVATE:
        database = replace(database, sslmode="", sslrootcert="")
    return Connection(
        database.host, database.port, database.name, database.role, database.sslmode, database.sslrootcert,
        passfile=home.secrets / "pgpass",
    )  # fmt: skip


def settled(earlier: Receipt, kind: str, choice: Optional[DatabaseChoice]) -> bool:
    """Whether the earlier install's database stays; raises :class:`DatabaseChoiceFixed` for a silent move.

    `kind` is what was asked for, private or external; "" when nothing was.
    """
    if not kind:
        return True
    begun = bool(earlier.completed) or Home(Path(earlier.home)).cluster.exists()
    same = kind == earlier.database.kind
    if choice and same:
        same = place(database_of(choice, Home(Path(earlier.home)))) == place(earlier.database)
        same = same or choice.adopt
    if begun and not same:
        wanted = choice.connection.address if choice else "a private cluster"
        raise DatabaseChoiceFixed(
            f"The installation in {earlier.home} has its database already.",
            found=_words(earlier.database),
            needed=f"the same database; requested: {wanted}",
            hint="Leave out --postgres, or install into another home with --home. If the database was moved"
            " to another server, give its new URL with --adopt-database.",
        )
    return same and choice is None


def asked(database: Database, choice: Optional[DatabaseChoice]) -> Optional[Asked]:
    """What doctor asks about; None for a database of our own, and for none."""
    if database.kind != EXTERNAL:
        return None
    found = choice.connection if choice else None
    return Asked(
        database.host, database.port, database.name, database.role, database.sslmode,
        found.sslrootcert if found else database.sslrootcert, choice.admin if choice else "",
    )  # fmt: skip


def passwords(choice: DatabaseChoice, home: Home, earlier: Optional[Receipt]) -> Passwords:
    """Add what libpq's password file, the home and the earlier install know to what was given."""
    given, found = choice.passwords, choice.connection
    role = given.role
    if role is None and earlier and earlier.database.kind == EXTERNAL:
        role = stored(home)
    return Passwords(
        role or passfile.find(found, os.environ),
        given.admin or (passfile.find(_as(found, choice.admin), os.environ) if choice.admin else None),
        key_of(home),
    )


def stored(home: Home) -> Optional[Secret]:
    """The role's password that an earlier install wrote; None when there is none to be read."""
    try:
        return _secret(home, home.postgres_password)
    except OSError:
        return None


def _secret(home: Home, path: Path) -> Secret:
    """A secret of the home's account; for root, who may read more, no other file that a link leads to."""
    if os.geteuid() != 0:
        return secret.read(path)
    text = smallfile.read(path, home.owner_of_data()).decode("utf-8", "replace")
    return Secret(text.partition("\n")[0].rstrip("\r"))


def _as(found: Connection, user: str) -> Connection:
    return Connection(found.host, found.port, "postgres", user, found.sslmode, found.sslrootcert)


def place(database: Database) -> Tuple[str, str, int, str, str]:
    """What tells one database from another."""
    return database.kind, database.host, database.port, database.name, database.role


def _words(database: Database) -> str:
    if database.kind == PRIVATE:
        return "a private cluster"
    return f"{database.name} of {database.role} at {database.host}:{database.port}"


def _configuration(home: Home) -> str:
    # before an install the folder is root's, and so is what root has put there
    owner = home.owner_of_data() if home.secrets.exists() else home.path.lstat().st_uid
    return smallfile.read(home.airflow_cfg, owner).decode("utf-8", "replace")


def key_of(home: Home) -> Optional[Secret]:
    """The fernet key of an airflow.cfg that lies there, else the one that an earlier install generated."""
    with contextlib.suppress(OSError):
        text = config.read(home.airflow_cfg) if os.geteuid() != 0 else _configuration(home)
        found = config.get(text, "core", "fernet_key")
        if found:
            return Secret(found)
    with contextlib.suppress(OSError):
        return _secret(home, home.secrets / FERNET)
    return None
