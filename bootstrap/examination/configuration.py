"""airflow.cfg as it is: what this installation wrote, and options that its release does not know there."""

from __future__ import annotations

import ast
import configparser
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from bootstrap.airflow import config, option_tables, parsing
from bootstrap.airflow.config import ConfigurationError
from bootstrap.airflow.managed_options import managed_options
from bootstrap.airflow.option_tables import Older, Tables
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.in_force import variable
from bootstrap.installed.installation import Installation
from bootstrap.services import localenv
from bootstrap.services.launcher import OWN_ENVIRONMENT

HIDDEN = "***"
ANOTHER = "another value"
MISPLACED, OBSOLETE, UNKNOWN = "misplaced", "obsolete", "unknown"
# Python that Airflow runs at its start, where it is there
CODE = ("webserver_config.py", "config/airflow_local_settings.py")
# options that nothing but Airflow itself has, in whatever section they stand
TELLING = (
    "sql_alchemy_conn", "executor", "fernet_key", "secret_key", "jwt_secret", "auth_manager", "parallelism",
    "load_examples", "dags_folder", "base_url", "execution_api_server_url",
)  # fmt: skip
_STRAYS = 40


@dataclass(frozen=True)
class OptionState:
    """An option of airflow.cfg that the installation wrote; a secret shows as ``***`` or "another value"."""

    section: str
    name: str
    wanted: str
    found: Optional[str]


@dataclass(frozen=True)
class Stray:
    """An option that this release does not have in that section, by its own list.

    `kind` is misplaced (another section has it), obsolete (the release says what became of it) or unknown;
    `instead` says where it belongs, or what became of it and whether it is read here still.
    """

    section: str
    name: str
    kind: str
    instead: str = ""


@dataclass(frozen=True)
class Configuration:
    """airflow.cfg: the `options` that this installation needs, or the `problem` that Airflow has with it.

    `written` is when the file was last changed (seconds since 1970), `code` names files of Python beside it
    that cannot be read, each with the error. `own` are lines of etc/local.env that are not used,
    `own_remarks` those that may not mean what was meant, `own_over` the variables there that override an
    option of the installation with another value; `own_written` is when that was last changed.
    """

    path: str
    problem: str = ""
    options: Tuple[OptionState, ...] = ()
    strays: Tuple[Stray, ...] = ()
    written: float = 0.0
    code: Tuple[str, ...] = ()
    own: Tuple[str, ...] = ()
    own_remarks: Tuple[str, ...] = ()
    own_over: Tuple[str, ...] = ()
    own_written: float = 0.0


def collect(installation: Installation) -> Configuration:
    """airflow.cfg, read as Airflow does, and the files beside it."""
    path = installation.home.path / OWN_ENVIRONMENT
    try:
        own, written = localenv.parse(path.read_bytes()), path.stat().st_mtime
    except FileNotFoundError:
        return _airflow_cfg(installation)
    except OSError as error:
        return replace(_airflow_cfg(installation), own=(f"all lines: {error.strerror}",))
    return replace(
        _airflow_cfg(installation),
        own=own.problems,
        own_remarks=own.remarks,
        own_over=_overriding(installation, own.variables),
        own_written=written,
    )


def _overriding(installation: Installation, variables: Mapping[str, str]) -> Tuple[str, ...]:
    """Which variables override an option that the installation depends on; no value is shown.

    Airflow takes an option from the variable, or from what the one with ``_CMD`` or ``_SECRET`` names
    (https://airflow.apache.org/docs/apache-airflow/stable/howto/set-config.html).
    """
    managed = managed_options(installation.version, installation.executor)
    wanted = {(item.section, item.option): item.value for item in ManagedSettings(installation).settings()}
    found: List[str] = []
    for place in managed:
        name = variable(place)
        if name in variables and variables[name] != wanted.get(place):
            found.append(name)
        found += [item for item in (f"{name}_CMD", f"{name}_SECRET") if item in variables]
    return tuple(sorted(found))


def _airflow_cfg(installation: Installation) -> Configuration:
    path = installation.home.airflow_cfg
    code = tuple(filter(None, (_code_error(installation.home.path / name) for name in CODE)))
    try:
        text, written = config.read(path), path.stat().st_mtime
    except (OSError, ConfigurationError) as error:
        return Configuration(str(path), str(error), code=code)
    problem = parsing.problem(text)
    if problem:
        return Configuration(str(path), problem, written=written, code=code)
    options = []
    for setting in ManagedSettings(installation).settings():
        found = config.get(text, setting.section, setting.option)
        wanted = HIDDEN if setting.secret else setting.value
        if setting.secret and found is not None:
            found = HIDDEN if found == setting.value else harmless(found)
        options.append(OptionState(setting.section, setting.option, wanted, found))
    strays = _strays(text, option_tables.of_environment(installation.release.venv))
    return Configuration(str(path), "", tuple(options), strays, written, code)


def harmless(value: str) -> str:
    """A secret that is not the wanted one, without the secret: where a database is, or nothing."""
    if "://" not in value:
        return ANOTHER if value else ""
    parts = urlsplit(value)
    if parts.scheme.startswith("sqlite"):
        return f"{parts.scheme}://{parts.path}"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _code_error(path: Path) -> str:
    try:
        ast.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path}: {error.strerror}"
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"{path}{line}: {getattr(error, 'msg', error)}"
    return ""


# what the installed release says of its own options


def _strays(text: str, tables: Optional[Tables]) -> Tuple[Stray, ...]:
    """The options that the release does not know where they stand; values are not looked at."""
    if tables is None:
        return ()
    known = tables.sections
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    found: List[Stray] = []
    for section in parser.sections():
        for option in parser.options(section):
            name = re.sub(r"_(cmd|secret)$", "", option)
            if {option, name} & known.get(section, set()) or (section, option) in tables.providers:
                continue
            older = tables.older.get((section, option)) or tables.older.get((section, name))
            if older:
                found.append(Stray(section, option, OBSOLETE, _became(older, parser)))
                continue
            places = [f"[{other}]" for other in sorted(known) if {option, name} & known[other]]
            # sections of providers are not in that list, and their options have names of their own
            if places and (section in known or option in TELLING):
                found.append(Stray(section, option, MISPLACED, " or ".join(places)))
            elif section in known:
                found.append(Stray(section, option, UNKNOWN))
    return tuple(found[:_STRAYS])


def _became(older: Older, parser: configparser.RawConfigParser) -> str:
    """What has become of an option, and whether this release still reads it where it stands."""
    if older.now is None:
        return "removed, not read"
    now = "[{}] {}".format(*older.now)
    if not older.read:
        return f"now {now}, not read here any more"
    if parser.has_option(*older.now):
        return f"now {now}, which is set: not read here"
    return f"now {now}, still read here"
