"""How a database server says no."""

from __future__ import annotations

from typing import Mapping

from wheelhouse.errors import AirferryError

# Kinds of a connection that does not come about.
UNREACHABLE = "unreachable"  # refused, no route, no such name, closed again
SILENT = "silent"  # no answer in time
STRANGE = "strange"  # something else than PostgreSQL answers
TLS = "tls"  # encryption that one side wants and the other has not, or a certificate that is not trusted
LOGIN = "login"  # role or password
MISSING = "missing"  # no such database
FULL = "full"  # no connection left
REFUSED = "refused"  # anything else that the server says

_HINTS = {
    UNREACHABLE: "Check host and port, whether the server runs, and the firewalls in between.",
    SILENT: "Check host and port, and the firewalls in between: a packet that is dropped gets no answer.",
    STRANGE: "Check the port.",
    TLS: "Check sslmode and sslrootcert of --postgres with the administrator of the server.",
    LOGIN: "Check the role and its password (--postgres-password-file FILE, or a line in ~/.pgpass).",
    MISSING: "Check the name, have the database created, or give --postgres-admin-user.",
    FULL: "Have max_connections of the server raised, or other connections closed.",
    REFUSED: "Ask the administrator of the server.",
}


class DatabaseUnavailable(AirferryError):
    """The database server cannot be reached, or lets nobody in."""

    reference = "database-unavailable"
    exit_code = 75

    def __init__(self, kind: str, said: str, sqlstate: str = "") -> None:
        super().__init__("The database server cannot be used.", found=said, hint=_HINTS[kind])
        self.kind = kind
        self.said = said
        self.sqlstate = sqlstate


class StatementFailed(AirferryError):
    """The database server refused a statement."""

    reference = "statement-failed"
    exit_code = 76

    def __init__(self, fields: Mapping[str, str]) -> None:
        said = "\n".join(fields[name] for name in ("M", "D", "H") if name in fields)
        super().__init__("The database server refused a statement.", found=said)
        self.sqlstate = fields.get("C", "")
