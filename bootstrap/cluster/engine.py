"""What runs tasks on further hosts: one interface, and a row for each engine.

All that is particular to one engine stands in its row: what a bundle must hold, what airflow.cfg says on
both sides, which keys a worker gets, how it is started, and how the head sees, drains and forgets it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from bootstrap.airflow import executor, metadata
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import Command, Version
from bootstrap.airflow.release import AirflowRelease
from bootstrap.postgres.locks import Query
from bootstrap.state.cluster import HeadRecord, Join
from bootstrap.state.home import JWT
from wheelhouse.errors import AirferryError


class EngineUnusable(AirferryError):
    """The engine is not known, not in the bundle, or not for this release."""

    reference = "engine-unusable"
    exit_code = 122


@dataclass(frozen=True)
class Seen:
    """A worker as the head's database has it.

    `state` is the engine's word, `alive` whether it was heard of lately; `age` is in seconds. `versions` are
    of packages. `bundle` is its bundle id and `dags` the digest of its DAG files, where it tells them.
    """

    name: str
    state: str
    alive: bool
    age: float
    queues: Tuple[str, ...]
    running: int
    slots: int
    versions: Mapping[str, str]
    note: str = ""
    bundle: str = ""
    dags: str = ""


@dataclass(frozen=True)
class Waiting:
    """Tasks that wait in a queue; `seconds` is how long the first has."""

    queue: str
    tasks: int
    seconds: float


@dataclass(frozen=True)
class Way:
    """A way that must be open in every firewall between `source` and `target`, and what goes there."""

    source: str
    target: str
    port: int
    purpose: str


class Engine(Protocol):
    """An engine as commands, steps and doctor see it."""

    @property
    def name(self) -> str:
        """As it is typed."""

    @property
    def executor(self) -> str:
        """As DAG files name it."""

    @property
    def package(self) -> str:
        """The package that both sides need, in the same version."""

    @property
    def since(self) -> Version:
        """The first release that can have it here."""

    @property
    def secrets(self) -> Tuple[str, ...]:
        """The files below ``secrets/`` that a worker gets the content of."""

    @property
    def worth(self) -> str:
        """What whoever has these keys can do, in a sentence."""

    def ways(self, web_port: int) -> Tuple[Way, ...]:
        """All that must be open between head and workers; `web_port` is that of the head's web address."""

    def head_settings(self, base: str) -> List[Setting]:
        """What airflow.cfg of the head says more; `base` is the web address for workers."""

    def worker_settings(self, release: AirflowRelease, join: Join, concurrency: int) -> List[Setting]:
        """What airflow.cfg of a worker says of it."""

    def worker_command(self, join: Join, concurrency: int) -> Command:
        """What a worker runs: arguments of ``airflow``."""

    def queues(self, name: str, asked: Sequence[str]) -> Tuple[str, ...]:
        """The queues of a worker: its own, so that tasks can be pinned to it, and those asked for."""

    def registered(self, home: Path, since: float) -> bool:
        """On a worker: whether the head has taken it after that moment (seconds since 1970)."""

    def seen(self, query: Query) -> List[Seen]:
        """The workers that have shown up."""

    def waiting(self, query: Query) -> List[Waiting]:
        """The queues in which tasks wait."""

    def running(self, query: Query) -> List[str]:
        """The tasks that run on workers: ``DAG.TASK (RUN)``, one for each."""

    def drain(self, name: str, reason: str) -> Command:
        """The command of Airflow's after which a worker takes no more tasks."""

    def undrain(self, name: str) -> Command:
        """The command after which it takes them again."""

    def undrain_request(self, name: str) -> Optional[Tuple[str, str]]:
        """How a worker asks its head for that: method and path; None where it takes tasks as it starts."""

    def forget(self, query: Query, name: str) -> None:
        """Remove a worker that has gone from the head's list."""


