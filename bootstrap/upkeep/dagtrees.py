"""DAG files from head to workers: packed as a whole on the one, unpacked and switched on the other."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bootstrap.base.lock import held
from bootstrap.cluster import dags
from bootstrap.cluster.engine import engine_of
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster
from bootstrap.state.journal import Journal
from bootstrap.upkeep.workers import WorkerRefused


@dataclass(frozen=True)
class Pushed:
    """The tree was packed: `files` of it, into `file`."""

    file: str
    digest: str
    files: int


@dataclass(frozen=True)
class Received:
    """The tree is in use; `before` is the digest of the one before. `plugins` says whether those changed."""

    digest: str
    before: str
    files: int
    plugins: bool = False


def push(installation: Installation, stream: IO[bytes], file: str) -> Pushed:
    """Pack the DAG files of this host, and its plugins."""
    folder, plugins = installation.folders.pipelines, installation.folders.plugins
    with Journal(installation.home.journal).recorded("dags", do="push", file=file):
        found = dags.pack(folder, stream, plugins)
    return Pushed(file, found, len(dags.files(folder)) + len(dags.files(plugins)))


def receive(installation: Installation, stream: IO[bytes]) -> Received:
    """On a worker: unpack, compare and switch; the tree before stays, for what still reads there.

    Raises :class:`WorkerRefused`, DagTreeRefused.
    """
    home = installation.home
    if not installation.is_worker:
        raise WorkerRefused(
            "This host is no worker: its DAG files are its own.",
            hint="Give this command on a worker. To bring in files here: bin/airferry dags add FILE",
        )
    _own(installation)
    with held(home.lock), Journal(home.journal).recorded("dags", do="receive"):
        for kind in dags.KINDS:
            dags.make_link(home.path, kind)
        old = [(home.path / kind).resolve() for kind in dags.KINDS]
        before = dags.mark(*old)
        # never the name of a tree that is there: tasks may read in it
        tree = dags.trees(home.path) / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{time.time_ns()}"
        found = dags.unpack(stream, tree)
        join = cluster.joined(home)
        dags.write_pinned(tree / dags.DAGS, [join.name], engine_of(join.engine).executor)
        plugins = dags.digest(old[1]) != dags.digest(tree / dags.PLUGINS)
        for kind in dags.KINDS:
            dags.switch(home.path, tree / kind, kind)
        for path in dags.old_trees(home.path):
            shutil.rmtree(str(path), ignore_errors=True)
    count = sum(len(dags.files(tree / kind)) for kind in dags.KINDS)
    return Received(found, before, count, plugins)


def _own(installation: Installation) -> None:
    """Raise :class:`WorkerRefused` where Airflow reads its DAG files elsewhere."""
    used, own = installation.folders.dags, installation.home.dags
    if Path(used) != own:
        raise WorkerRefused(
            f"This worker reads its DAG files from {used}.",
            found="[core] dags_folder in airflow.cfg",
            needed=str(own),
            hint="A shared folder needs no push: what lies there is what all hosts have.",
        )
