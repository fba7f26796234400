"""The files of an installation: packages, programs, commands, owners and modes, passwords and keys."""

from __future__ import annotations

import math
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from bootstrap.base import process
from bootstrap.examination import packages
from bootstrap.examination.packages import Handmade
from bootstrap.installed import bytecode
from bootstrap.installed.installation import Installation
from bootstrap.python import carried
from bootstrap.python.venv import Venv
from bootstrap.state import ownership
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest

_SECONDS = 4.0  # a walk through a home of a million log files stops there
_SHOWN = 40
# What is root's in an installation by root, with all that is in it; the last is there while root installs.
CODE = (*ownership.FOLDERS, "current", "doc", "receipt.json", "journal.jsonl", ".handoff")
NOT_ROOT = ", not root)"
_PROGRAMS = ("initdb", "postgres", "psql", "pg_isready", "pg_dump", "pg_restore")
# a private folder and its mode; PostgreSQL refuses a cluster that is more open than 0750
_PRIVATE = {"secrets": 0o077, "run": 0o077, "postgres": 0o027}


@dataclass(frozen=True)
class Files:
    """What is on disk: whether the release is complete and `current` leads to it.

    `damaged` are lines on files that are missing or changed (RECORD), `python_error` says why the
    environment's Python does not start, `open_secrets` are files that other accounts may read, with modes.
    `manifest_error`, `supervisor_error` and `postgres_error` are empty when those are sound. `commands` are
    files of ours that are missing or not as they were written. `foreign` belong to another account,
    `loose` may be written by everybody or are more open than they may be, `unreadable` cannot be read by
    the account that runs Airflow; each with the reason. `bytecode` are files that Python has compiled and
    cannot read any more. `handmade` is what the environment has, or lacks, against its bundle. `by_root`:
    code and records are to be root's; the lines on those that are not end in :data:`NOT_ROOT`.
    """

    complete: bool
    linked: bool
    damaged: Tuple[str, ...] = ()
    python_error: str = ""
    open_secrets: Tuple[str, ...] = ()
    manifest_error: str = ""
    supervisor_error: str = ""
    postgres_error: str = ""
    commands: Tuple[str, ...] = ()
    foreign: Tuple[str, ...] = ()
    loose: Tuple[str, ...] = ()
    unreadable: Tuple[str, ...] = ()
    bytecode: Tuple[str, ...] = ()
    handmade: Handmade = Handmade()  # noqa: RUF009  (frozen)
    by_root: bool = False


def collect(installation: Installation) -> Files:
    """Look at the release folder, the commands, the secrets, and who may do what with the rest."""
    home, release = installation.home, installation.release
    link = home.current_link
    python = Path(installation.receipt.python)
    venv, supervisor = Venv(release.venv, python), Venv(release.supervisor, python)
    foreign, loose, unreadable = _walk(home.path, by_root=installation.receipt.is_roots)
    return Files(
        complete=release.complete.is_file(),
        linked=link.is_symlink() and link.resolve() == release.path.resolve(),
        damaged=(
            *venv.damaged(_written(release.complete)),
            *supervisor.damaged(),
            *carried.damaged(installation.receipt),
        ),
        python_error=_error([venv.interpreter, "-I", "-c", "import ctypes, ssl"]),
        open_secrets=tuple(_open_secrets([home.secrets, *sorted(home.secrets.glob("*")), home.airflow_cfg])),
        manifest_error=_manifest_error(release.manifest),
        supervisor_error=_supervisor_error(supervisor),
        postgres_error=_postgres_error(installation),
        commands=tuple(_changed(installation)),
        foreign=foreign,
        loose=loose,
        unreadable=unreadable,
        bytecode=tuple(bytecode.damaged(installation)),
        handmade=packages.compare(release),
        by_root=installation.receipt.is_roots,
    )


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def _error(command: List[object]) -> str:
    """Why a program of ours does not run: its last line, or nothing."""
    try:
        process.run([str(part) for part in command], what=f"start {command[0]}", timeout=5)
    except AirferryError as error:
        return (error.found.strip().splitlines() or [error.message])[-1]
    return ""


