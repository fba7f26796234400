"""How one database is reached: what libpq's programs, SQLAlchemy's drivers and our own client are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple
from urllib.parse import quote, urlencode

from bootstrap.secret import Secret

# How long libpq waits for a server, in seconds.
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Connection:
    """One role on one database of one server; it holds no password.

    `host` is a name or an address (IPv6 without brackets), or the folder of a Unix socket. `sslmode` and
    `sslrootcert` are libpq's ("": its default, ``prefer``). `passfile` is a password file of libpq's.
    """

    host: str
    port: int
    database: str
    user: str
    sslmode: str = ""
    sslrootcert: str = ""
    passfile: Optional[Path] = None

    @property
    def address(self) -> str:
        """Host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def arguments(self) -> Tuple[str, ...]:
        """For psql, pg_dump and pg_restore: they connect without asking for a password."""
        return "-w", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", self.database

    @property
    def environment(self) -> Dict[str, str]:
        """What those programs find in their environment."""
        found = {
            "PGPASSFILE": str(self.passfile) if self.passfile else "",
            "PGSSLMODE": self.sslmode,
            "PGSSLROOTCERT": self.sslrootcert,
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def tls(self) -> Dict[str, str]:
        """The parameters of libpq's that concern TLS, as far as they are set."""
        found = {"sslmode": self.sslmode, "sslrootcert": self.sslrootcert}
        return {name: value for name, value in found.items() if value}

    def url(
        self, scheme: str, password: Optional[Secret], parameters: Optional[Dict[str, str]] = None
    ) -> Secret:
        """A URL of this database, every part of it quoted."""
        secret = f":{quote(password.reveal(), safe='')}" if password and password.reveal() else ""
        query = f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        name = quote(self.database, safe="")
        return Secret(f"{scheme}://{quote(self.user, safe='')}{secret}@{self.address}/{name}{query}")
