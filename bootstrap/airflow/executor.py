"""What runs Airflow's tasks: one small interface, and a row for each executor that can be installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Protocol, Tuple

from bootstrap.airflow import differences
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import Command, UnsupportedAirflow, Version
from bootstrap.state.receipt import HEAD, LOCAL_EXECUTOR, WORKER


@dataclass(frozen=True)
class Component:
    """A long-running process of Airflow: ``airflow ARGUMENTS``."""

    name: str
    arguments: Command


@dataclass(frozen=True)
class LogServer:
    """A port from which `component` serves the logs of what runs in it; `usual` is Airflow's default."""

    purpose: str
    component: str
    usual: int


@dataclass(frozen=True)
class Need:
    """An amount for a number of parallel tasks: `enough` for all of them, below `least` nothing works."""

    enough: int
    least: int


class Executor(Protocol):
    """An executor as the install, the services and doctor see it; `parallelism` is in tasks at once."""

    @property
    def name(self) -> str:
        """As ``[core] executor`` has it."""

    @property
    def roles(self) -> Tuple[str, ...]:
        """The parts that a host may play."""

    @property
    def task_component(self) -> str:
        """The component that tasks run in."""

    @property
    def log_servers(self) -> Tuple[LogServer, LogServer]:
        """Where the logs of running tasks are served, and those of running triggers."""

    @property
    def managed_options(self) -> Mapping[Tuple[str, str], str]:
        """Its options that must not be changed by hand: section and option -> what to do instead."""

    def components(self, version: Version, role: str) -> Tuple[Component, ...]:
        """What runs on a host of that role, in the order in which it starts."""

    def known_components(self) -> Tuple[str, ...]:
        """The names of its components in every release and role."""

    def settings(self, parallelism: int) -> List[Setting]:
        """Its own part of airflow.cfg."""

    def memory(self, parallelism: int) -> Need:
        """Memory of a head, in bytes."""

    def connections(self, parallelism: int) -> Need:
        """Connections to the metadata database."""

    def stop_seconds(self, component: str) -> int:
        """How long a component may take to end, its tasks included; then what is left is killed."""


@dataclass(frozen=True)
class Local:
    """Tasks are child processes of the scheduler, on the one host that runs everything."""

    name: str = LOCAL_EXECUTOR
    roles: Tuple[str, ...] = (HEAD,)
    task_component: str = "scheduler"
    log_servers: Tuple[LogServer, LogServer] = (
        LogServer("task logs", "scheduler", 8793),
        LogServer("trigger logs", "triggerer", 8794),
    )

    @property
    def managed_options(self) -> Mapping[Tuple[str, str], str]:
        """The executor itself, and what PostgreSQL is set up for."""
        return {
            ("core", "executor"): f"Only {self.name} is supported by this installation.",
            (
                "core",
                "parallelism",
            ): "PostgreSQL is configured for this number: sh FILE install --parallelism N.",
        }

    def components(self, version: Version, role: str) -> Tuple[Component, ...]:
        """All of them on the head, the one that serves the pages first."""
        names = differences.COMPONENTS.at(version) if role == HEAD else ()
        return tuple(Component(name, (name,)) for name in names)

    def known_components(self) -> Tuple[str, ...]:
        """The names in every release."""
        return tuple(dict.fromkeys(name for _, names in differences.COMPONENTS.since for name in names))

    def settings(self, parallelism: int) -> List[Setting]:
        """The executor and how many tasks it runs at once."""
        return [
            Setting("core", "executor", self.name),
            Setting("core", "parallelism", str(parallelism)),
        ]

    def memory(self, parallelism: int) -> Need:
        """Measured: 0.55 to 0.8 GB with 4 workers, 0.6 to 1.1 GB with 32; PostgreSQL 0.1 GB."""
        return Need(800_000_000 + 40_000_000 * parallelism, 700_000_000)

    def connections(self, parallelism: int) -> Need:
        """Every worker, parser and web process holds a pool of up to 15 in the worst case."""
        return Need(60 + 3 * parallelism, 20 + parallelism)

    def stop_seconds(self, component: str) -> int:
        """Longer where tasks run."""
        return 60 if component == self.task_component else 30


# As DAG files name them (``executor="EdgeExecutor"``), and what `[core] executor` needs to find it.
EDGE_EXECUTOR = "EdgeExecutor"
CELERY_EXECUTOR = "CeleryExecutor"
_PATHS = {EDGE_EXECUTOR: "airflow.providers.edge3.executors.EdgeExecutor"}


@dataclass(frozen=True)
class Several(Local):
    """Several executors in one scheduler, the first for tasks that name none; `name` lists them."""

    @property
    def managed_options(self) -> Mapping[Tuple[str, str], str]:
        """The list must be the same on the head and on every worker."""
        again = "Head and workers must have the same: bin/airferry workers enable, or workers disable."
        return {**super().managed_options, ("core", "executor"): again}

    def settings(self, parallelism: int) -> List[Setting]:
        """The list, and how many tasks run at once on all hosts together."""
        return [
            Setting("core", "executor", core_executor(self.name)),
            Setting("core", "parallelism", str(parallelism)),
        ]


@dataclass(frozen=True)
class WithCelery(Several):
    """Workers that are clients of the database: for results, and before 3.0 for everything."""

    def connections(self, parallelism: int) -> Need:
        """Measured: 5 of a worker host at 4 tasks, for results; a task of 2.x has two or three of its own."""
        return Need(160 + 6 * parallelism, 40 + parallelism)


@dataclass(frozen=True)
class OnWorker(Local):
    """Tasks on a worker host, in one component; the head says which executors there are."""

    name: str = "EdgeWorker"
    roles: Tuple[str, ...] = (WORKER,)
    task_component: str = "worker"

    @property
    def managed_options(self) -> Mapping[Tuple[str, str], str]:
        """What the head has decided."""
        by_head = "The head decides: install again with a new join file (workers invite)."
        return {("core", "executor"): by_head, ("core", "parallelism"): by_head}

    def components(self, version: Version, role: str) -> Tuple[Component, ...]:
        """The worker alone."""
        return (Component(self.task_component, (self.task_component,)),) if role == WORKER else ()

    def known_components(self) -> Tuple[str, ...]:
        """The worker."""
        return (self.task_component,)

    def settings(self, parallelism: int) -> List[Setting]:
        """None of its own: see ``bootstrap.cluster``."""
        return []

    def memory(self, parallelism: int) -> Need:
        """Measured: 0.13 to 0.15 GB without a task on Airflow 3.3.2; a task is two processes."""
        return Need(400_000_000 + 100_000_000 * parallelism, 300_000_000)

    def connections(self, parallelism: int) -> Need:
        """None: it never talks to the database."""
        return Need(0, 0)


@dataclass(frozen=True)
class OnCeleryWorker(OnWorker):
    """The same with a pool of processes that live on, and a server of logs."""

    name: str = "CeleryWorker"

    def memory(self, parallelism: int) -> Need:
        """Measured: 0.29 to 0.39 GB without a task at 4 at once; every process of the pool holds Airflow."""
        return Need(500_000_000 + 200_000_000 * parallelism, 450_000_000)


LOCAL = Local()
EDGE = Several(f"{LOCAL_EXECUTOR},{EDGE_EXECUTOR}")
EDGE_SPREAD = Several(f"{EDGE_EXECUTOR},{LOCAL_EXECUTOR}")
EDGE_WORKER = OnWorker()
CELERY = WithCelery(f"{LOCAL_EXECUTOR},{CELERY_EXECUTOR}")
CELERY_SPREAD = WithCelery(f"{CELERY_EXECUTOR},{LOCAL_EXECUTOR}")
CELERY_ALONE = WithCelery(CELERY_EXECUTOR)
CELERY_WORKER = OnCeleryWorker()
_ROWS = (LOCAL, EDGE, EDGE_SPREAD, EDGE_WORKER, CELERY, CELERY_SPREAD, CELERY_ALONE, CELERY_WORKER)
EXECUTORS: Mapping[str, Executor] = {executor.name: executor for executor in _ROWS}
# What the others talk to, tasks above all: it starts first and ends last.
SERVING: Tuple[str, ...] = tuple(dict.fromkeys(names[0] for _, names in differences.COMPONENTS.since))
# Of every executor, release and role.
COMPONENTS: Tuple[str, ...] = tuple(
    dict.fromkeys(name for executor in EXECUTORS.values() for name in executor.known_components())
)


def core_executor(names: str) -> str:
    """The value of ``[core] executor`` for a list of executors."""
    return ",".join(_PATHS.get(name, name) for name in names.split(","))


def executor_of(name: str) -> Executor:
    """The executor of that name; raises :class:`UnsupportedAirflow` for one that cannot be installed."""
    if name not in EXECUTORS:
        raise UnsupportedAirflow(
            f"Airflow's {name!r} is not a supported executor.",
            needed=" or ".join(EXECUTORS),
            hint="The receipt names it: use the bundle file that installed it, or correct the receipt.",
        )
    return EXECUTORS[name]
