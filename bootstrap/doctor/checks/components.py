"""What runs, how it is, and what it runs with."""

from __future__ import annotations

from typing import Dict, Iterator, List, Sequence

from bootstrap.base.columns import listed
from bootstrap.doctor.checks import database
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination.installed import ComponentState, Installed
from bootstrap.examination.running import Running

COMPONENTS_OK = Entry("components-ok", OK, "All components run")
COMPONENTS_STOPPED = Entry(
    "components-stopped", WARNING, "No component runs", "Schedules that pass are missed or caught up later."
)
COMPONENT_DOWN = Entry(
    "component-down", BLOCKER, "A component does not run", "Without any one of them tasks do not run."
)
COMPONENT_ILL = Entry(
    "component-ill",
    BLOCKER,
    "A component runs, but is not healthy",
    "Its heartbeat in the database is old or missing; tasks wait for it.",
)
COMPONENT_STRAY = Entry(
    "component-stray",
    WARNING,
    "Other Airflow processes use this home",
    "It was started by hand: no service manager restarts or stops it, and it keeps an old configuration.",
)
COMPONENT_VARIABLES = Entry(
    "component-variables",
    WARNING,
    "Components run with AIRFLOW__ variables",
    "They override airflow.cfg: changes in that file have no effect, and commands in another session see"
    " other settings.",
)
COMPONENT_STALE = Entry(
    "component-stale",
    WARNING,
    "Components run with outdated settings",
    "They read airflow.cfg and etc/local.env only when they start: some may use the old settings.",
)
COMPONENT_DATABASE = Entry(
    "component-database",
    BLOCKER,
    "Components use different databases",
    "They do not see each other's data: runs stay queued, or seem to disappear.",
)
COMPONENT_KEYS = Entry(
    "component-keys",
    BLOCKER,
    "Components run with different keys",
    "They refuse each other's tokens (every task of 3.x fails), and cannot read each other's passwords.",
)
PORT_TAKEN = Entry(
    "port-taken",
    BLOCKER,
    "Another program holds a port of this installation",
    "The component that needs it cannot start.",
)
PORT_SHARED = Entry(
    "port-shared",
    WARNING,
    "Another installation has the same port",
    "Only the one that starts first gets it; after the next restart of the host that may be the other.",
)

_WEB = ("api-server", "webserver")

# How the status calls a database on an external server.
DATABASE = "database"
BROKER = "broker"


def check(installed: Installed) -> Iterator[Finding]:
    """What runs and how it is."""
    if installed.components is None:
        return
    # an external database and a broker are in the list: nothing of ours to start
    found = [component for component in installed.components if component.name not in (DATABASE, BROKER)]
    for component in installed.components:
        if component.name == DATABASE and component.state != "RUNNING":
            yield database.DATABASE_UNREACHABLE.found(
                _state(component),
                needed="a server that accepts Airflow's login",
                remedy="Ask the administrator of the server; Airflow continues when it is available again.",
            )
    own = command(installed)
    logs = f"Its log is {installed.home}/logs/airferry/{{}}.log."
    down = [component for component in found if component.state != "RUNNING"]
    if len(down) == len(found):
        yield COMPONENTS_STOPPED.found("nothing runs", remedy="Start it:", commands=(f"{own} start",))
        return
    for component in down:
        yield COMPONENT_DOWN.found(
            _state(component),
            needed="RUNNING",
            remedy=f"{logs.format(component.name)} When the cause is fixed, start it:",
            commands=(f"{own} start {component.name}",),
        )
    ill = [item for item in found if item not in down and _is_ill(item)]
    for component in ill:
        yield COMPONENT_ILL.found(
            _state(component),
            needed="healthy",
            remedy=f"{logs.format(component.name)} It may be starting: look again in a minute, or"
            " restart it:",
            commands=(f"{own} restart {component.name}",),
        )
    if not down and not ill:
        yield COMPONENTS_OK.found(", ".join(component.name for component in found))


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
        yield COMPONENT_STRAY.found(
            ", ".join(strays),
            needed="components that the installation started itself",
            remedy="End it; the installation's own components continue.",
            commands=(f"kill {pids}",),
        )
    named = [f"{item.name}: {', '.join(item.variables)}" for item in found if item.variables]
    if named:
        yield COMPONENT_VARIABLES.found(
            listed(named),
            needed="settings in airflow.cfg only",
            remedy=f"Remove them from {installed.home}/etc/local.env or wherever they are"
            " set, put what you need into airflow.cfg, then restart:",
            commands=(f"{own} restart",),
        )
    yield from _stale(installed, found)
    yield from _disagreeing(installed, found)


def _stale(installed: Installed, found: Sequence[Running]) -> Iterator[Finding]:
    configuration = installed.configuration
    if configuration is None:
        return
    files = {"airflow.cfg": configuration.written, "etc/local.env": configuration.own_written}
    lines = []
    for file, written in files.items():
        # a file may be written within the second in which a component starts
        old = [item.name for item in found if 0 < item.started < written - 2]
        if old:
            lines.append(f"{', '.join(old)}: started before {file} was changed")
    if lines:
        yield COMPONENT_STALE.found(
            "\n".join(lines),
            needed="components that have read the files as they are now",
            remedy="Restart:",
            commands=(f"{command(installed)} restart",),
        )


def _disagreeing(installed: Installed, found: Sequence[Running]) -> Iterator[Finding]:
    """Databases and keys that follow from a component's own variables, against those of airflow.cfg."""
    seen = [item for item in found if item.seen]
    restart = (f"{command(installed)} restart",)
    where = "Remove the variable that sets it (see component-variables), then restart:"
    databases = _by_value({item.name: item.database for item in seen})
    if len(databases) > 1:
        lines = [f"{', '.join(names)}: {value or 'none'}" for value, names in databases.items()]
        yield COMPONENT_DATABASE.found(
            "\n".join(lines),
            needed="one database for all components",
            remedy=where,
            commands=restart,
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
        yield COMPONENT_KEYS.found(
            "\n".join(lines),
            needed="the same keys in all components (shown: the first digits of each sha256)",
            remedy=where,
            commands=restart,
        )


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
            by = holder.process or "a process that this account cannot see"
            yield PORT_TAKEN.found(
                f"port {number} ({purpose}) is held by {by}",
                needed="a free port",
                remedy="Stop that program, or give the installation other ports with the install"
                " command (--port,"
                " --postgres-port).",
            )
    lines = [
        f"{number} ({purpose}): {other.home} has it for its {theirs}"
        for purpose, number in found.own.items()
        for other in found.others
        for theirs, used in other.ports.items()
        if used == number
    ]
    if lines:
        yield PORT_SHARED.found(
            listed(lines),
            needed="ports of its own for each installation",
            remedy="Install one of them again with other ports (--port, --postgres-port): it updates"
            " all settings together.",
        )


def _state(component: ComponentState) -> str:
    words = [component.state.lower(), component.health, component.note]
    return f"{component.name}: {', '.join(word for word in words if word)}"
