"""How one database is reached: what libpq's programs, SQLAlchemy's drivers and our own client are given."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

PORT = 5432
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_EXAMPLE = "postgresql://ROLE@HOST:5432/DATABASE?sslmode=verify-full&sslrootcert=/etc/ssl/certs/CA.pem"

# How long libpq waits for a server, in seconds.
CONNECT_SECONDS = 10


class DatabaseUrlInvalid(AirferryError):
    """A ``--postgres`` URL that says too little, too much, or a password."""

    reference = "database-url-invalid"
    exit_code = 2


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
        return "-w", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", self._name

    @property
    def _name(self) -> str:
        """The database's name where libpq's programs would also take a connection string or a URL."""
        if "=" not in self.database and not self.database.startswith(("postgres:", "postgresql:")):
            return self.database
        quoted = self.database.replace("\\", "\\\\").replace("'", "\\'")
        return f"dbname='{quoted}'"

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
        """A URL of this database for SQLAlchemy.

        It takes a quoting off every part, off the database's name from 2.1 on; :func:`parse` refuses the
        names where that matters.
        """
        secret = f":{quote(password.reveal(), safe='')}" if password and password.reveal() else ""
        query = f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        user = quote(self.user, safe="")
        return Secret(f"{scheme}://{user}{secret}@{self.address}/{self.database}{query}")


def parse(text: str, *, home: Path) -> Connection:
    """Read a ``postgresql://`` URL as libpq does; `home` is where libpq would look for a root certificate.

    The certificate must be readable.

    Raises :class:`DatabaseUrlInvalid`, naming every problem; a password in it is refused and never repeated.
    """
    scheme, _, rest = text.partition("://")
    rest, _, query = rest.partition("?")
    authority, _, name = rest.partition("/")
    login, at, place = authority.rpartition("@")
    user, colon, _ = login.partition(":")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if (at and colon) or "password" in parameters:
        raise DatabaseUrlInvalid(
            "A password must not be in the URL: every account of this host can read a command line.",
            needed="the URL without it",
            hint="Put it in the first line of a file (chmod 600) and give --postgres-password-file FILE, or"
            " in ~/.pgpass (HOST:PORT:DATABASE:ROLE:PASSWORD); or leave it out and type it when asked.",
        )
    problems: List[str] = []
    if scheme not in ("postgresql", "postgres"):
        problems.append(f"it begins with {scheme or 'nothing'}://, not with postgresql://")
    host, port = _place(place, problems)
    found = Connection(
        host, port, unquote(name), unquote(user),
        sslmode=parameters.pop("sslmode", ""), sslrootcert=parameters.pop("sslrootcert", ""),
    )  # fmt: skip
    if not found.user:
        problems.append("it names no role (before the @)")
    if not found.database or "/" in name:
        problems.append(
            "it names no database (after the /)" if not name else f"{name} is not a valid database name"
        )
    if re.search(r"[\x00-\x1f\x7f]", found.user + found.database + found.host):
        problems.append("it holds a control character")
    if re.search(r"[?$]|^\s|\s$", found.database):
        problems.append(
            f"{found.database!r} cannot be the database: Airflow takes ? for the end of its name, expands $,"
            " and loses a blank at its ends"
        )
    # SQLAlchemy below 2.1 takes the name as it stands, 2.1 takes a quoting off: both read any other the same
    if unquote(found.database) != found.database:
        problems.append(
            f"{found.database!r} cannot be the database: releases of SQLAlchemy, which Airflow reaches it"
            " through, differ on what % and two hexadecimal digits mean. Rename it: ALTER DATABASE ... RENAME"
            " TO ..."
        )
    if re.search(r"[\s/?#@%$&=;\"'\\]", found.host.partition("%")[0]):
        problems.append(f"{found.host!r} is not a host")
    if found.sslmode not in ("", *SSLMODES):
        problems.append(f"sslmode={found.sslmode} is not one of {', '.join(SSLMODES)}")
    problems += [f"{name}= is not supported" for name in parameters]
    if problems:
        raise DatabaseUrlInvalid("The database URL is not valid.", found="\n".join(problems), needed=_EXAMPLE)
    return _with_certificate(found, home)


def _place(text: str, problems: List[str]) -> Tuple[str, int]:
    """Host and port of a URL, brackets taken off an IPv6 address."""
    match = re.fullmatch(
        r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[^\]]+)?)\]|(?P<name>[^:\[\],]*))(?::(?P<port>\d*))?", text
    )
    if match is None:
        problems.append(
            "it names several hosts, and Airflow supports one"
            if "," in text
            else f"{text} is not a host and port"
        )
        return "", PORT
    host = unquote(match["six"] or match["name"])
    if not host or host.startswith("/"):
        problems.append("it names no host (a server on this host is 127.0.0.1)")
    port = int(match["port"] or PORT)
    if not 0 < port < 65536:
        problems.append(f"{port} is not a port")
    return host, port


def _with_certificate(found: Connection, home: Path) -> Connection:
    """The connection with the root certificate that libpq would take when none is named."""
    named = found.sslrootcert
    if not named and found.sslmode.startswith("verify-"):
        named = str(home / ".postgresql" / "root.crt")
    if not named:
        return found
    path = Path(named).expanduser().absolute()
    try:
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise DatabaseUrlInvalid(
            f"The root certificate {path} cannot be read.",
            found=error.strerror or str(error),
            needed="a file in PEM format with the certificate of the authority that signed the server's",
            hint="Name it in the URL: sslrootcert=/path/ca.pem. A host's own list is often"
            " /etc/ssl/certs/ca-certificates.crt or /etc/pki/tls/certs/ca-bundle.crt.",
        ) from error
    return replace(found, sslrootcert=str(path))
