"""Making a backup: beside its place, and moved there when it is whole."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Optional

from bootstrap.backups import state
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump, locks
from bootstrap.postgres.dump import DumpFailed
from bootstrap.postgres.server import Clients
from bootstrap.services import strays
from bootstrap.state import backup as backups
from bootstrap.state.backup import Backup, Content, SavedBackup
from wheelhouse import __version__, codec, timestamp


def save(
    installation: Installation, *, reason: str = backups.ASKED, into: str = "", folder: Optional[Path] = None
) -> SavedBackup:
    """Back up a whole installation into `folder` (default: the home's own); PostgreSQL must run.

    Airflow may run as well: the dump shows the database at one moment. What a backup that was killed has
    left is removed. Raises DumpFailed, OSError.
    """
    home, found = installation.home, installation.receipt
    parent = folder or home.backups
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_unfinished(parent)
    started = timestamp.now()
    unfinished = Path(tempfile.mkdtemp(prefix=backups.UNFINISHED, dir=str(parent)))
    try:
        with installation.database.clients() as clients:
            before = dump.rows(clients)
            _dump(installation, clients, unfinished / backups.DUMP)
            rows = backups.counts(before, dump.rows(clients))
            server, revision, size = dump.version(clients), dump.revision(clients), dump.size(clients)
        (unfinished / backups.DUMP).chmod(0o600)
        state.copy_out(home, unfinished / backups.STATE)
        archived = state.archive_code(home, unfinished / backups.DAGS_ARCHIVE)
        code = state.code_files(home)
        listed = {"files": code.files, "left_out": code.left_out, "archived": archived}
        _write(unfinished / backups.DAGS, json.dumps(listed, indent=1) + "\n")
        made = Backup(
            schema=backups.SCHEMA,
            id=_free_id(parent, f"{timestamp.compact(started)}-{found.bundle_id}"),
            reason=reason,
            airferry=__version__,
            airflow=found.airflow,
            bundle_id=found.bundle_id,
            bundle_file=found.bundle_file,
            postgres=server,
            home=str(home.path),
            revision=revision,
            started=started,
            finished=timestamp.now(),
            database_size=size,
            rows=rows,
            files=tuple(
                Content(str(path.relative_to(unfinished)), *backups.digest(path))
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            ),
            into=into,
        )
        _write(unfinished / backups.DESCRIPTION, codec.dumps(made))
        os.sync()  # as for a release: no description beside files that a power cut has emptied
        final = parent / made.id
        unfinished.replace(final)
    except BaseException:
        shutil.rmtree(str(unfinished), ignore_errors=True)
        raise
    return SavedBackup(final, made)


def _dump(installation: Installation, clients: Clients, target: Path) -> None:
    try:
        dump.save(clients, target)
    except DumpFailed as error:
        locks.blame(error, installation.database.query)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed backup has left, after ending a pg_dump that outlived it."""
    for leftover in folder.glob(f"{backups.UNFINISHED}*"):
        strays.kill_users(leftover)
        shutil.rmtree(str(leftover), ignore_errors=True)


def _free_id(parent: Path, wanted: str) -> str:
    name, number = wanted, 1
    while (parent / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o600)
