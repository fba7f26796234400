"""An installation that is there: whole, rightly configured, alive."""

from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.installed import ANOTHER, Component, Configuration, Files, Installed, Option

_SHOWN = 6
_KEYS = ("fernet_key", "secret_key", "jwt_secret")


def files(installed: Installed) -> Iterator[Finding]:
    """Everything on disk."""
    found = installed.files
    if found is None:
        return
    again = (f"sh {remedies.quoted(installed.bundle_file)} install --home {remedies.quoted(installed.home)}",)
    mend = "Run the install again with the file it came from; it does only what is missing."
    problems = list(_files(found, installed, mend, again))
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        yield Finding("installation-ok", OK, f"Airflow {installed.airflow} in {installed.home}")


def _files(found: Files, installed: Installed, mend: str, again: Tuple[str, ...]) -> Iterator[Finding]:
    command = _command(installed)
    if not found.complete or not installed.completed:
        state = "the packages" if not found.complete else "the last steps"
        yield Finding("installation-incomplete", BLOCKER, f"{state} are not complete", "", mend, again)
        if not found.complete:
            return
    if not found.linked:
        where = f"{installed.home}/current"
        yield Finding("link-broken", BLOCKER, where, "a link to the installed release", mend, again)
    if found.python_error:
        yield Finding(
            "environment-broken", BLOCKER, found.python_error, "the Python that it was made from",
            "Bring that Python back (was it removed or upgraded to another minor version?).",
        )  # fmt: skip
    if found.damaged:
        more = [f"and {len(found.damaged) - _SHOWN} more"] if len(found.damaged) > _SHOWN else []
        yield Finding(
            "packages-damaged", BLOCKER, "\n".join([*found.damaged[:_SHOWN], *more]), "files as installed",
            "Stop it, take away the mark that the release is complete, and run the install again with the"
            " file it came from: it makes the release anew and keeps everything else.",
            (f"{command} stop", f"rm {remedies.quoted(installed.home + '/current/complete')}", *again),
        )  # fmt: skip
    if found.open_secrets:
        paths = [remedies.quoted(line.rpartition(" (mode ")[0]) for line in found.open_secrets]
        yield Finding(
            "secrets-open", WARNING, "\n".join(found.open_secrets), "readable by their owner alone",
            "Close them:", (f"chmod go= {' '.join(paths)}",),
        )  # fmt: skip


def configuration(installed: Installed) -> Iterator[Finding]:
    """airflow.cfg, as far as the installation depends on it; other settings are the admin's."""
    found = installed.configuration
    if found is None:
        return
    if found.problem:
        yield Finding(
            "config-unreadable", BLOCKER, f"{found.path}: {found.problem}", "a file that Airflow can read",
            "Mend that line; a % in a value is written %%.",
        )  # fmt: skip
        return
    problems = list(_options(found))
    yield from problems
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
        yield Finding("config-executor", WARNING, _shown(differing["executor"]), "LocalExecutor", edit)
    yield from _ports(options, differing, edit)
    keys = [option for name, option in differing.items() if name in _KEYS]
    if keys:
        lost = [option for option in keys if option.found in (None, "")]
        yield Finding(
            "config-keys", WARNING if lost else NOTE, ", ".join(_shown(option) for option in keys),
            "the keys that this installation generated", edit if lost else "",
        )  # fmt: skip


def _ports(options: Dict[str, Option], differing: Dict[str, Option], edit: str) -> Iterator[Finding]:
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


def components(installed: Installed) -> Iterator[Finding]:
    """What runs and how it is."""
    found = installed.components
    if found is None:
        return
    command = _command(installed)
    logs = f"Its log is {installed.home}/logs/airferry/{{}}.log."
    down = [component for component in found if component.state != "RUNNING"]
    if len(down) == len(found):
        yield Finding("components-stopped", WARNING, "nothing runs", "", "Start it:", (f"{command} start",))
        return
    for component in down:
        yield Finding(
            "component-down", BLOCKER, _state(component), "RUNNING",
            f"{logs.format(component.name)} When the cause is gone, start it:",
            (f"{command} start {component.name}",),
        )  # fmt: skip
    ill = [item for item in found if item not in down and item.health not in ("healthy", "")]
    for component in ill:
        yield Finding(
            "component-ill", BLOCKER, _state(component), "healthy",
            f"{logs.format(component.name)} It may be starting: look again in a minute, or restart it:",
            (f"{command} restart {component.name}",),
        )  # fmt: skip
    if not down and not ill:
        yield Finding("components-ok", OK, ", ".join(component.name for component in found))


def check(installed: Installed) -> List[Finding]:
    """Everything about an installation."""
    failed = [
        Finding("facts-incomplete", WARNING, f"{item.name}: {item.error}") for item in installed.failures
    ]
    return [*failed, *files(installed), *configuration(installed), *components(installed)]


def _command(installed: Installed) -> str:
    return remedies.quoted(f"{installed.home}/bin/airferry")


def _shown(option: Option) -> str:
    found = {None: "not set", "": "empty", ANOTHER: ANOTHER}.get(option.found, option.found)
    return f"[{option.section}] {option.name}: {found}"


def _state(component: Component) -> str:
    words = [component.state.lower(), component.health, component.note]
    return f"{component.name}: {', '.join(word for word in words if word)}"
