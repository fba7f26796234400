"""An Airflow that airferry did not install, as far as it can be taken over: looked at, never changed.

Runs as an account that may read it. SQLite is opened read-only (``mode=ro``); nothing is imported, unpickled
or executed from there.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import shutil
import stat
import tempfile
import urllib.parse
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Tuple

from bootstrap.airflow import config, fernet, managed_options, revisions
from bootstrap.airflow.differences import numbers
from bootstrap.base import smallfile
from bootstrap.base.secret import Secret, masked
from bootstrap.facts.airflows import PACKAGES
from bootstrap.facts.old_configuration import LARGEST_CFG, SQLITE, InForce, in_force, person_of
from bootstrap.facts.remnants import Remnant
from bootstrap.facts.remnants import collect as remnants_of

if TYPE_CHECKING:
    import sqlite3

POSTGRESQL, MYSQL = "postgresql", "mysql"
# Rows that people ask for, in the order in which they are named.
COUNTED = (
    "dag", "dag_run", "task_instance", "xcom", "log", "connection", "variable", "slot_pool", "ab_user",
    "ab_role",
)  # fmt: skip
# A component whose last sign of life is younger still runs, wherever.
ALIVE_SECONDS = 60
_LEFT_OUT = ("__pycache__", ".git", ".svn", ".hg")
# What stands beside the task logs, of components that have ended.
COMPONENT_LOGS = ("scheduler", "dag_processor", "dag_processor_manager", "triggerer", "airferry")
# where there is room, other than in /tmp, which may be memory
SCRATCH = "/var/tmp"  # noqa: S108
_LINKS = 20


@dataclass(frozen=True)
class OldFolder:
    """A folder to be copied: its plain files and their bytes, and `links`, which are not followed."""

    path: str
    files: int = 0
    size: int = 0
    links: Tuple[str, ...] = ()
    unreadable: Tuple[str, ...] = ()


@dataclass(frozen=True)
class OldSetting:
    """An option that is set in the old airflow.cfg; `value` as it may be shown."""

    section: str
    option: str
    value: str


@dataclass(frozen=True)
class OldDatabase:
    """The metadata database: `kind` is sqlite, postgresql, mysql or another; `address` has no password.

    `revision` is that of its schema; `rows` are counts of tables. `key` says whether there is a fernet key
    and it opens what is encrypted (``set``, ``none``, ``unknown``); `closed` are values that it does not
    open, `plain` is the number of those that are not encrypted. `alive` names components that have shown a
    sign of life in the last minute.
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


@dataclass(frozen=True)
class OldAirflow:
    """The old home and what is in it; `version` and `environment` are empty where none was found.

    `login` is the AUTH_TYPE of a webserver_config.py; empty for Airflow's own accounts. `is_default` says
    that it is its owner's home without an AIRFLOW_HOME.
    """

    home: str
    owner: str
    uid: int
    gid: int
    database: OldDatabase
    version: str = ""
    environment: str = ""
    dags: OldFolder = field(default_factory=lambda: OldFolder(""))
    plugins: OldFolder = field(default_factory=lambda: OldFolder(""))
    logs: OldFolder = field(default_factory=lambda: OldFolder(""))
    settings: Tuple[OldSetting, ...] = ()
    variables: Tuple[str, ...] = ()
    login: str = ""
    is_default: bool = False
    remnants: Tuple[Remnant, ...] = ()

    @property
    def release(self) -> str:
        """The release that it is of, as far as is known: the oldest with that schema."""
        return self.version or revisions.FIRST.get(self.database.revision, "")


