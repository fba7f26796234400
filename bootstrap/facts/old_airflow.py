"""An Airflow that airferry did not install, as far as it can be taken over: looked at, never changed.

Runs as an account that may read it. Its database is opened for reading alone; nothing is imported, unpickled
or executed from there.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator, List, Tuple

from bootstrap.airflow import managed_options, old_options, revisions
from bootstrap.airflow.differences import numbers
from bootstrap.base import smallfile
from bootstrap.base.secret import masked
from bootstrap.facts import old_database, old_postgres
from bootstrap.facts.airflows import PACKAGES
from bootstrap.facts.old_configuration import LARGEST_CFG, InForce, in_force, person_of
from bootstrap.facts.old_database import OldDatabase
from bootstrap.facts.old_postgres import POSTGRESQL, OldServer
from bootstrap.facts.remnants import Remnant
from bootstrap.facts.remnants import collect as remnants_of

MYSQL = "mysql"
_LEFT_OUT = ("__pycache__", ".git", ".svn", ".hg")
# What stands beside the task logs, of components that have ended.
COMPONENT_LOGS = ("scheduler", "dag_processor", "dag_processor_manager", "triggerer", "airferry")
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
    """An option of the old airflow.cfg that is not at its default; `value` as it may be shown."""

    section: str
    option: str
    value: str


@dataclass(frozen=True)
class OldAirflow:
    """The old home and what is in it; `version` and `environment` are empty where none was found.

    `home` is empty where only the address of its database was named: then there is nothing but rows.

    `remote_logs` says where its task logs go when they do not stay on the host.

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
    remote_logs: str = ""
    variables: Tuple[str, ...] = ()
    login: str = ""
    is_default: bool = False
    remnants: Tuple[Remnant, ...] = ()

    @property
    def place(self) -> str:
        """Where it is: its home, or its database where nothing else was named."""
        return self.home or self.database.address

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
        settings=tuple(_settings(found)),
        remote_logs=old_options.remote_logs(found.text),
        variables=tuple(sorted(name for name in found.own if name.startswith("AIRFLOW__"))),
        login=_login(home / "webserver_config.py"),
        is_default=home == Path(person, "airflow"),
        remnants=tuple(remnants_of(home, person)),
    )
    version, environment = _environment(old, person)
    return replace(old, version=version, environment=environment)


def collect_server(server: OldServer, key: str) -> OldAirflow:
    """Look at a database of which no home is known; `key` is the fernet key, or ""."""
    return OldAirflow(
        "", name_of(os.geteuid()), os.geteuid(), os.getegid(), old_postgres.of_server(server, key)
    )


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
        elif os.geteuid() == 0 and status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
            links.append(f"{item} (hard link)")  # it may be any file of the host
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


def _database(found: InForce) -> OldDatabase:
    url, path = found.database_url, found.database_file
    elsewhere = found.from_elsewhere
    if elsewhere:
        return OldDatabase(
            "unknown", elsewhere, problem="no command is run, and no vault asked, for its address"
        )
    if path is not None:
        return old_database.of_file(path, found.fernet_key)
    key = "set" if found.fernet_key else "unknown"
    if not old_postgres.is_postgresql(url):
        kind = url.partition("://")[0].partition("+")[0]
        return OldDatabase(kind, masked(url), key=key)
    try:
        return old_postgres.of_server(server_of(found), found.fernet_key)
    except ValueError as error:
        return OldDatabase(POSTGRESQL, masked(url), key=key, problem=str(error))


def server_of(found: InForce) -> OldServer:
    """The PostgreSQL server that is in force there; raises ValueError."""
    user = name_of(found.home.stat().st_uid)
    server = old_postgres.server_of(found.database_url, Path(found.person), user)
    schema = found.value(("database", "sql_alchemy_schema"), ("core", "sql_alchemy_schema"))
    quoted = '"' + (schema or "").replace('"', '""') + '"'
    return replace(server, settings={**server.settings, "search_path": quoted}) if schema else server


def _settings(found: InForce) -> Iterator[OldSetting]:
    for (section, option), value in old_options.changed(found.text, str(found.home)):
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
