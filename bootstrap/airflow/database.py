"""The URLs under which Airflow's own drivers reach its database, with TLS or without."""

from __future__ import annotations

from typing import NamedTuple, Optional
from urllib.parse import urlencode

from bootstrap.airflow.differences import ASYNC_DATABASE_URL, Version
from bootstrap.base.secret import Secret
from bootstrap.postgres.connection import Connection

_SYNC, _ASYNC = "postgresql+psycopg2", "postgresql+asyncpg"
# From here on Airflow also derives a URL for asyncpg, which knows none of libpq's parameters.
_DERIVES = (3, 0, 0)


class Urls(NamedTuple):
    """`sync` is what every release reads; `async_` is None where Airflow derives it rightly."""

    sync: Secret
    async_: Optional[Secret]


def urls(version: Version, connection: Connection, password: Optional[Secret]) -> Urls:
    """The URLs for a release.

    asyncpg takes ``sslmode`` and ``sslrootcert`` only inside of a ``dsn``, which psycopg2 understands as
    well: the one form that survives the derivation of the releases where no other URL can be set.
    """
    if not connection.tls:
        return Urls(connection.url(_SYNC, password), None)
    inside = {"dsn": f"postgresql:///?{urlencode(connection.tls)}"}
    if version < _DERIVES:
        return Urls(connection.url(_SYNC, password, connection.tls), None)
    if ASYNC_DATABASE_URL.at(version) is None:
        return Urls(connection.url(_SYNC, password, inside), None)
    return Urls(connection.url(_SYNC, password, connection.tls), connection.url(_ASYNC, password, inside))
