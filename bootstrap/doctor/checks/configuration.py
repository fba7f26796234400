"""airflow.cfg: what the installation depends on, and what its release does not read there."""

from __future__ import annotations

from typing import Dict, Iterator

from bootstrap.doctor.checks.files import listed
from bootstrap.doctor.finding import Finding
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

_KEYS = ("fernet_key", "secret_key", "jwt_secret")


def check(installed: Installed) -> Iterator[Finding]:
    """airflow.cfg, as far as the installation depends on it; other settings are the admin's."""
    found = installed.configuration
    if found is None:
        return
    yield from _code(found)
    if found.problem:
        yield Finding(
            "config-unreadable", BLOCKER, f"{found.path}: {found.problem}", "a file that Airflow can read",
            "Mend that line; a % in a value is written %%.",
        )  # fmt: skip
        return
    problems = list(_options(found))
    yield from problems
    yield from _strays(found)
    if not problems:
        yield Finding("config-ok", OK, found.path)


def _options(found: Configuration) -> Iterator[Finding]:
    options = {option.name: option for option in found.options}
    differing = {name: option for name, option in options.items() if option.found != option.wanted}
    edit = f"Set it in {found.path}, then restart."
    database = differing.get("sql_alchemy_conn")
    if database and (not database.found or database.found.startswith("sqlite")):
        yield Finding(
            "config-sqlite", BLOCKER, _shown(database), "the PostgreSQL database of this installation", edit
        )
    elif database:
        # the same address with another password says so by being the same
        yield Finding(
            "config-database", WARNING, _shown(database), "the PostgreSQL database of this installation", edit
        )
    if "executor" in differing:
        executor = differing["executor"]
        yield Finding("config-executor", WARNING, _shown(executor), executor.wanted, edit)
    yield from _ports(options, differing, edit)
    keys = [option for name, option in differing.items() if name in _KEYS]
    if keys:
        lost = [option for option in keys if option.found in (None, "")]
        yield Finding(
            "config-keys", WARNING if lost else NOTE, ", ".join(_shown(option) for option in keys),
            "the keys that this installation generated", edit if lost else "",
        )  # fmt: skip


def _ports(
    options: Dict[str, OptionState], differing: Dict[str, OptionState], edit: str
) -> Iterator[Finding]:
    port = options.get("port") or options.get("web_server_port")
    if port and port.name in differing:
        yield Finding(
            "config-port", WARNING, _shown(port), port.wanted,
            "Change the port with the install command (--port): it changes all places together.",
        )  # fmt: skip
    tasks = options.get("execution_api_server_url")
    if port and tasks and f":{port.found}/" not in f"{tasks.found}/":
        yield Finding(
            "config-execution-api", BLOCKER, _shown(tasks), f"the port of the API server, {port.found}", edit
        )


def _strays(found: Configuration) -> Iterator[Finding]:
    """Options that are read by nobody: worse than a wrong value, because they look as if they counted."""
    kinds = {
        MISPLACED: ("config-section", WARNING, "the section that this release reads it from"),
        OBSOLETE: ("config-obsolete", NOTE, ""),
        UNKNOWN: ("config-unknown", NOTE, ""),
    }
    for kind, (identifier, severity, needed) in kinds.items():
        strays = [item for item in found.strays if item.kind == kind]
        if strays:
            lines = [
                f"[{item.section}] {item.name}" + (f": {item.instead}" if item.instead else "")
                for item in strays
            ]
            remedy = f"Move it in {found.path}, then restart." if severity == WARNING else ""
            yield Finding(identifier, severity, listed(lines), needed, remedy)


def _code(found: Configuration) -> Iterator[Finding]:
    if found.code:
        yield Finding(
            "settings-code-broken",
            BLOCKER,
            listed(found.code),
            "files that Python can read",
            "Mend that line.",
        )


def _shown(option: OptionState) -> str:
    found = {None: "not set", "": "empty", ANOTHER: ANOTHER}.get(option.found, option.found)
    return f"[{option.section}] {option.name}: {found}"
