"""The steps of a worker: what the head has told, its process, and a task of the head's as the proof."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import List, Optional, Tuple

from bootstrap.airflow import differences
from bootstrap.base import smallfile
from bootstrap.cluster import dags
from bootstrap.cluster.engine import engine_of
from bootstrap.installed import bytecode, meeting, outdated
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster, marker
from bootstrap.state.cluster import Join
from bootstrap.state.home import Home
from bootstrap.state.marker import PROVED
from bootstrap.steps.worker_proof import WorkerNotProved, head_release
from wheelhouse import codec
from wheelhouse.errors import AirferryError

# How long a head that does not answer is asked again.
PATIENCE_SECONDS = 60.0


class HeadUnusable(AirferryError):
    """The head of this worker does not answer, or refuses it."""

    reference = "head-unusable"
    exit_code = 124


class JoinStep:
    """Keep what the head has told; with a new join file, airflow.cfg is written anew."""

    name = "join"

    def __init__(self, installation: Installation, told: Optional[Join]) -> None:
        self.installation = installation
        self.told = told and _here(told, installation.home)

    def describe(self) -> str:
        """One line for the admin."""
        join = self.told or cluster.joined(self.installation.home)
        return f"Join {join.host} ({join.base}) as the worker {join.name}, queues {', '.join(join.queues)}"

    def done(self) -> bool:
        """Whether it is kept already."""
        path = cluster.worker_file(self.installation.home)
        if self.told is None:
            return path.exists()
        return path.exists() and codec.dumps(cluster.joined(self.installation.home)) == codec.dumps(self.told)

    def apply(self) -> None:
        """Keep it; raises JoinFileRefused where there is nothing to keep."""
        home = self.installation.home
        if self.told is None:
            cluster.joined(home)
            return
        for path, text in (
            (cluster.authorities_file(home), self.told.authorities),
            (cluster.broker_authorities_file(home), self.told.broker_authorities),
            (_database_authorities(home), self.told.database.get("authorities", "")),
        ):
            if text:
                smallfile.write(path, text, 0o600)
            else:
                path.unlink(missing_ok=True)  # of an earlier join file
        ManagedSettings(self.installation).forget(*_SECRET)
        marker.path(home, PROVED, self.installation.receipt.bundle_id).unlink(missing_ok=True)
        # last, and in one step: by this file done() knows that nothing is left to do
        cluster.keep_join(home, self.told)


# Options whose values were told anew; what is recorded of them is that they are secret.
_SECRET = (
    "jwt_secret", "broker_url", "result_backend", "secret_key", "fernet_key", "sql_alchemy_conn",
)  # fmt: skip


def _database_authorities(home: Home) -> Path:
    return home.secrets / "database-ca.pem"


def _here(told: Join, home: Home) -> Join:
    """The join file with the place of the certificates of the head's database on this host."""
    if not told.database.get("authorities"):
        return told
    return replace(told, database={**told.database, "sslrootcert": str(_database_authorities(home))})


class HeadStep:
    """See that the head can be used, before anything is unpacked: a worker never runs ahead of it."""

    name = "head"

    def __init__(self, installation: Installation, told: Optional[Join] = None) -> None:
        self.installation = installation
        self.told = told

    def describe(self) -> str:
        """One line for the admin."""
        return "Ask the head: address, port, key, clock, version"

    def done(self) -> bool:
        """Never: it may have changed since."""
        return False

    def apply(self) -> None:
        """Ask; raises :class:`HeadUnusable`."""
        join, here = self.told or cluster.joined(self.installation.home), self.installation.receipt.airflow
        check(self.installation, join, versions=False)
        found = head_release(self.installation, join)
        if found != here:
            ahead = differences.numbers(here) > differences.numbers(found)
            raise HeadUnusable(
                f"The head {join.host} runs another Airflow than this worker would.",
                found=f"Airflow {found} there, {here} here",
                needed=f"Airflow {found}",
                hint="Upgrade the head first, then its workers, each with the head's bundle file."
                if ahead
                else f"Install here from the head's bundle file, that of Airflow {found}. To go back to"
                f" {here} with all hosts, begin on the head: bin/airferry rollback.",
            )


class DagLinkStep:
    """Have the folder of DAG files be a link, so that a tree of them can be switched in one step."""

    name = "dags"

    def __init__(self, installation: Installation) -> None:
        self.home = installation.home

    def describe(self) -> str:
        """One line for the admin."""
        return f"Make {self.home.dags}, which the head's DAG files go to (dags receive)"

    def done(self) -> bool:
        """Whether it is one."""
        return self.home.dags.is_symlink() and self.home.dags.is_dir()

    def apply(self) -> None:
        """Make it; files that lie there stay."""
        dags.make_link(self.home.path)


