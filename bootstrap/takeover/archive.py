"""The old Airflow as one stream: packed by whoever may read it, unpacked by the service account.

Between the two there is a file without a name. Only plain files go in, no link is followed; only plain files
below the names that are known come out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import stat
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, Iterator, Optional, Tuple

from bootstrap.base import account as accounts
from bootstrap.base.account import Account
from bootstrap.facts import old_airflow, old_configuration, old_database, old_postgres
from bootstrap.facts.old_airflow import COMPONENT_LOGS, OldAirflow
from bootstrap.facts.old_database import SCRATCH
from bootstrap.facts.old_postgres import OldServer
from bootstrap.takeover import look
from bootstrap.takeover.staging import (
    CONFIGURATION,
    CONTENTS,
    DAGS,
    DATABASE,
    FILES,
    FOLDERS,
    KEY,
    LOGS,
    LOOK,
    PLUGINS,
    TABLES,
)
from wheelhouse import codec
from wheelhouse.errors import AirferryError


class TakeOverFailed(AirferryError):
    """The old Airflow cannot be brought in; it was not changed."""

    reference = "take-over-failed"
    exit_code = 98


def packed(old: OldAirflow, server: Optional[OldServer] = None) -> int:
    """A descriptor to the archive of an old Airflow, at its beginning; raises :class:`TakeOverFailed`.

    Where no home is known, it is the database on `server` alone.
    """
    with tempfile.TemporaryFile(dir=SCRATCH) as stream:
        owner = look.reader(Path(old.home)) if old.home else None
        if isinstance(owner, str):
            raise TakeOverFailed(f"{old.home} is not read: {owner}.")
        try:
            if server:
                _write_server(old, server, stream)
            elif owner is None:
                _write(old, stream)
            else:
                _write_as(owner, old, stream)
            stream.flush()
        except Exception as error:  # sqlite3.Error as well, which is imported late
            raise TakeOverFailed(
                f"The Airflow at {old.place} could not be packed.",
                found=_reason(error),
                hint=f"Nothing was changed. It is packed in {SCRATCH} first, which needs room for its"
                " database twice, and for its DAG files, plugins and logs.",
            ) from error
        stream.seek(0)
        return os.dup(stream.fileno())


def unpack(descriptor: int, target: Path) -> None:
    """Write what is in an archive below `target`, a new private folder; raises :class:`TakeOverFailed`."""
    try:
        with os.fdopen(descriptor, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                place = _place(member)
                content = archive.extractfile(member)
                if place is None or content is None:
                    raise TakeOverFailed(
                        f"The archive has an entry that does not belong there: {member.name!r}."
                    )
                path = target / place
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                handle = os.open(str(path), flags, 0o700 if member.mode & 0o100 else 0o600)
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                os.utime(str(path), (member.mtime, member.mtime))
    except tarfile.TarError as error:
        raise TakeOverFailed("The archive of the old Airflow cannot be read.", found=str(error)) from error


def _place(member: tarfile.TarInfo) -> PurePosixPath | None:
    name = PurePosixPath(member.name)
    if not member.isreg() or name.is_absolute() or ".." in name.parts or not name.parts:
        return None
    known = name.parts[0] in (FILES if len(name.parts) == 1 else FOLDERS)
    return name if known else None


def _write_as(owner: Account, old: OldAirflow, stream: IO[bytes]) -> None:
    """Write it in a process that has the owner's rights alone; raises :class:`TakeOverFailed`."""
    look.import_early()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            accounts.drop(owner)
            try:
                _write(old, stream)
                status = 0
            except Exception as error:  # noqa: BLE001  (as above)
                os.write(writing, _reason(error).encode("utf-8", "replace")[:4000])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as said:
        problem = said.read()
    _, ended = os.waitpid(child, 0)
    if ended:
        raise TakeOverFailed(
            f"The Airflow in {old.home} could not be read as {owner.name or owner.uid}.",
            found=problem or f"the process ended with status {ended}",
        )


