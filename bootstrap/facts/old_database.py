"""The metadata database of an old Airflow, as one looks at it: read, and never changed."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import urllib.parse
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Protocol, Sequence, Tuple

from bootstrap.airflow import fernet
from bootstrap.base.secret import Secret

if TYPE_CHECKING:
    import sqlite3

# Rows that people ask for, in the order in which they are named.
COUNTED = (
    "dag", "dag_run", "task_instance", "xcom", "log", "connection", "variable", "slot_pool", "ab_user",
    "ab_role",
)  # fmt: skip
# Every table that Airflow and its own accounts have had from 2.2 to 3.3.
TABLES = frozenset((
    "ab_group", "ab_group_role", "ab_permission", "ab_permission_view", "ab_permission_view_role",
    "ab_register_user", "ab_role", "ab_user", "ab_user_group", "ab_user_role", "ab_view_menu",
    "alembic_version", "alembic_version_fab", "asset", "asset_active", "asset_alias", "asset_alias_asset",
    "asset_alias_asset_event", "asset_dag_run_queue", "asset_event", "asset_partition_dag_run",
    "asset_state_store", "asset_trigger", "asset_watcher", "backfill", "backfill_dag_run", "callback",
    "callback_request", "connection", "connection_test_request", "dag", "dag_bundle", "dag_bundle_team",
    "dag_code", "dag_favorite", "dag_owner_attributes", "dag_pickle", "dag_priority_parsing_request",
    "dag_run", "dag_run_note", "dag_schedule_asset_alias_reference", "dag_schedule_asset_name_reference",
    "dag_schedule_asset_reference", "dag_schedule_asset_uri_reference",
    "dag_schedule_dataset_alias_reference", "dag_schedule_dataset_reference", "dag_tag", "dag_version",
    "dag_warning", "dagrun_asset_event", "dagrun_dataset_event", "dataset", "dataset_alias",
    "dataset_alias_dataset", "dataset_alias_dataset_event", "dataset_dag_run_queue", "dataset_event",
    "deadline", "deadline_alert", "hitl_detail", "hitl_detail_history", "import_error", "job", "log",
    "log_template", "partitioned_asset_key_log", "rendered_task_instance_fields", "revoked_token",
    "sensor_instance", "serialized_dag", "session", "sla_miss", "slot_pool", "task_fail",
    "task_inlet_asset_reference", "task_instance", "task_instance_history", "task_instance_note",
    "task_map", "task_outlet_asset_reference", "task_outlet_dataset_reference", "task_reschedule",
    "task_state_store", "team", "trigger", "variable", "xcom",
))  # fmt: skip
# A component whose last sign of life is younger still runs, wherever.
ALIVE_SECONDS = 60
# where there is room, other than in /tmp, which may be memory
SCRATCH = "/var/tmp"  # noqa: S108


@dataclass(frozen=True)
class OldDatabase:
    """The metadata database: `kind` is sqlite, postgresql, mysql or another; `address` has no password.

    `revision` is that of its schema; `rows` are counts of tables. `key` says whether there is a fernet key
    and it opens what is encrypted (``set``, ``none``, ``unknown``); `closed` are values that it does not
    open, `plain` is the number of those that are not encrypted. `alive` names components that have shown a
    sign of life in the last minute. `strange` are tables with rows that are not Airflow's.
    """

    kind: str
    address: str
    size: int = 0
    revision: str = ""
    rows: Dict[str, int] = field(default_factory=dict)
    users: Tuple[str, ...] = ()
    key: str = "unknown"
    closed: Tuple[str, ...] = ()
    plain: int = 0
    alive: Tuple[str, ...] = ()
    problem: str = ""
    strange: Tuple[str, ...] = ()


class QueriedDatabase(Protocol):
    """A database that answers queries; names are in double quotes."""

    def tables(self) -> List[str]:
        """The names of its tables."""
        ...

    def query(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a query; numbers may come as text."""
        ...


class AskedSqlite:
    """SQLite's file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def tables(self) -> List[str]:
        """The names of its tables."""
        rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return [row[0] for row in rows]

    def query(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a query."""
        return self.connection.execute(sql).fetchall()


def counted(asked: QueriedDatabase, database: OldDatabase, key: str) -> OldDatabase:
    """What is in it, as far as a take-over must know; `key` is the fernet key, or ""."""
    tables = set(asked.tables())
    if "alembic_version" not in tables:
        return replace(database, problem="it has no table alembic_version: this is no database of Airflow's")
    revision = asked.query("SELECT max(version_num) FROM alembic_version")[0][0] or ""
    rows = {name: _rows(asked, name) for name in COUNTED if name in tables}
    strange = {
        name: _rows(asked, name)
        for name in sorted(tables - TABLES)
        # a provider's own migrations, which airferry's install makes
        if not name.startswith("alembic_version")
    }
    users: Tuple[str, ...] = ()
    if "ab_user" in tables:
        users = tuple(row[0] for row in asked.query("SELECT username FROM ab_user ORDER BY username"))
    closed, plain, encrypted = _values(asked, key)
    return replace(
        database,
        revision=revision,
        rows=rows,
        users=users,
        key="set" if key else "unknown" if encrypted else "none",
        closed=closed,
        plain=plain,
        alive=tuple(_alive(asked)) if "job" in tables else (),
        strange=tuple(f"{name} ({count:,} rows)" for name, count in strange.items() if count),
    )