class PinnedDagStep:
    """The DAG whose task proves this host, and the module that tells the head of its DAG files."""

    name = "pipelines"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        folder = dags.pinned_folder(self.installation.folders.pipelines)
        if cluster.joined(self.installation.home).dags:
            return f"See that the shared DAG files are there: {folder.parent}"
        return f"Write the DAG that proves this host to {folder}"

    def done(self) -> bool:
        """Whether it is there."""
        told = dags.modules_current(self.installation.home.path)
        if cluster.joined(self.installation.home).dags:
            return (
                told and (dags.pinned_folder(self.installation.folders.pipelines) / dags.PINNED_FILE).exists()
            )
        return told and dags.pinned_current(self.installation.folders.pipelines, *self._workers())

    def apply(self) -> None:
        """Write it; into a shared folder the head has. Raises :class:`HeadUnusable` without it."""
        folder = self.installation.folders.pipelines
        if not cluster.joined(self.installation.home).dags:
            dags.write_pinned(folder, *self._workers())
        elif not self._pinned.exists():
            raise HeadUnusable(
                f"The folder of DAG files that all hosts share is not the head's here: {folder}.",
                found=f"no {self._pinned}, which the head has written",
                needed="the folder that the head has at this path, readable by"
                f" {self.installation.receipt.account}",
                hint="Mount it here, and run the same command again.",
            )
        dags.write_modules(self.installation.home.path)

    @property
    def _pinned(self) -> Path:
        return dags.pinned_folder(self.installation.folders.pipelines) / dags.PINNED_FILE

    def _workers(self) -> Tuple[List[str], str]:
        join = cluster.joined(self.installation.home)
        return [join.name], engine_of(join.engine).executor


class RegisterStep:
    """Start the worker, and wait until the head has taken it."""

    name = "start"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return "Start the worker and register it at the head"

    def done(self) -> bool:
        """Whether it runs with the settings as they are now, and has run a task under this bundle."""
        if not proved(self.installation):
            return False
        states = self.installation.services.states()
        names = self.installation.components
        running = all(name in states and states[name].state == "RUNNING" for name in names)
        return running and not outdated.components(self.installation)

    def apply(self) -> None:
        """Start it; what has read older settings, or is of the bundle before, is started anew."""
        stale = outdated.components(self.installation)
        if not proved(self.installation):
            self.installation.stop(self.installation.components)
        elif stale:
            self.installation.services.stop(stale)
        start(self.installation)


def proved(installation: Installation) -> bool:
    """Whether a task has run here under this bundle and join file."""
    return marker.path(installation.home, PROVED, installation.receipt.bundle_id).exists()


def start(installation: Installation, seconds: float = 240) -> None:
    """Start the worker and wait until the head has registered it.

    Raises :class:`HeadUnusable` before anything is started, :class:`WorkerNotProved`.
    """
    join = cluster.joined(installation.home)
    check(installation, join)
    services = installation.services
    bytecode.mend(installation)
    services.configure(installation.programs())
    services.launch()
    since = time.time()
    services.start(installation.components)
    engine = engine_of(join.engine)
    deadline = time.monotonic() + seconds
    while not engine.registered(installation.home.path, since):
        if time.monotonic() > deadline:
            log = installation.home.own_logs / "worker.log"
            raise WorkerNotProved(
                f"The worker {join.name} was not registered by {join.host}.",
                found="\n".join(_tail(installation)) or "nothing in its log",
                hint=f"Its log is {log}; the head's logs/airferry/api-server.log. It goes on trying.",
            )
        time.sleep(0.5)


def check(installation: Installation, join: Join, *, versions: bool = True) -> None:
    """Raise :class:`HeadUnusable` for a head that does not answer, refuses us, or runs another Airflow."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found = meeting.look(installation, join, 20, versions=versions)
    # a head that restarts, or is very busy; a name that is not known will not be known soon
    while found.error and found.resolved and time.monotonic() < deadline:
        time.sleep(1)
        found = meeting.look(installation, join, 20, versions=versions)
    if not found.problem:
        return
    hint = "On the head: bin/airferry status. Is its port open for this host in every firewall between them?"
    if found.clock_off:
        hint = "Set this host's clock (date -s, or chrony against the head), and run the same command again."
    elif found.status in (401, 403):
        hint = (
            "The key was changed since the join file was made. Make a new one there: bin/airferry workers"
            f" invite {join.name} --out FILE. The head's reason stands in its logs/airferry/api-server.log."
        )
    elif found.other_version:
        hint = (
            f"Install here from the head's bundle file, that of Airflow {found.version}. Where this host was"
            " upgraded and the head has gone back: bin/airferry rollback."
        )
    elif found.database:
        hint = (
            f"Is port {join.database.get('port')} of {join.database.get('host')} open for this host, and is"
            " this host on a network that the head lets workers in from? On the head: bin/airferry workers"
            " enable celery --network ADDRESS/BITS. After a change of its password: a new join file."
        )
    elif found.broker:
        hint = (
            "Is its port open for this host? After a change of its password, on the head: bin/airferry"
            f" workers enable celery --broker URL, then invite {join.name} again."
        )
    raise HeadUnusable(
        f"The head {join.host} cannot be used: {found.problem}.",
        found=f"{join.base}, addresses {', '.join(found.resolved) or 'none'}",
        hint=hint,
    )


def _tail(installation: Installation) -> List[str]:
    try:
        text = smallfile.text(installation.home.own_logs / "worker.log", largest=1 << 26)
    except OSError:
        return []
    return text.splitlines()[-8:]