def _manifest_error(path: Path) -> str:
    try:
        Manifest.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return str(error)
    except AirferryError as error:
        return f"{path}: {error.found.splitlines()[0] if error.found else error.message}"
    return ""


def _supervisor_error(venv: Venv) -> str:
    if not venv.path.is_dir():
        return ""  # systemd does its work
    return _error([venv.interpreter, "-I", "-c", "import supervisor.supervisord"])


def _postgres_error(installation: Installation) -> str:
    if installation.receipt.database.kind != "private":
        return ""
    try:
        folder = installation.cluster.bin
    except AirferryError as error:
        return error.found or error.message
    lost = [name for name in _PROGRAMS if not os.access(folder / name, os.X_OK)]
    if lost:
        return f"{folder} lacks {', '.join(lost)}"
    return _error([folder / "postgres", "--version"])


def _changed(installation: Installation) -> Iterator[str]:
    for name, (text, mode) in installation.scripts().items():
        path = installation.home.path / name
        try:
            found = path.read_text(encoding="utf-8", errors="surrogateescape")
            if _lasting(found) != _lasting(text):
                yield f"{path} was changed"
            elif mode & 0o100 and not os.access(path, os.X_OK):
                yield f"{path} cannot be executed"
        except OSError as error:
            yield f"{path}: {error.strerror}"


def _lasting(text: str) -> List[str]:
    """The lines that do not depend on whoever ran the install: its PATH and the host's name stand there."""
    passing = tuple(f"export {name}=" for name in (*process.INHERITED, "NO_PROXY", "no_proxy"))
    return [line for line in text.splitlines() if not line.startswith(passing)]


def _open_secrets(paths: List[Path]) -> List[str]:
    found = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # a missing one is another matter
        if mode & 0o077:
            found.append(f"{path} (mode {mode:04o})")
    return found


def _walk(home: Path, *, by_root: bool) -> Tuple[Tuple[str, ...], Tuple[str, ...], Tuple[str, ...]]:
    """Owners and modes below a home, the packages' own files left out: RECORD knows those.

    With `by_root` the code and the records are to be root's.
    """
    foreign: List[str] = []
    loose: List[str] = []
    unreadable: List[str] = []
    deadline = time.monotonic() + _SECONDS
    waiting = [str(home)]
    while waiting and time.monotonic() < deadline:
        folder = waiting.pop(0)
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append(f"{folder}: {error.strerror}")
            continue
        for entry in found:
            status = _status(entry)
            if status is None:
                continue
            mode = stat.S_IMODE(status.st_mode)
            if by_root and Path(entry.path).relative_to(home).parts[0] in CODE:
                if status.st_uid != 0:
                    foreign.append(f"{entry.path} (owner {status.st_uid}{NOT_ROOT}")
            elif status.st_uid != os.geteuid():
                foreign.append(f"{entry.path} (owner {status.st_uid})")
            if stat.S_ISREG(status.st_mode):
                if mode & 0o002:
                    loose.append(f"{entry.path} (mode {mode:04o})")
                closed = status.st_uid != os.geteuid() or not mode & 0o400
                if closed and not os.access(entry.path, os.R_OK):
                    unreadable.append(f"{entry.path} (owner {status.st_uid}, mode {mode:04o})")
            elif stat.S_ISDIR(status.st_mode):
                private = _PRIVATE.get(entry.name, 0) if folder == str(home) else 0
                if mode & (0o002 | private):
                    loose.append(f"{entry.path} (mode {mode:04o})")
                if Path(folder).name != "releases":
                    waiting.append(entry.path)
    return tuple(foreign[:_SHOWN]), tuple(loose[:_SHOWN]), tuple(unreadable[:_SHOWN])


def _status(entry: os.DirEntry[str]) -> Optional[os.stat_result]:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None  # gone meanwhile: log files are rotated
