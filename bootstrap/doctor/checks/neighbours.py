"""What is here already: other Airflows, PostgreSQL servers and programs."""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Sequence

from bootstrap.base.columns import listed
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.processes import Process
from bootstrap.postgres.programs import NEEDED, ProgramFolder, complete

AIRFLOW_FOUND = Entry(
    "airflow-found",
    NOTE,
    "Another Airflow is installed",
    "It is not touched: environment, home and database are separate. Its command may come first on PATH.",
)
AIRFLOW_RUNNING = Entry(
    "airflow-running",
    NOTE,
    "Another Airflow runs",
    "It shares memory and processors; its ports are skipped.",
)
AIRFLOW_RUNNING_HERE = Entry(
    "airflow-running-here",
    WARNING,
    "An Airflow already runs from this home",
    "Two schedulers on one airflow.cfg: after the install one of them uses the other's database.",
)
POSTGRES_FOUND = Entry(
    "postgres-found",
    NOTE,
    "This host has PostgreSQL of its own",
    "It is not touched; --postgres host would use its programs for a private cluster.",
)
POSTGRES_RUNNING = Entry(
    "postgres-running",
    NOTE,
    "A PostgreSQL server runs",
    "It is not touched: the installation has a private one on another port.",
)
POSTGRES_INCOMPLETE = Entry(
    "postgres-incomplete",
    NOTE,
    "This host's PostgreSQL is incomplete",
    "--postgres host cannot use it; the carried one does not need it.",
)
POSTGRES_PROGRAMS_MISSING = Entry(
    "postgres-programs-missing",
    BLOCKER,
    "This host's PostgreSQL lacks programs",
    "A private cluster is made by initdb, run by postgres, and asked with psql.",
)


def airflows(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Other homes and packages, and components that run: in this very home they are in the way."""
    found = facts.airflows
    if found is None:
        return
    lines = []
    for place in found.homes:
        if place.path != needs.home:
            kind = f"Airflow {place.version}, of airferry" if place.airferry else "a home of Airflow"
            lines.append(f"{place.path}: {kind}")
    inside = f"{needs.home}/"
    lines += [
        f"{place.path}: apache-airflow {place.version}"
        for place in found.packages
        if not place.path.startswith(inside)
    ]
    if lines:
        yield AIRFLOW_FOUND.found(listed(lines))
    ours = facts.home is not None and "receipt.json" in facts.home.entries
    here = [item for item in found.running if item.home == needs.home]
    others = [item for item in found.running if item.home != needs.home]
    if here and not ours:
        yield AIRFLOW_RUNNING_HERE.found(
            _described(here),
            needed="nothing that runs from this home",
            remedy="Stop it first; its airflow.cfg is edited, and its ports are taken.",
            commands=(f"kill {' '.join(str(item.pid) for item in here)}",)
            if all(item.pid for item in here)
            else (),  # facts that were saved
            needs_root=_foreign(here, facts),
        )
    if others:
        yield AIRFLOW_RUNNING.found(_described(others))


def postgres(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """The host's own programs: wanted for a cluster of ours, or only there."""
    found = facts.postgres
    if found is None:
        return
    whole = [item for item in found.installed if complete(item)]
    wanted = [item for item in whole if item.folder == needs.programs]
    if needs.programs and not wanted:
        here = next((item for item in found.installed if item.folder == needs.programs), None)
        lacking = f"{needs.programs} lacks {', '.join(_lacking(here))}"
        yield POSTGRES_PROGRAMS_MISSING.found(
            lacking,
            needed="initdb, postgres and psql in one folder",
            remedy="Install this distribution's PostgreSQL server and client, or leave out"
            " --postgres: the bundle"
            " carries a server.",
            commands=remedies.install_postgres(facts.distribution),
            needs_root=True,
        )
    broken = [item for item in found.installed if item not in whole and "initdb" in item.programs]
    if broken and not needs.programs:
        lines = [f"{item.folder} lacks {', '.join(_lacking(item))}" for item in broken]
        yield POSTGRES_INCOMPLETE.found(listed(lines))
    lines = [f"{item.folder}: PostgreSQL {item.version}".rstrip() for item in whole]
    if lines:
        yield POSTGRES_FOUND.found(listed(lines))
    # the data folder of a server of our own lies in the home
    inside = f"{needs.home}/"
    strangers = [item for item in found.servers if not item.what.startswith(inside)]
    running = [*found.sockets, *(f"{_name(item)}: {item.what or 'data unknown'}" for item in strangers)]
    if running:
        yield POSTGRES_RUNNING.found(listed(running))


def _lacking(found: Optional[ProgramFolder]) -> List[str]:
    return [name for name in NEEDED if found is None or name not in found.programs]


def _described(processes: Sequence[Process]) -> str:
    homes: Dict[str, List[str]] = {}
    for item in processes:
        names = homes.setdefault(item.home or "home unknown", [])
        name = f"{item.what} ({item.user})"
        if name not in names:
            names.append(name)
    return listed([f"{home}: {', '.join(names)}" for home, names in homes.items()])


def _name(item: Process) -> str:
    return f"pid {item.pid}, account {item.user}" if item.pid else f"account {item.user}"


def _foreign(processes: Sequence[Process], facts: Facts) -> bool:
    me = facts.account.me.name if facts.account else ""
    return any(item.user != me for item in processes)
