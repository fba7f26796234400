"""The commands that are struck: install, upgrade and rollback, how each begins, and how each must end."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.change.restore import NothingToRollBack
from tests.faults.machine import DISK, HOME, Machine, Ran

AIRFERRY = HOME / "bin" / "airferry"
_CONNECTION, _PASSWORD = "fault_proof", "Kept-Through-All-7"
# Decrypts with the keys of the installation itself: the password is lost when key and database part.
_READ = (
    f"from airflow.models import Connection; from airflow import settings; "
    f"print(settings.Session().query(Connection).filter_by(conn_id='{_CONNECTION}').one().password)"
)
_LEFTOVERS = ("releases/.unfinished-*", "releases/*/staging", "postgres.new-*", ".handoff", "**/*.new")


@dataclass(frozen=True)
class Bundles:
    """The bundle that an upgrade begins with, the one that it leads to, and the Python for both."""

    old: Path
    new: Path
    python: str


@dataclass(frozen=True)
class State:
    """An installation that is whole: its bundle id, and how many runs of DAGs it must know at least."""

    bundle_id: str
    runs: int = 0


@dataclass(frozen=True)
class Operation:
    """A command, the snapshot that it begins on (None: an empty home), and the states it may end in.

    After a fault and the same command again, `goal` or `origin` must be whole; an install has no origin.
    `repeated` is the exit status of the command when it is given again after it has succeeded.
    """

    name: str
    command: Sequence[str | Path]
    snapshot: Path | None
    origin: State | None
    goal: State
    repeated: int = 0

    def prepare(self, machine: Machine, *, running: bool) -> None:
        """Lay the home as it is before the command; `running` starts what is installed there."""
        if self.snapshot is None:
            machine.clear()
            return
        machine.lay(self.snapshot)
        if running:
            started = machine.run(AIRFERRY, "start")
            assert started.status == 0, started.out + started.err


def install_command(bundle: Path, python: str) -> list[str | Path]:
    """What an admin types, with the answers as JSON."""
    return ["sh", bundle, "install", "--home", HOME, "--python", python, "--json"]


def build(machine: Machine, bundles: Bundles, snapshots: Path, names: Sequence[str]) -> list[Operation]:
    """Make the installations that the operations begin on, and the operations themselves."""
    made = []
    install = install_command(bundles.new, bundles.python)
    if "install" in names:
        machine.clear()
        done(machine.run(*install))
        made.append(Operation("install", install, None, None, State(installed().bundle_id, 1)))
    if {"upgrade", "rollback"} & set(names):
        machine.clear()
        done(machine.run(*install_command(bundles.old, bundles.python)))
        uri = f"postgresql://user:{_PASSWORD}@db/name"
        done(machine.run(HOME / "bin" / "airflow", "connections", "add", _CONNECTION, "--conn-uri", uri))
        old = State(installed().bundle_id, runs(machine))
        done(machine.run(AIRFERRY, "stop"))
        machine.keep(snapshots / "old")
        done(machine.run(*install))
        new = State(installed().bundle_id, runs(machine))
        done(machine.run(AIRFERRY, "stop"))
        machine.keep(snapshots / "new")
        if "upgrade" in names:
            made.append(Operation("upgrade", install, snapshots / "old", old, new))
        if "rollback" in names:
            # what has run since the upgrade goes with it
            rollback: list[str | Path] = [AIRFERRY, "rollback", "--yes"]
            nothing = NothingToRollBack.exit_code
            made.append(Operation("rollback", rollback, snapshots / "new", new, old, nothing))
    return made


def done(ran: Ran) -> None:
    """A command that must succeed has."""
    assert ran.status == 0, f"{ran.status}\n{ran.out[-3000:]}\n{ran.err[-3000:]}"


def installed() -> State:
    """What the receipt says."""
    receipt = json.loads((HOME / "receipt.json").read_text(encoding="utf-8"))
    return State(receipt["bundle_id"] if receipt["completed"] else "")


def between(operation: Operation) -> list[str]:
    """What must hold even in the middle, before anything is run again."""
    problems = []
    link = HOME / "current"
    if link.is_symlink() and not (link.resolve() / "complete").is_file():
        problems.append(f"current leads to {link.readlink()}, which is not complete")
    if operation.origin and not link.is_symlink():
        problems.append("no link to a release")
    receipt = HOME / "receipt.json"
    if operation.origin and not receipt.is_file():
        problems.append("no receipt")
    return problems


def whole(machine: Machine, operation: Operation) -> tuple[str, list[str]]:
    """Which state the home is in, and what is wrong with it; at the end nothing runs any more."""
    states = {"new" if operation.name != "rollback" else "old": operation.goal}
    if operation.origin:
        states["old" if operation.name != "rollback" else "new"] = operation.origin
    found = installed().bundle_id
    name = next((name for name, state in states.items() if state.bundle_id == found), "")
    if not name:
        return "none", [f"the receipt names {found or 'nothing that was completed'}"]
    state, problems = states[name], between(operation)
    if (HOME / "current").resolve().name != found:
        problems.append(f"current leads to {(HOME / 'current').resolve().name}, not to {found}")
    status = machine.run(AIRFERRY, "status", "--json")
    if status.status != 0:
        problems.append(f"status: {status.out[-1500:]}{status.err[-500:]}")
    doctor = machine.json(AIRFERRY, "doctor", "--json") or {"findings": [{"severity": "blocker", "id": "?"}]}
    blockers = [item for item in doctor["findings"] if item["severity"] == "blocker"]
    problems += [f"doctor: {item['id']} {item.get('found', '')}" for item in blockers]
    problems += kept(machine, operation, state)
    problems += [f"left behind: {path}" for pattern in _LEFTOVERS for path in HOME.glob(pattern)]
    stopped = machine.run(AIRFERRY, "stop")
    if stopped.status != 0:
        problems.append(f"stop: {stopped.err}")
    problems += [f"still runs: {pid} {line}" for pid, line in machine.processes()]
    if machine.locked():
        problems.append("the lock is held")
    for path in (HOME / "airflow.cfg", *(HOME / "secrets").iterdir()):
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            problems.append(f"open to others: {path}")
    return name, problems


def kept(machine: Machine, operation: Operation, state: State) -> list[str]:
    """Whether the metadata database lost something."""
    problems = []
    found = runs(machine)
    if found < state.runs:
        problems.append(f"{found} runs of DAGs, there were {state.runs}")
    if operation.origin:
        script = f'. {HOME}/etc/environment.sh; exec {HOME}/current/venv/bin/python -c "{_READ}"'
        read = machine.as_account("sh", "-c", script)
        if _PASSWORD not in read.out:
            problems.append(f"the connection's password cannot be read: {read.err[-500:]}")
    return problems


def runs(machine: Machine) -> int:
    """How many runs of DAGs the metadata database knows; -1 when it cannot be asked."""
    receipt = json.loads((HOME / "receipt.json").read_text(encoding="utf-8"))
    database = receipt["database"]
    programs = Path(database["programs"] or next((HOME / "current" / "postgres").glob("*/pginstall/bin")))
    environment = [f"PGPASSFILE={HOME}/secrets/pgpass", f"HOME={DISK}"]
    asked = machine.as_account(
        "env", *environment, programs / "psql", "-h", "127.0.0.1", "-p", str(database["port"]),
        "-U", "airflow", "-Atc", "SELECT count(*) FROM dag_run",
    )  # fmt: skip
    return int(asked.out) if asked.status == 0 else -1