@dataclass(frozen=True)
class Edge:
    """Workers ask the head's web server for tasks, and send it their logs; they listen nowhere."""

    name: str = "edge"
    executor: str = executor.EDGE_EXECUTOR
    package: str = "apache-airflow-providers-edge3"
    since: Version = (3, 0, 0)
    secrets: Tuple[str, ...] = (JWT,)
    worth: str = (
        "It holds the key of the head's API tokens: whoever has it can do there what an administrator can."
    )
    # A worker is given up after five of them (Airflow's default is 30: 150 seconds).
    heartbeat: int = 10

    def ways(self, web_port: int) -> Tuple[Way, ...]:
        """One: a worker listens nowhere."""
        return (Way("each worker", "head", web_port, "tasks, their state, their logs"),)

    def head_settings(self, base: str) -> List[Setting]:
        """The API for workers, and how often they report."""
        return [Setting("edge", "api_enabled", "True"), *self._both(base)]

    def worker_settings(self, release: AirflowRelease, join: Join, concurrency: int) -> List[Setting]:
        """Where the head is, and what it must have in common with it."""
        return [
            Setting("core", "executor", executor.core_executor(join.executors)),
            Setting("core", "execution_api_server_url", f"{join.base}/execution/"),
            Setting("api_auth", "jwt_secret", join.key(JWT).reveal(), secret=True),
            *self._both(join.base),
            Setting("edge", "worker_concurrency", str(concurrency)),
            Setting("edge", "extended_system_info_function", "airferry_sysinfo.tell"),
            # Cut off, a call is tried again for four minutes and then the task is ended: the head gives it up
            # and to another worker after five, and it must not run twice. Against a head that is restarted
            # (it refuses at once) the same number of tries lasts for nearly two minutes.
            Setting("workers", "max_failed_heartbeats", "1"),
            Setting("workers", "execution_api_retries", "24"),
            Setting("workers", "execution_api_retry_wait_max", "10"),
        ]

    def _both(self, base: str) -> List[Setting]:
        return [
            Setting("edge", "api_url", f"{base}/edge_worker/v1/rpcapi"),
            Setting("edge", "job_poll_interval", "1"),
            Setting("edge", "heartbeat_interval", str(self.heartbeat)),
        ]

    def worker_command(self, join: Join, concurrency: int) -> Command:
        """Without queues it would take the tasks that are pinned to others."""
        queues = ",".join(join.queues)
        return ("edge", "worker", "-H", join.name, "-q", queues, "-c", str(concurrency))

    def queues(self, name: str, asked: Sequence[str]) -> Tuple[str, ...]:
        """Its own, and Airflow's default unless others are asked for."""
        return tuple(dict.fromkeys((name, *(asked or ("default",)))))

    def registered(self, home: Path, since: float) -> bool:
        """It writes its number to a file as soon as the head has taken it."""
        path = home / "airflow-edge-worker.pid"
        try:
            number, written = int(path.read_text(encoding="ascii")), path.stat().st_mtime
            return written >= since - 2 and Path(f"/proc/{number}").exists()
        except (OSError, ValueError):
            return False

    def seen(self, query: Query) -> List[Seen]:
        """From the table in which the head keeps its workers."""
        if not query("SELECT to_regclass('edge_worker')").strip():
            return []
        rows = query(
            # the state last: it is never empty, and whoever trims a line takes no column away
            "SELECT worker_name, coalesce(extract(epoch FROM now() - last_update), -1),"
            " coalesce(queues, '[]'), jobs_active, coalesce(sysinfo->>'concurrency', '0'),"
            " coalesce(sysinfo->>'airflow_version', ''), coalesce(sysinfo->>'edge_provider_version', ''),"
            " coalesce(sysinfo->>'airferry_bundle', ''), coalesce(sysinfo->>'airferry_dags', ''),"
            " replace(replace(coalesce(maintenance_comment, ''), chr(10), ' '), chr(9), ' '), state"
            " FROM edge_worker ORDER BY 1"
        )
        return [self._seen(row.split("\t")) for row in rows.split("\n") if row]

    def _seen(self, row: List[str]) -> Seen:
        name, age, queues, running, slots, airflow, provider, bundle, digest, note, state = row
        gone = ("unknown", "offline", "offline maintenance")
        seconds = float(age)
        return Seen(
            name,
            state,
            state not in gone and 0 <= seconds <= 5 * self.heartbeat,
            seconds,
            _queues(queues),
            int(running or 0),
            int(float(slots or 0)),
            {"apache-airflow": airflow, self.package: provider},
            note,
            bundle,
            digest,
        )

    def waiting(self, query: Query) -> List[Waiting]:
        """Jobs that no worker has taken."""
        if not query("SELECT to_regclass('edge_job')").strip():
            return []
        rows = query(
            "SELECT queue, count(*), extract(epoch FROM now() - min(queued_dttm)) FROM edge_job"
            " WHERE state = 'queued' GROUP BY 1 ORDER BY 1"
        )
        parts = (row.split("\t") for row in rows.split("\n") if row)
        return [Waiting(queue, int(count), float(seconds or 0)) for queue, count, seconds in parts]

    def running(self, query: Query) -> List[str]:
        """From the table in which the head keeps what it has given to workers."""
        if not query("SELECT to_regclass('edge_job')").strip():
            return []
        return metadata.running_tasks(query, "edge_job", "queued_dttm")

    def drain(self, name: str, reason: str) -> Command:
        """Maintenance, as Airflow calls it: what runs is ended in peace."""
        return ("edge", "remote-edge-worker-request-maintenance", "-H", name, "-c", reason)

    def undrain(self, name: str) -> Command:
        """Out of maintenance."""
        return ("edge", "remote-edge-worker-exit-maintenance", "-H", name)

    def undrain_request(self, name: str) -> Optional[Tuple[str, str]]:
        """By what the pages use; it survives a restart of the worker otherwise."""
        return "DELETE", f"/edge_worker/ui/worker/{name}/maintenance"

    def forget(self, query: Query, name: str) -> None:
        """Its row goes; it would come back with its next report if it still ran."""
        # names hold nothing that could end the literal (state.cluster.NAME)
        query(f"DELETE FROM edge_worker WHERE worker_name = '{name}'")  # noqa: S608