def collect(home: Path) -> OldAirflow:
    """Look at an old home, as an account that may read it; raises OSError, ConfigurationError."""
    status = home.stat()
    person = person_of(status.st_uid)
    found = in_force(home, person)
    old = OldAirflow(
        str(home),
        name_of(status.st_uid),
        status.st_uid,
        status.st_gid,
        _database(found),
        dags=folder(found.folder("dags_folder", "dags")),
        plugins=folder(found.folder("plugins_folder", "plugins")),
        logs=folder(found.logs, without=COMPONENT_LOGS),
        settings=tuple(_settings(found.text)),
        variables=tuple(sorted(name for name in found.own if name.startswith("AIRFLOW__"))),
        login=_login(home / "webserver_config.py"),
        is_default=home == Path(person, "airflow"),
        remnants=tuple(remnants_of(home, person)),
    )
    version, environment = _environment(old, person)
    return replace(old, version=version, environment=environment)


def folder(path: Path, without: Tuple[str, ...] = ()) -> OldFolder:
    """Count the plain files below `path`, which may be a link; `without` names entries to pass over."""
    files = size = 0
    links: List[str] = []
    unreadable: List[str] = []
    for item in below(path, without):
        status = item.lstat()
        if stat.S_ISLNK(status.st_mode):
            links.append(f"{item} -> {os.readlink(str(item))}")
        elif not os.access(str(item), os.R_OK):
            unreadable.append(str(item))
        elif stat.S_ISREG(status.st_mode):
            files, size = files + 1, size + status.st_size
    return OldFolder(str(path), files, size, tuple(links[:_LINKS]), tuple(unreadable[:_LINKS]))


def below(top: Path, without: Tuple[str, ...] = ()) -> Iterator[Path]:
    """Every file and link below a folder, but for bytecode, version control and entries of these names."""
    for place, folders, names in os.walk(str(top), followlinks=False):
        linked = [name for name in folders if Path(place, name).is_symlink()]
        passed = (*_LEFT_OUT, *linked, *(without if place == str(top) else ()))
        folders[:] = sorted(name for name in folders if name not in passed)
        for name in sorted((*names, *linked)):
            if not name.endswith(".pyc"):
                yield Path(place, name)


@contextlib.contextmanager
def consistent(path: Path) -> Iterator[sqlite3.Connection]:
    """SQLite's file, read-only: nothing is written there, no journal and no lock file either.

    A file whose writer was killed, or that keeps a log of its own beside it, cannot be read without writing:
    then a copy of all its parts is. Raises OSError, sqlite3.Error, and ImportError on a Python without it.
    """
    import sqlite3  # noqa: PLC0415  (a Python without it gets as far as doctor)

    with contextlib.ExitStack() as stack:
        try:
            connection = _opened(path, "ro")
            stack.enter_context(contextlib.closing(connection))
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            parts = [Path(f"{path}{ending}") for ending in ("", "-wal", "-journal")]
            if not any(part.exists() for part in parts[1:]):
                raise
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="airferry-", dir=SCRATCH))
            for part in parts:
                if part.exists():
                    shutil.copyfile(str(part), str(Path(folder, part.name)))
            connection = _opened(Path(folder, path.name), "rw")
            stack.enter_context(contextlib.closing(connection))
        yield connection


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415

    connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode={mode}", uri=True, timeout=30)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _database(found: InForce) -> OldDatabase:
    url, path = found.database_url, found.database_file
    if path is None:
        kind = url.partition("://")[0].partition("+")[0].replace("postgres", POSTGRESQL).replace("qlql", "ql")
        kind = POSTGRESQL if kind.startswith(POSTGRESQL) else kind
        return OldDatabase(kind, masked(url), key="set" if found.fernet_key else "unknown")
    database = OldDatabase(SQLITE, str(path))
    try:
        database = replace(database, size=path.stat().st_size)
        with consistent(path) as connection:
            return _counted(connection, database, found.fernet_key)
    except ImportError as error:
        return replace(database, problem=f"this Python has no sqlite3: {error}")
    except OSError as error:
        return replace(database, problem=error.strerror or str(error))
    except Exception as error:  # noqa: BLE001  (sqlite3.Error, which is imported late)
        return replace(database, problem=f"SQLite: {error}")


