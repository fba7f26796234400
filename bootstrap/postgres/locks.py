"""Other sessions that hold tables which a change needs for itself: waited for, then named.

PostgreSQL manual: "Explicit Locking", "The Cumulative Statistics System".
"""

from __future__ import annotations

import contextlib
import time
from typing import Callable, List

from wheelhouse.errors import AirferryError

Query = Callable[[str], str]

# How long a change waits for a table that another session holds.
SECONDS = 120
_SHOWN = 5

# Sessions of the server itself (autovacuum) have no role, and give way.
_HOLDERS = """SELECT a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'a program without a name'),
    string_agg(DISTINCT c.relname, ', ')
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted AND a.datname = current_database() AND a.usename IS NOT NULL AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    GROUP BY 1, 2, 3 ORDER BY 1"""


class DatabaseHeld(AirferryError):
    """Another session holds tables of the metadata database that a change needs."""

    reference = "database-held"
    exit_code = 47


def holders(query: Query) -> List[str]:
    """The sessions, but for our own, that hold tables of Airflow's now: a line each."""
    lines = [row.split("\t") for row in query(_HOLDERS).split("\n") if row]
    return [f"session {pid} of {role} ({program}): {tables}" for pid, role, program, tables in lines]


def wait(query: Query, seconds: float = SECONDS / 2) -> None:
    """Wait until nobody holds them, when Airflow is stopped; raises :class:`DatabaseHeld`."""
    deadline = time.monotonic() + seconds
    while True:
        found = holders(query)
        if not found:
            return
        if time.monotonic() > deadline:
            raise _held("Airflow's tables are in use although Airflow is stopped.", found)
        time.sleep(0.5)


def blame(error: AirferryError, query: Query) -> None:
    """Raise :class:`DatabaseHeld` for work that failed while the tables are held; else do nothing."""
    found: List[str] = []
    with contextlib.suppress(AirferryError):
        found = holders(query)
    if found:
        raise _held(error.message, [error.found, *found] if error.found else found) from error


def _held(message: str, found: List[str]) -> DatabaseHeld:
    return DatabaseHeld(
        message,
        found="\n".join(found[: _SHOWN + 1]),
        needed="no other session in these tables",
        hint="End these sessions (their owner can, or the server's administrator, with SELECT"
        " pg_terminate_backend(NUMBER)), then run the same command again.",
    )