EDGE = Edge()
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (EDGE,)}


def engine_of(name: str) -> Engine:
    """The engine of that name; raises :class:`EngineUnusable`."""
    if name not in ENGINES:
        raise EngineUnusable(f"There is no engine {name}.", needed=" or ".join(ENGINES))
    return ENGINES[name]


def usable(name: str, release: AirflowRelease, packages: Mapping[str, str]) -> Engine:
    """The engine, if this release and its packages (name -> version) can have it.

    Raises :class:`EngineUnusable`.
    """
    engine = engine_of(name)
    if release.numbers < engine.since:
        raise EngineUnusable(
            f"Airflow {release.version} cannot have workers with {name}.",
            needed=f"Airflow {'.'.join(map(str, engine.since))} or newer",
            hint=f"Upgrade with a newer bundle: airferry bundle --workers {name}",
        )
    if engine.package not in packages:
        raise EngineUnusable(
            f"This installation does not hold what workers with {name} need.",
            found=f"no {engine.package}",
            needed=f"a bundle made with it: airferry bundle --airflow {release.version} --workers {name}",
            hint="An upgrade to such a bundle of the same Airflow adds it: sh FILE install",
        )
    return engine


def row(engine: Engine, *, spread: bool) -> str:
    """The name of the executor's row on a head (``bootstrap.airflow.executor``)."""
    names = [executor.LOCAL.name, engine.executor]
    return ",".join(reversed(names) if spread else names)


def of_cluster(cluster: HeadRecord) -> Engine:
    """The engine of a cluster."""
    return engine_of(cluster.engine)


def _queues(text: str) -> Tuple[str, ...]:
    """Edge stores Python's own text of a list."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    return tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()


def versions(packages: Mapping[str, str], engine: Engine) -> Dict[str, str]:
    """The packages that head and worker must have in the same version: Airflow, and what runs the tasks."""
    wanted = ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", engine.package)
    return {name: packages[name] for name in wanted if name in packages}