def _reason(error: Exception) -> str:
    return (error.found or error.message) if isinstance(error, AirferryError) else str(error)


def _write_server(old: OldAirflow, server: OldServer, stream: IO[bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        _add_texts(archive, codec.dumps(old), "", "")
        _add_tables(archive, server)


def _add_texts(archive: tarfile.TarFile, old: str, configuration: str, key: str) -> None:
    for name, text in ((LOOK, old), (CONFIGURATION, configuration), (KEY, key)):
        content = text.encode("utf-8", "surrogateescape")
        _add(archive, name, io.BytesIO(content), len(content))


def _write(old: OldAirflow, stream: IO[bytes]) -> None:
    found = old_configuration.in_force(Path(old.home))
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        _add_texts(archive, codec.dumps(old), found.text, found.fernet_key)
        path = found.database_file
        if path is not None:
            with snapshot(path) as (copy, size):
                _add(archive, DATABASE, copy, size)
        elif old_postgres.is_postgresql(found.database_url):
            _add_tables(archive, old_airflow.server_of(found))
        for name, folder, without in (
            (DAGS, old.dags, ()),
            (PLUGINS, old.plugins, ()),
            (LOGS, old.logs, COMPONENT_LOGS),
        ):
            _add_folder(archive, name, Path(folder.path), without)


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Tuple[IO[bytes], int]]:
    """SQLite's file as it is at one moment, by its own backup, and its size."""
    import sqlite3  # noqa: PLC0415  (a Python without it gets as far as doctor)

    with tempfile.TemporaryDirectory(prefix="airferry-", dir=SCRATCH) as folder:
        copy = Path(folder, DATABASE)
        target = sqlite3.connect(str(copy))
        with contextlib.closing(target), old_database.consistent(path) as source:
            source.backup(target, pages=4096)
        with copy.open("rb") as stream:
            yield stream, copy.stat().st_size


def _add_tables(archive: tarfile.TarFile, server: OldServer) -> None:
    """Every table as it is at one moment, as COPY writes it."""
    contents = {}
    with old_postgres.opened(server) as asked:
        for number, table in enumerate(asked.tables()):
            columns = asked.columns(table)
            if not columns:
                continue
            rows = 0
            with tempfile.TemporaryFile(dir=SCRATCH) as stream:
                for line in asked.copied(table, columns):
                    stream.write(line)
                    rows += 1
                size = stream.tell()
                stream.seek(0)
                # a table may have any name
                _add(archive, f"{TABLES}/{number}", stream, size)
            contents[table] = {"file": str(number), "columns": columns, "rows": rows}
    text = json.dumps(contents).encode("utf-8")
    _add(archive, CONTENTS, io.BytesIO(text), len(text))


def _add_folder(archive: tarfile.TarFile, name: str, top: Path, without: Tuple[str, ...]) -> None:
    for path in old_airflow.below(top, without):
        with contextlib.suppress(PermissionError, FileNotFoundError):  # the look has named it
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                handle = os.open(str(path), flags)
            except OSError:
                continue  # a link
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(stream.fileno())
                # as root: a file with a second name may be any file of the host
                if stat.S_ISREG(status.st_mode) and not (os.geteuid() == 0 and status.st_nlink > 1):
                    place = f"{name}/{path.relative_to(top)}"
                    _add(archive, place, stream, status.st_size, status.st_mode, int(status.st_mtime))


def _add(
    archive: tarfile.TarFile, name: str, stream: IO[bytes], size: int, mode: int = 0, mtime: int = 0
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode & 0o777, mtime
    archive.addfile(info, _Exactly(stream, size))


class _Exactly(io.RawIOBase):
    """So many bytes of a file: one that has become shorter ends in zeros."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = size

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._stream.read(wanted)
        self._left -= wanted
        return found + bytes(wanted - len(found))
