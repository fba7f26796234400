"""A PostgreSQL server that was given as a URL: what is asked of it, and what it and the database say.

Passwords are used and never kept: none is in what is found, asked for, or reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from bootstrap.base.secret import Secret
from bootstrap.postgres.connection import Connection


@dataclass(frozen=True)
class Asked:
    """The server, database and role that are asked about; `admin` is another role, which may make them."""

    host: str
    port: int
    database: str
    user: str
    sslmode: str = ""
    sslrootcert: str = ""
    admin: str = ""

    @property
    def connection(self) -> Connection:
        """How the role reaches the database."""
        return Connection(self.host, self.port, self.database, self.user, self.sslmode, self.sslrootcert)


@dataclass(frozen=True)
class Passwords:
    """What opens the server to the two roles, and the fernet key that is here; None when there is none.

    They are no facts.
    """

    role: Optional[Secret] = None
    admin: Optional[Secret] = None
    fernet: Optional[Secret] = None


@dataclass(frozen=True)
class Refusal:
    """Why `user` was not let in: a kind of ``bootstrap.postgres.refusal``, and the server's words."""

    user: str
    kind: str
    said: str
    sqlstate: str = ""


@dataclass(frozen=True)
class Room:
    """Connections: at most `limit` for this role on this database; `free` are not taken now."""

    limit: int
    free: int


@dataclass(frozen=True)
class DatabaseFacts:
    """A database that is there; what only a login to it can tell is left at its default without one.

    `owned` says whether the role is the owner or a member of it. `schema` is where its tables would go ("":
    nowhere), `creates` whether it may make them there. `tables` are ``schema.table``, without those of
    extensions and at most 200. Of an Airflow: `revision` of its schema, how many connections and variables
    are `encrypted`, whether the key that is here `opens` them (None: there is no key or nothing to open), and
    the hosts whose components are `alive`.
    """

    encoding: str
    owner: str
    owned: bool
    schema: str = ""
    creates: bool = False
    read_only: bool = False
    tables: Tuple[str, ...] = ()
    revision: str = ""
    encrypted: int = 0
    opens: Optional[bool] = None
    alive: Tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerFacts:
    """A server: `number` is ``server_version_num``, `tls` the protocol in use, `clock` its lead in seconds.

    `refusals` tell who was not let in. `makes` says whether the administrator may make what is missing;
    `role` and `database` are None when nobody could tell.
    """

    address: str
    refusals: Tuple[Refusal, ...] = ()
    version: str = ""
    number: int = 0
    tls: str = ""
    clock: float = 0.0
    room: Optional[Room] = None
    makes: bool = False
    role: Optional[bool] = None
    found: Optional[bool] = None
    database: Optional[DatabaseFacts] = None
