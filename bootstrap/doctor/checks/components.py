"""What runs, how it is, and what it runs with."""

from __future__ import annotations

from typing import Dict, Iterator, List, Sequence

from bootstrap.doctor.checks.files import command, listed
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination.installed import ComponentState, Installed
from bootstrap.examination.running import Running

_WEB = ("api-server", "webserver")

# How the status calls a database on an external server.
DATABASE = "database"


def check(installed: Installed) -> Iterator[Finding]:
    """What runs and how it is."""
    if installed.components is None:
        return
    # the database is in the list when its server is external: nothing of ours to start
    found = [component for component in installed.components if component.name != DATABASE]
    for component in installed.components:
        if component.name == DATABASE and component.state != "RUNNING":
            yield Finding(
                "database-unreachable", BLOCKER, _state(component), "a server that lets Airflow in",
                "Ask whoever runs it; Airflow goes on when it is back.",
            )  # fmt: skip
    own = command(installed)
    logs = f"Its log is {installed.home}/logs/airferry/{{}}.log."
    down = [component for component in found if component.state != "RUNNING"]
    if len(down) == len(found):
        yield Finding("components-stopped", WARNING, "nothing runs", "", "Start it:", (f"{own} start",))
        return
    for component in down:
        yield Finding(
            "component-down", BLOCKER, _state(component), "RUNNING",
            f"{logs.format(component.name)} When the cause is gone, start it:",
            (f"{own} start {component.name}",),
        )  # fmt: skip
    ill = [item for item in found if item not in down and _is_ill(item)]
    for component in ill:
        yield Finding(
            "component-ill", BLOCKER, _state(component), "healthy",
            f"{logs.format(component.name)} It may be starting: look again in a minute, or restart it:",
            (f"{own} restart {component.name}",),
        )  # fmt: skip
    if not down and not ill:
        yield Finding("components-ok", OK, ", ".join(component.name for component in found))


def _is_ill(component: ComponentState) -> bool:
    """Whether its health says so; a web server that does not answer says nothing of the others."""
    fine = ("healthy", "") if component.name in _WEB else ("healthy", "", "unreachable")
    return component.health not in fine


def running(installed: Installed) -> Iterator[Finding]:
    """What each component was started with, against airflow.cfg and against the others."""
    found = installed.running
    if not found:
        return
    own = command(installed)
    strays = [f"{item.name} (pid {item.pid})" for item in found if not item.managed]
    if strays:
        pids = " ".join(str(item.pid) for item in found if not item.managed)
        yield Finding(
            "component-stray", WARNING, ", ".join(strays), "components that the installation started itself",
            "End it; the installation's own goes on.", (f"kill {pids}",),
        )  # fmt: skip
    named = [f"{item.name}: {', '.join(item.variables)}" for item in found if item.variables]
    if named:
        yield Finding(
            "component-variables", WARNING, listed(named), "settings in airflow.cfg alone",
            f"Take them out of {installed.home}/etc/environment.sh or wherever they come from, put what you"
            " need into airflow.cfg, then restart:", (f"{own} restart",),
        )  # fmt: skip
    yield from _stale(installed, found)
    yield from _disagreeing(installed, found)


def _stale(installed: Installed, found: Sequence[Running]) -> Iterator[Finding]:
    written = installed.configuration.written if installed.configuration else 0.0
    # the file may be written within the second in which a component starts
    old = [item.name for item in found if 0 < item.started < written - 2]
    if old:
        yield Finding(
            "component-stale", WARNING, f"{', '.join(old)}: started before airflow.cfg was changed",
            "components that have read the file as it is now", "Restart:", (f"{command(installed)} restart",),
        )  # fmt: skip


def _disagreeing(installed: Installed, found: Sequence[Running]) -> Iterator[Finding]:
    """Databases and keys that follow from a component's own variables, against those of airflow.cfg."""
    seen = [item for item in found if item.seen]
    restart = (f"{command(installed)} restart",)
    where = "Take away the variable that says so (it is named in component-variables), then restart:"
    databases = _by_value({item.name: item.database for item in seen})
    if len(databases) > 1:
        lines = [f"{', '.join(names)}: {value or 'none'}" for value, names in databases.items()]
        yield Finding(
            "component-database", BLOCKER, "\n".join(lines), "one database for all components", where, restart
        )
    names = sorted({key for item in seen for key in item.keys})
    differing = {key: _by_value({item.name: item.keys.get(key, "") for item in seen}) for key in names}
    lines = [
        f"{key} {value or 'missing'} ({', '.join(who)})"
        for key, values in differing.items()
        if len(values) > 1
        for value, who in values.items()
    ]
    if lines:
        yield Finding(
            "component-keys", BLOCKER, "\n".join(lines),
            "the same keys in all components (shown: the first digits of each sha256)", where, restart,
        )  # fmt: skip


def _by_value(values: Dict[str, str]) -> Dict[str, List[str]]:
    found: Dict[str, List[str]] = {}
    for name, value in values.items():
        found.setdefault(value, []).append(name)
    return found


def ports(installed: Installed) -> Iterator[Finding]:
    """A port that another program holds while its component is down, or that another installation has too."""
    found = installed.sharing
    if found is None:
        return
    down = {item.name for item in installed.components or () if item.state != "RUNNING"}
    held = {item.number: item for item in found.held if item.state == "held"}
    for purpose, number in found.own.items():
        holder = held.get(number)
        if holder and found.holders.get(purpose) in down:
            by = holder.process or "a program that this account may not see"
            yield Finding(
                "port-taken", BLOCKER, f"port {number} ({purpose}) is held by {by}", "a free port",
                "Stop that program, or give the installation other ports with the install command (--port,"
                " --postgres-port).",
            )  # fmt: skip
    lines = [
        f"{number} ({purpose}): {other.home} has it for its {theirs}"
        for purpose, number in found.own.items()
        for other in found.others
        for theirs, used in other.ports.items()
        if used == number
    ]
    if lines:
        yield Finding(
            "port-shared", WARNING, listed(lines), "ports of its own for each installation",
            "Install one of them again with other ports (--port, --postgres-port): it changes all places"
            " together.",
        )  # fmt: skip


def _state(component: ComponentState) -> str:
    words = [component.state.lower(), component.health, component.note]
    return f"{component.name}: {', '.join(word for word in words if word)}"
