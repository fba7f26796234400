"""airflow.cfg: what the installation depends on, and what its release does not read there."""

from __future__ import annotations

from typing import Dict, Iterator, Tuple
from urllib.parse import urlsplit

from bootstrap.base.columns import listed
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.configuration import (
    ANOTHER,
    MISPLACED,
    OBSOLETE,
    UNKNOWN,
    Configuration,
    OptionState,
)
from bootstrap.examination.installed import Installed

CONFIG_OK = Entry("config-ok", OK, "airflow.cfg fits this installation")
CONFIG_UNREADABLE = Entry(
    "config-unreadable",
    BLOCKER,
    "airflow.cfg cannot be read",
    "No command and no component of Airflow starts with it.",
)
CONFIG_SQLITE = Entry(
    "config-sqlite",
    BLOCKER,
    "airflow.cfg names an SQLite database",
    "Airflow 2 refuses to start LocalExecutor on it; Airflow 3 starts, looks healthy, and does not have"
    " the DAG runs so far.",
)
CONFIG_DATABASE = Entry(
    "config-database",
    WARNING,
    "airflow.cfg names another database",
    "This installation manages its own database; the other one is not started, checked or backed up.",
)
CONFIG_EXECUTOR = Entry(
    "config-executor",
    WARNING,
    "Another executor is configured",
    "This installation starts only what LocalExecutor needs.",
)
CONFIG_PORT = Entry(
    "config-port",
    WARNING,
    "airflow.cfg has a different port than the installation",
    "status and doctor check the installation's port.",
)
CONFIG_EXECUTION_API = Entry(
    "config-execution-api",
    BLOCKER,
    "Tasks look for the API server at the wrong address",
    "Health stays green, and every task fails ('connection refused', or 404).",
    "The address has the web server's port, and the path of [api] base_url before /execution/. Setting"
    " base_url with airferry config set keeps the two together.",
)
CONFIG_BASE_URL = Entry(
    "config-base-url",
    BLOCKER,
    "The address for browsers cannot be used",
    "The web server of Airflow 2 does not start with a slash at its end; Airflow 3 sends browsers there after"
    " the login.",
)
CONFIG_KEYS = Entry(
    "config-keys",
    WARNING,
    "Keys in airflow.cfg are not those of this installation",
    "Connections and variables can be read only with the fernet key that wrote them; components that"
    " disagree about the other keys refuse each other.",
)
CONFIG_SECTION = Entry(
    "config-section",
    WARNING,
    "Options are in a section that this release does not read",
    "They have no effect: a key or an address that is set there is ignored.",
    "Compared with the list of options that comes with the installed release (config.yml).",
)
CONFIG_OBSOLETE = Entry(
    "config-obsolete",
    NOTE,
    "Options of older releases are set",
    "What is still read from its old place works, until a later release reads it there no more; what is not"
    " read has no effect.",
    "Compared with the installed release's own tables: its configuration parser and its config lint.",
)
CONFIG_UNKNOWN = Entry(
    "config-unknown",
    NOTE,
    "Options are set that this release does not know",
    "A typing error, an option of another release, or your own option for your DAGs.",
)
SETTINGS_CODE_BROKEN = Entry(
    "settings-code-broken",
    BLOCKER,
    "Settings in Python cannot be read",
    "Airflow runs webserver_config.py and airflow_local_settings.py when it starts, and an "
    "error in them stops it.",
)
LOCAL_ENV_UNUSED = Entry(
    "local-env-unused",
    WARNING,
    "Lines of etc/local.env are not used",
    "Components and commands run without these variables.",
    "A line is NAME=value. The value is taken as it stands: $ expands nothing, and quotes around it are"
    " taken off.",
)
LOCAL_ENV_OVERRIDES = Entry(
    "local-env-overrides",
    BLOCKER,
    "etc/local.env overrides options of the installation",
    "Components run with that value, while airferry starts, checks and upgrades with its own: another"
    " database, port or key.",
)
LOCAL_ENV_LITERAL = Entry(
    "local-env-literal",
    NOTE,
    "Values in etc/local.env may not be what was meant",
    "They are taken as they stand.",
)

_THIS_HOST = ("127.0.0.1", "localhost", "::1")
_KEYS = ("fernet_key", "secret_key", "jwt_secret")


def check(installed: Installed) -> Iterator[Finding]:
    """airflow.cfg, as far as the installation depends on it; other settings are the admin's."""
    found = installed.configuration
    if found is None:
        return
    yield from _code(found)
    yield from _own_variables(found, installed)
    if found.problem:
        yield CONFIG_UNREADABLE.found(
            f"{found.path}: {found.problem}",
            needed="a file that Airflow can read",
            remedy="Correct that line; a % in a value is written %%. Save it as UTF-8 without a"
            " byte order mark;"
            " an install takes one away.",
        )
        return
    problems = list(_options(found))
    yield from problems
    yield from _strays(found)
    if not problems:
        yield CONFIG_OK.found(found.path)