def _rows(asked: QueriedDatabase, table: str) -> int:
    name = table.replace('"', '""')
    return int(asked.query(f'SELECT count(*) FROM "{name}"')[0][0])  # noqa: S608  (of its own catalogue)


def _values(asked: QueriedDatabase, key: str) -> Tuple[Tuple[str, ...], int, int]:
    """The values that the key does not open, how many are in plain text, and how many encrypted."""
    closed: List[str] = []
    plain = encrypted = 0
    for kind, table, name, value, flag in (
        ("connection", "connection", "conn_id", "password", "is_encrypted"),
        ("connection", "connection", "conn_id", "extra", "is_extra_encrypted"),
        ("variable", "variable", '"key"', "val", "is_encrypted"),
    ):
        found = asked.query(
            f"SELECT {name}, {value}, CASE WHEN {flag} THEN 1 ELSE 0 END FROM {table}"  # noqa: S608  (ours)
            f" WHERE {value} IS NOT NULL AND {value} <> ''"
        )
        for named, text, is_encrypted in found:
            if not int(is_encrypted):
                plain += 1
                continue
            encrypted += 1
            if not key or not fernet.opens(Secret(key), text):
                closed.append(f"{kind} {named}")
    return tuple(dict.fromkeys(closed)), plain, encrypted


def _alive(asked: QueriedDatabase) -> Iterator[str]:
    rows = asked.query(
        "SELECT job_type, hostname, max(latest_heartbeat) FROM job WHERE state = 'running'"
        " AND job_type LIKE '%er%' AND job_type NOT LIKE 'LocalTask%' GROUP BY 1, 2"
    )
    now = datetime.now(timezone.utc)
    for kind, host, beat in rows:
        with contextlib.suppress(TypeError, ValueError):
            last = datetime.fromisoformat(re.split(r"[.+]", str(beat))[0]).replace(tzinfo=timezone.utc)
            if (now - last).total_seconds() < ALIVE_SECONDS:
                yield f"{kind} on {host}, last heard of {str(beat)[:26]} UTC"


def of_file(path: Path, key: str) -> OldDatabase:
    """What is in SQLite's file."""
    database = OldDatabase("sqlite", str(path))
    try:
        database = replace(database, size=path.stat().st_size)
        with consistent(path) as connection:
            return counted(AskedSqlite(connection), database, key)
    except ImportError as error:
        return replace(database, problem=f"this Python has no sqlite3: {error}")
    except OSError as error:
        return replace(database, problem=error.strerror or str(error))
    except Exception as error:  # noqa: BLE001  (sqlite3.Error, which is imported late)
        return replace(database, problem=f"SQLite: {error}")


@contextlib.contextmanager
def consistent(path: Path) -> Iterator[sqlite3.Connection]:
    """SQLite's file, read-only: nothing is written there, no journal and no lock file either.

    A file whose writer was killed, or that has a write-ahead log beside it, cannot be read without writing:
    then a copy of all its parts is. Raises OSError, sqlite3.Error, and ImportError on a Python without it.
    """
    import sqlite3  # noqa: PLC0415  (a Python without it gets as far as doctor)

    parts = [Path(f"{path}{ending}") for ending in ("", "-wal", "-journal")]
    left = any(part.exists() for part in parts[1:])
    with contextlib.ExitStack() as stack:
        connection = None
        logged = _is_logged(path)
        try:
            if not (logged and left):
                # else SQLite would make both parts of the log beside the file
                connection = _opened(path, "ro&immutable=1" if logged else "ro")
                stack.enter_context(contextlib.closing(connection))
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            if not left:
                raise
            connection = None
        if connection is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="airferry-", dir=SCRATCH))
            for part in parts:
                if part.exists():
                    shutil.copyfile(str(part), str(Path(folder, part.name)))
            connection = _opened(Path(folder, path.name), "rw")
            stack.enter_context(contextlib.closing(connection))
        yield connection


def _is_logged(path: Path) -> bool:
    """Whether it is in WAL mode (SQLite's "Database File Format", 1.3.3); raises OSError."""
    with path.open("rb") as stream:
        return stream.read(20)[18:] == b"\2\2"


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415

    connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode={mode}", uri=True, timeout=30)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection
