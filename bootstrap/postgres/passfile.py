"""libpq's password file (PostgreSQL manual, "The Password File")."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Mapping, Optional

from bootstrap.base.secret import Secret
from bootstrap.postgres.connection import Connection


def find(connection: Connection, environ: Mapping[str, str] = os.environ) -> Optional[Secret]:
    """The password for that connection in ``$PGPASSFILE`` or ``~/.pgpass``; None when there is none.

    As with libpq, a file that others can read does not count.
    """
    path = Path(environ.get("PGPASSFILE") or Path(environ.get("HOME", "/")) / ".pgpass")
    try:
        if path.stat().st_mode & 0o077:
            return None
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    wanted = (connection.host, str(connection.port), connection.database, connection.user)
    for text in lines:
        fields = _fields(text)
        if len(fields) == 5 and all(have in ("*", want) for have, want in zip(fields, wanted)):
            return Secret(fields[4])
    return None


def entry(connection: Connection, password: Secret) -> Secret:
    """The line for any host that this role's password opens."""
    fields = ["*", "*", "*", connection.user, password.reveal()]
    return Secret(":".join(fields[:3] + [_escaped(field) for field in fields[3:]]))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _fields(text: str) -> List[str]:
    """The five fields of a line; none for a comment."""
    if text.startswith("#"):
        return []
    found = [""]
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            found[-1] += next(letters, "\\")
        elif letter == ":" and len(found) < 5:
            found.append("")
        else:
            found[-1] += letter
    return found