def _own_variables(found: Configuration, installed: Installed) -> Iterator[Finding]:
    path = f"{installed.home}/etc/local.env"
    if found.own:
        yield LOCAL_ENV_UNUSED.found(
            listed([f"{path}, {line}" for line in found.own]),
            needed="NAME=value in each line, in a file that the account can read",
            remedy="Correct them, then restart:",
            commands=(f"{command(installed)} restart",),
        )
    if found.own_over:
        yield LOCAL_ENV_OVERRIDES.found(
            f"{path}: {listed(found.own_over)}",
            needed="the value that the installation has set",
            remedy="Take these lines out, then restart. bin/airferry config and sh FILE install change such"
            " options.",
            commands=(f"{command(installed)} restart",),
        )
    if found.own_remarks:
        yield LOCAL_ENV_LITERAL.found(listed([f"{path}, {line}" for line in found.own_remarks]))


def _options(found: Configuration) -> Iterator[Finding]:
    options = {option.name: option for option in found.options}
    differing = {name: option for name, option in options.items() if option.found != option.wanted}
    edit = f"Set it in {found.path}, then restart."
    database = differing.get("sql_alchemy_conn")
    if database and (not database.found or database.found.startswith("sqlite")):
        yield CONFIG_SQLITE.found(
            _shown(database),
            needed="the PostgreSQL database of this installation",
            remedy=edit,
        )
    elif database:
        # the same address with another password says so by being the same
        yield CONFIG_DATABASE.found(
            _shown(database),
            needed="the PostgreSQL database of this installation",
            remedy=edit,
        )
    if "executor" in differing:
        executor = differing["executor"]
        yield CONFIG_EXECUTOR.found(_shown(executor), needed=executor.wanted, remedy=edit)
    yield from _ports(options, differing, edit)
    keys = [option for name, option in differing.items() if name in _KEYS]
    if keys:
        lost = [option for option in keys if option.found in (None, "")]
        yield CONFIG_KEYS.found(
            ", ".join(_shown(option) for option in keys),
            needed="the keys that this installation generated",
            remedy=edit if lost else "",
            severity=WARNING if lost else NOTE,
        )


def _ports(
    options: Dict[str, OptionState], differing: Dict[str, OptionState], edit: str
) -> Iterator[Finding]:
    address = options.get("base_url")
    if address and (address.name in differing or not _parts(address.found or "")[0]):
        said = address.found or ""
        if said.endswith("/") or (said and not _parts(said)[0]):
            yield CONFIG_BASE_URL.found(
                _shown(address),
                needed="http:// or https://, host, port and path; no slash at its end",
                remedy=edit,
            )
    port = options.get("port") or options.get("web_server_port")
    if port and port.name in differing:
        yield CONFIG_PORT.found(
            _shown(port),
            needed=port.wanted,
            remedy="Change the port with the install command (--port): it updates all settings together.",
        )
    tasks = options.get("execution_api_server_url")
    if port and tasks:
        needed = tasks.wanted.replace(f":{port.wanted}/", f":{port.found}/", 1)
        found = _parts(tasks.found or "")
        if found[1:] != _parts(needed)[1:] or not found[0]:
            yield CONFIG_EXECUTION_API.found(_shown(tasks), needed=needed, remedy=edit)
        elif found[0] != _parts(needed)[0] and found[0] not in _THIS_HOST:
            # a name of this host's, perhaps: nobody here can tell
            yield CONFIG_EXECUTION_API.found(_shown(tasks), needed=needed, remedy=edit, severity=WARNING)


def _parts(url: str) -> Tuple[str, str, str, str]:
    """Host, scheme, port and path of a URL, to be compared; empty for none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return "", "", "", ""
    return parts.hostname or "", parts.scheme, str(port), parts.path.rstrip("/")


def _strays(found: Configuration) -> Iterator[Finding]:
    """Options that are read by nobody: worse than a wrong value, because they look as if they counted."""
    kinds = {
        MISPLACED: (CONFIG_SECTION, "the section that this release reads it from"),
        OBSOLETE: (CONFIG_OBSOLETE, ""),
        UNKNOWN: (CONFIG_UNKNOWN, ""),
    }
    for kind, (entry, needed) in kinds.items():
        strays = [item for item in found.strays if item.kind == kind]
        if strays:
            lines = [
                f"[{item.section}] {item.name}" + (f": {item.instead}" if item.instead else "")
                for item in strays
            ]
            remedy = f"Move it in {found.path}, then restart." if entry is CONFIG_SECTION else ""
            yield entry.found(listed(lines), needed=needed, remedy=remedy)


def _code(found: Configuration) -> Iterator[Finding]:
    if found.code:
        yield SETTINGS_CODE_BROKEN.found(
            listed(found.code),
            needed="files that Python can read",
            remedy="Correct that line.",
        )


def _shown(option: OptionState) -> str:
    found = {None: "not set", "": "empty", ANOTHER: ANOTHER}.get(option.found, option.found)
    return f"[{option.section}] {option.name}: {found}"
