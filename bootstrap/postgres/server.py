"""What every PostgreSQL that holds a metadata database can do, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ContextManager, List, Mapping, Protocol

from bootstrap.base.process import Argument
from bootstrap.postgres.connection import Connection


@dataclass(frozen=True)
class Clients:
    """PostgreSQL's own client programs, ready for one database.

    `programs` is the folder of psql, pg_dump and pg_restore; `env` is their whole environment, without a
    password in it (they read `connection`'s password file).
    """

    programs: Path
    connection: Connection
    env: Mapping[str, str]

    def command(self, program: str, *arguments: Argument) -> List[Argument]:
        """The command line of a program that connects as Airflow's role."""
        return [self.programs / program, *self.connection.arguments, *arguments]


class MetadataServer(Protocol):
    """The server of the metadata database, as Airflow's role sees it."""

    @property
    def connection(self) -> Connection:
        """How Airflow's role reaches its database."""

    def clients(self) -> ContextManager[Clients]:
        """PostgreSQL's client programs for that database, usable until the context ends.

        Raises PostgresFailed when this host has none that fit the server.
        """

    def ready(self) -> bool:
        """Whether the server accepts connections."""

    def wait(self, seconds: float = 60) -> None:
        """Wait until it does; raises PostgresFailed."""

    def has_database(self) -> bool:
        """Whether the database is there and its role can log in."""

    def query(self, sql: str) -> str:
        """Run SQL as Airflow's role; its rows as text, a row a line, columns separated by tabs."""
