"""Proof that a backup can be restored: into a cluster of its own, which is thrown away afterwards."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List

from bootstrap.airflow import metadata
from bootstrap.base import process, secret
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import free_port
from bootstrap.postgres import dump
from bootstrap.postgres.embedded import DATABASE, Cluster
from bootstrap.services import strays
from bootstrap.state import backup as backups
from bootstrap.state.backup import BackupDamaged, SavedBackup

_SCRATCH = ".check-"
_PORT = 25600


def check(installation: Installation, place: SavedBackup) -> None:
    """Compare every file, restore the dump into a scratch cluster, and look at what came back.

    Nothing of the installation is touched. Raises BackupDamaged, DumpFailed, PostgresFailed.
    """
    backups.compare(place)
    auth = installation.receipt.auth
    with _scratch(installation) as cluster:
        clients = cluster.clients_of(DATABASE)
        dump.load(clients, place.dump)
        problems = [f"no table {name}" for name in metadata.missing_tables(cluster.query, auth)]
        revision, rows = dump.revision(clients), dump.rows(clients)
    if revision != place.backup.revision:
        problems.append(f"schema revision {revision or 'none'}, not {place.backup.revision}")
    problems += [
        f"table {count.table}: {rows.get(count.table, 'none')} rows, not {count.least} to {count.most}"
        for count in place.backup.rows
        if not count.least <= rows.get(count.table, -1) <= count.most
    ]
    if problems:
        raise BackupDamaged(
            f"The backup {place.path} can be restored, but its contents differ from what was saved.",
            found="\n".join(problems[:10]),
            hint="Make a new one: airferry backup --verify",
        )


@contextlib.contextmanager
def _scratch(installation: Installation) -> Iterator[Cluster]:
    """A running cluster with an empty database, below the home's backups; leftovers are removed first."""
    parent = installation.home.backups
    parent.mkdir(mode=0o700, exist_ok=True)
    _remove(list(parent.glob(f"{_SCRATCH}*")))
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=str(parent)))
    cluster = replace(
        installation.cluster, data=folder / "data", secrets=folder, port=free_port(_PORT, set())
    )
    secret.write(cluster.role_password, secret.generate())
    try:
        cluster.create()
        cluster.configure(connections=20)
        _control(cluster, folder, "start")
        cluster.wait()
        cluster.create_database()
        yield cluster
    finally:
        with contextlib.suppress(process.CommandFailed):
            _control(cluster, folder, "stop")
        _remove([folder])


def _control(cluster: Cluster, folder: Path, verb: str) -> None:
    how = ("-l", folder / "log") if verb == "start" else ("-m", "immediate")
    process.run(
        [cluster.bin / "pg_ctl", verb, "-w", "-D", cluster.data, *how],
        what=f"{verb} the scratch server", env=cluster.env, log=cluster.log, timeout=120,
    )  # fmt: skip


def _remove(folders: List[Path]) -> None:
    for folder in folders:
        strays.kill_users(folder)  # a server that outlived a check which was killed
        shutil.rmtree(str(folder), ignore_errors=True)