def _counted(connection: sqlite3.Connection, database: OldDatabase, key: str) -> OldDatabase:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return replace(database, problem="it has no table alembic_version: this is no database of Airflow's")
    revision = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0] or ""
    rows = {
        name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608  (ours)
        for name in COUNTED
        if name in tables
    }
    users: Tuple[str, ...] = ()
    if "ab_user" in tables:
        users = tuple(row[0] for row in connection.execute("SELECT username FROM ab_user ORDER BY username"))
    closed, plain, encrypted = _values(connection, key)
    state = "set" if key else "unknown" if encrypted else "none"
    alive = tuple(_alive(connection)) if "job" in tables else ()
    return replace(
        database,
        revision=revision,
        rows=rows,
        users=users,
        key=state,
        closed=closed,
        plain=plain,
        alive=alive,
    )


def _values(connection: sqlite3.Connection, key: str) -> Tuple[Tuple[str, ...], int, int]:
    """The values that the key does not open, how many are in plain text, and how many encrypted."""
    closed: List[str] = []
    plain = encrypted = 0
    for kind, query in (
        ("connection", "SELECT conn_id, password, is_encrypted FROM connection"),
        ("connection", "SELECT conn_id, extra, is_extra_encrypted FROM connection"),
        ("variable", 'SELECT "key", val, is_encrypted FROM variable'),
    ):
        for name, value, flag in connection.execute(query):
            if not value:
                continue
            if not flag:
                plain += 1
                continue
            encrypted += 1
            if not key or not fernet.opens(Secret(key), value):
                closed.append(f"{kind} {name}")
    return tuple(dict.fromkeys(closed)), plain, encrypted


def _alive(connection: sqlite3.Connection) -> Iterator[str]:
    rows = connection.execute(
        "SELECT job_type, hostname, max(latest_heartbeat) FROM job WHERE state = 'running'"
        " AND job_type LIKE '%er%' AND job_type NOT LIKE 'LocalTask%' GROUP BY 1, 2"
    )
    now = datetime.now(timezone.utc)
    for kind, host, beat in rows:
        with contextlib.suppress(TypeError, ValueError):
            last = datetime.fromisoformat(str(beat)[:26]).replace(tzinfo=timezone.utc)
            if (now - last).total_seconds() < ALIVE_SECONDS:
                yield f"{kind} on {host}, last heard of {beat} UTC"


def _settings(text: str) -> Iterator[OldSetting]:
    for section, option in config.options(text):
        value = config.get(text, section, option) or ""
        yield OldSetting(section, option, managed_options.shown(option, value) or "")


def _login(path: Path) -> str:
    try:
        found = re.findall(r"^AUTH_TYPE *= *(\w+)", smallfile.text(path, largest=LARGEST_CFG), re.MULTILINE)
    except OSError:
        return ""
    return found[-1] if found and found[-1] != "AUTH_DB" else ""


def _environment(old: OldAirflow, person: str) -> Tuple[str, str]:
    """The installed Airflow whose schema it is: its version and its folder of packages."""
    first = revisions.FIRST.get(old.database.revision, "")
    after = [version for version, _ in revisions.HEADS if first and numbers(version) > numbers(first)]
    near = (
        f"{old.home}/*/lib/python3*/site-packages",
        f"{Path(old.home).parent}/*/lib/python3*/site-packages",
    )
    for pattern in (*near, *PACKAGES):
        named = pattern.replace("~", glob.escape(person), 1) if pattern.startswith("~") else pattern
        for path in sorted(glob.glob(f"{named}/apache_airflow-*.dist-info")):  # noqa: PTH207
            version = re.sub(r"^apache_airflow-|\.dist-info$", "", Path(path).name)
            with contextlib.suppress(Exception):
                fits = first and numbers(first) <= numbers(version)
                if fits and not (after and numbers(after[0]) <= numbers(version)):
                    return version, str(Path(path).parent)
    return "", ""


def name_of(uid: int) -> str:
    """The name of an account, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
