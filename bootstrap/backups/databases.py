"""The old database, set aside in the same cluster while another takes its place, and brought back.

A database is made completely or not at all (CREATE DATABASE), and two are renamed in one transaction, so
under its own name there is always a whole one. On an external server only the one database is ours: there
its content is replaced, in one transaction as well, and the backup stands for what is set aside.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import List

from bootstrap.base import discard
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump, locks
from bootstrap.postgres.dump import DumpFailed
from bootstrap.postgres.embedded import DATABASE, ROLE

ASIDE = f"{DATABASE}_before"
_RESTORED = f"{DATABASE}_restored"
_DISCARDED = f"{DATABASE}_discarded"
# A user's psql is ended at once, but has to notice.
_TRIES = 10
_SCRATCH = "replace-"
# A copy of a large one takes long; this is only the end of a server that hangs.
_SECONDS = 6 * 3600.0
# A migration whose program was killed may go on in the server.
_END_OURS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""


def set_aside(installation: Installation) -> None:
    """Keep a copy of the database; Airflow must be down."""
    if not installation.servers:
        return
    tidy(installation)
    _make(installation, ASIDE, template=DATABASE)


def put_in(installation: Installation, source: Path) -> None:
    """Restore a dump beside the database, then give it its name; the one that was there is set aside."""
    if not installation.servers:
        _replace(installation, source)
        return
    tidy(installation)
    _make(installation, _RESTORED, template="template0")
    dump.load(installation.cluster.clients_of(_RESTORED), source)
    _swap(installation, _RESTORED, ASIDE)


def bring_back(installation: Installation, saved: Path) -> None:
    """Put the database that was set aside in its place again; `saved` is its dump.

    Nothing is done when there is none.
    """
    if not installation.servers:
        _replace(installation, saved)
        return
    if _exists(installation, ASIDE):
        _drop(installation, _DISCARDED)
        _swap(installation, ASIDE, _DISCARDED)
    tidy(installation)


def tidy(installation: Installation) -> None:
    """Remove databases that a change has left behind; only when nothing is to be brought back any more."""
    if not installation.servers:
        return
    names = ", ".join(f"'{name}'" for name in (ASIDE, _RESTORED, _DISCARDED))
    sql = f"SELECT datname FROM pg_database WHERE datname IN ({names})"  # noqa: S608
    for name in installation.cluster.query(sql, superuser=True).split():
        _drop(installation, name)


def size(installation: Installation) -> int:
    """The bytes of the database on the disk."""
    with installation.database.clients() as clients:
        return dump.size(clients)


def _replace(installation: Installation, source: Path) -> None:
    run = installation.home.run
    discard.sweep(run, _SCRATCH)
    query = installation.database.query
    query(_END_OURS)
    scratch = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=str(run))
    with scratch as folder, installation.database.clients() as clients:
        try:
            dump.replace(clients, source, Path(folder))
        except DumpFailed as error:
            locks.blame(error, query)
            raise


def _make(installation: Installation, name: str, *, template: str) -> None:
    quick = ""
    if int(installation.cluster.query("SHOW server_version_num")) >= 150000:
        quick = " STRATEGY FILE_COPY"  # without it every page goes through the log
    sql = f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}{quick}"
    if template == "template0":
        sql += " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    _alone(installation, [template], sql + ";\n")


def _drop(installation: Installation, name: str) -> None:
    if _exists(installation, name):
        _alone(installation, [name], f"DROP DATABASE {name};\n")


def _swap(installation: Installation, wanted: str, previous: str) -> None:
    """Give `wanted` the database's own name, and that one the name `previous`, in one step."""
    sql = (
        "BEGIN;\n"
        f"ALTER DATABASE {DATABASE} RENAME TO {previous};\n"
        f"ALTER DATABASE {wanted} RENAME TO {DATABASE};\n"
        "COMMIT;\n"
    )
    _alone(installation, [DATABASE, wanted], sql)


def _alone(installation: Installation, names: List[str], sql: str) -> None:
    """Run SQL as the superuser while nobody else is connected to these databases."""
    listed = ", ".join(f"'{name}'" for name in names)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608
        f" WHERE datname IN ({listed}) AND pid <> pg_backend_pid() \\g /dev/null\n"
    )
    for attempt in range(_TRIES):
        try:
            installation.cluster.script(Secret(end + sql), what="rename the databases", timeout=_SECONDS)
            return
        except CommandFailed as error:
            if "being accessed by other users" not in error.found or attempt == _TRIES - 1:
                raise
            time.sleep(0.5)


def _exists(installation: Installation, name: str) -> bool:
    sql = f"SELECT 1 FROM pg_database WHERE datname = '{name}'"  # noqa: S608
    return bool(installation.cluster.query(sql, superuser=True))
