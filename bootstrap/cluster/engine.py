"""What runs tasks on further hosts: one interface, and a row for each engine.

All that is particular to one engine stands in its row: what a bundle must hold, what airflow.cfg says on
both sides, which keys a worker gets, how it is started, and how the head sees, drains and forgets it.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import Command, Version
from bootstrap.airflow.release import AirflowRelease
from bootstrap.base.secret import Secret
from bootstrap.cluster.celery import CELERY
from bootstrap.cluster.edge import Edge
from bootstrap.cluster.seen import Seen, Waiting, Way
from bootstrap.postgres.locks import Query
from bootstrap.state.cluster import HeadRecord, Join
from wheelhouse.errors import AirferryError

__all__ = ["EDGE", "Seen", "Waiting", "Way"]


class EngineUnusable(AirferryError):
    """The engine is not known, not in the bundle, or not for this release."""

    reference = "engine-unusable"
    exit_code = 122


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
    def drain_signal(self) -> signal.Signals:
        """The signal after which its worker takes no more tasks, and ends when the last one has."""

    @property
    def task_depth(self) -> int:
        """How many generations below the worker the processes are that have to be asked to end a task."""

    def ways(self, web_port: int, broker: str = "", database: int = 0, logs: int = 0) -> Tuple[Way, ...]:
        """All that must be open between head and workers; `web_port` is that of the head's web address.

        An engine may need the broker at a URL, the port of the head's own database, and that of logs.
        """

    def worth(self, version: Version, *, own_server: bool) -> str:
        """What whoever has a worker's keys (see :meth:`keys`) can do, in a sentence."""

    def keys(self, version: Version, *, own_server: bool) -> Mapping[str, str]:
        """The keys that a worker gets, by their names there, with the file below ``secrets/`` of the head.

        `own_server` says whether the metadata database is on the installation's own PostgreSQL.
        """

    def executors(self, version: Version, *, spread: bool) -> str:
        """The list of executors of a head; raises ValueError, with a sentence, where that cannot be."""

    def head_settings(self, base: str, cluster: HeadRecord, broker: Secret, results: Secret) -> List[Setting]:
        """What airflow.cfg of the head says more; `base` is the web address for workers.

        `broker` and `results` are URLs, for an engine that needs them.
        """

    def worker_settings(self, release: AirflowRelease, join: Join, concurrency: int) -> List[Setting]:
        """What airflow.cfg of a worker says of it."""

    def variables(self, join: Join) -> Dict[str, str]:
        """What a worker finds in its environment beside all else."""

    def worker_command(self, join: Join, concurrency: int) -> Command:
        """What a worker runs: arguments of ``airflow``."""

    def registered(self, home: Path, since: float) -> bool:
        """On a worker: whether the head has taken it after that moment (seconds since 1970)."""

    def seen(self, query: Query) -> List[Seen]:
        """The workers that have shown up."""

    def waiting(self, query: Query, *, spread: bool) -> List[Waiting]:
        """The queues in which tasks wait; with `spread` also those of tasks that name no executor."""

    def running(self, query: Query) -> List[str]:
        """The tasks that run on workers: ``DAG.TASK (RUN)``, one for each."""

    def drain(self, query: Query, name: str, reason: str) -> Command:
        """Have a worker take no more tasks: the command of Airflow's for that; empty where it is done."""

    def undrain(self, query: Query, name: str) -> Command:
        """Have it take them again, likewise."""

    def undrain_request(self, name: str) -> Optional[Tuple[str, str]]:
        """How a worker asks its head for that: method and path; None where it takes tasks as it starts."""

    def forget(self, query: Query, name: str) -> None:
        """Remove a worker that has gone from the head's list."""


EDGE = Edge()
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (EDGE, CELERY)}


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


def row(engine: Engine, release: AirflowRelease, *, spread: bool) -> str:
    """The name of the executor's row on a head (``bootstrap.airflow.executor``).

    Raises :class:`EngineUnusable` where tasks cannot be spread like that.
    """
    try:
        return engine.executors(release.numbers, spread=spread)
    except ValueError as error:
        raise EngineUnusable(f"{error}.", hint="If that is what you want: --spread") from error


def of_cluster(cluster: HeadRecord) -> Engine:
    """The engine of a cluster."""
    return engine_of(cluster.engine)


def versions(packages: Mapping[str, str], engine: Engine) -> Dict[str, str]:
    """The packages that head and worker must have in the same version: Airflow, and what runs the tasks."""
    wanted = ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", engine.package)
    return {name: packages[name] for name in wanted if name in packages}


def queues_of(name: str, asked: Sequence[str]) -> Tuple[str, ...]:
    """The queues of a worker: its own, to pin tasks to it, and those asked for, else Airflow's default."""
    return tuple(dict.fromkeys((name, *(asked or ("default",)))))
