"""The small files that a database belongs to: configuration, keys, receipt, commands; copied out and back."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from bootstrap.installed.folders import walk
from bootstrap.state.backup import digest
from bootstrap.state.home import Home

# The passwords of a cluster go with the cluster, which no backup holds.
_OF_THE_CLUSTER = ("secrets/postgres-superuser-password", "secrets/pgpass")
_FOLDERS = ("bin", "etc", "secrets")
_FILES = ("airflow.cfg", "webserver_config.py")
# Last: it says which release all the others belong to.
_RECEIPT = "receipt.json"
_CODE = ("dags", "plugins")
_LARGEST_ARCHIVE = 200 << 20


def names(folder: Path) -> List[str]:
    """The files that make up the state below a home (or a copy of one), relative; the receipt last."""
    found = [
        str(path.relative_to(folder))
        for name in _FOLDERS
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and not path.name.endswith(".new")
    ]
    found += [name for name in (*_FILES, _RECEIPT) if (folder / name).is_file()]
    return [name for name in found if name not in _OF_THE_CLUSTER]


def copy_out(home: Home, target: Path) -> None:
    """Copy the state of a home below `target`, every file 0600 and every folder 0700."""
    for name in names(home.path):
        copy = target / name
        for folder in reversed(Path(name).parents):
            (target / folder).mkdir(mode=0o700, exist_ok=True)  # `parents` would ignore the mode
        _copy(home.path / name, copy, 0o600)


def copy_back(source: Path, home: Home, *, without: List[str]) -> None:
    """Put the state that lies below `source` back, each file in one step and with the mode that it needs.

    Applied again after an interruption it completes the work. Files named in `without` stay as they are.
    """
    for name in names(source):
        if name in without:
            continue
        target = home.path / name
        if name in _FILES:
            target = target.resolve()  # a link stays one
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        _copy(source / name, temporary, _mode(name, target))
        temporary.replace(target)


@dataclass(frozen=True)
class Code:
    """The files below ``dags/`` and ``plugins/``, with bytes and sha256, and what of it cannot be read."""

    files: Tuple[Dict[str, object], ...]
    left_out: Tuple[str, ...]


def code_files(home: Home) -> Code:
    """Every file there; one that goes meanwhile was not there."""
    files: List[Dict[str, object]] = []
    left_out: List[str] = []
    for path in _code(home, left_out):
        with _noting(home, left_out):
            size, sha256 = digest(path)
            files.append({"path": str(path.relative_to(home.path)), "size": size, "sha256": sha256})
    return Code(tuple(files), tuple(left_out))


def archive_code(home: Home, target: Path) -> bool:
    """Pack what of it can be read into `target`, unless it is large; whether it was done."""
    unread: List[str] = []
    files = list(_code(home, unread))
    if sum(_size(path) for path in files) > _LARGEST_ARCHIVE:
        return False
    with tarfile.open(str(target), "w:gz", dereference=True) as archive:
        for path in files:
            with _noting(home, unread):
                about = archive.gettarinfo(str(path), str(path.relative_to(home.path)))
                # read first: what fails midway would leave an archive that nothing can read
                content = path.read_bytes() if about.isreg() else b""
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
    target.chmod(0o600)
    return True


def _code(home: Home, left_out: List[str]) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            left_out.append(_told(home, Path(error.filename), error))

    for name in _CODE:
        for path in walk(home.path / name, closed):
            with _noting(home, left_out):
                if path.is_file():
                    yield path


@contextlib.contextmanager
def _noting(home: Home, left_out: List[str]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        left_out.append(_told(home, Path(error.filename or home.path), error))


def _told(home: Home, path: Path, error: OSError) -> str:
    with contextlib.suppress(ValueError):
        path = path.relative_to(home.path)
    return f"{path}: {error.strerror}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mode(name: str, there: Path) -> int:
    if name.startswith("bin/") or name == "etc/service.sh":
        return 0o755
    if name.startswith("etc/") and there.is_file():
        return there.stat().st_mode & 0o777  # it is made anew by each release, which knows who reads it
    return 0o640 if name in ("etc/environment.sh", _RECEIPT) else 0o600


def _copy(source: Path, target: Path, mode: int) -> None:
    descriptor = os.open(str(target), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    target.chmod(mode)
