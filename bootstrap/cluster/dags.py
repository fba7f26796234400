"""The DAG files of a cluster: a tree as one file to carry, and the DAGs that prove workers."""

from __future__ import annotations

import io
import json
import pkgutil
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, Dict, List, Optional, Sequence

from bootstrap.base import smallfile
from bootstrap.cluster.pinned import PINNED
from bootstrap.cluster.sysinfo import DIFFERENT, digest, files, mark
from wheelhouse.errors import AirferryError

__all__ = ["digest", "files", "mark"]

_NAME = "airferry_workers"
PINNED_FILE = f"{_NAME}.py"
# With plugins it is another: who does not know of them must not leave them out.
_SCHEMA, _WITH_PLUGINS = 1, 2
_HEADER = "airferry-dags.json"
DAGS, PLUGINS = KINDS = ("dags", "plugins")
# Of a tree of DAG files; beyond it something else was packed.
_MOST_BYTES, _MOST_FILES = 2 << 30, 100_000


class DagTreeRefused(AirferryError):
    """A file that holds no DAG files as ``dags push`` writes them, or not all of them."""

    reference = "dag-tree-refused"
    exit_code = 127


def pinned_dag(name: str) -> str:
    """The DAG whose task runs on that worker alone."""
    return f"airferry_worker_{name}"


def pinned_folder(folder: Path) -> Path:
    """Where it lies, below the folder of DAG files."""
    return folder / "airferry"


def write_pinned(folder: Path, workers: Sequence[str], executor: str) -> None:
    """Write the DAG file and the list of its workers; the list goes first: the file reads it."""
    place = pinned_folder(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in _files(workers, executor).items():
        smallfile.write(place / name, text, 0o644)


def pinned_current(folder: Path, workers: Sequence[str], executor: str) -> bool:
    """Whether both are there, as they should be."""
    place = pinned_folder(folder)
    try:
        found = {name: (place / name).read_text(encoding="utf-8") for name in _files(workers, executor)}
    except OSError:
        return False
    return found == _files(workers, executor)


def _files(workers: Sequence[str], executor: str) -> Dict[str, str]:
    listed = {"workers": [{"name": name, "executor": executor} for name in workers]}
    return {DIFFERENT: json.dumps(listed, indent=2) + "\n", PINNED_FILE: PINNED}


def write_modules(home: Path) -> None:
    """Write the modules that Airflow imports from its folder ``config``."""
    folder = home / "config"
    folder.mkdir(mode=0o750, exist_ok=True)
    for name, text in modules().items():
        smallfile.write(folder / name, text, 0o644)


def modules() -> Dict[str, str]:
    """Those modules: what a worker tells its head, and Celery's settings."""
    return {
        "airferry_sysinfo.py": source("sysinfo.py"),
        "airferry_celery.py": source("celeryworker.py"),
    }


def modules_current(home: Path) -> bool:
    """Whether they are there."""
    folder = home / "config"
    return all(
        (folder / name).is_file() and (folder / name).read_text(encoding="utf-8") == text
        for name, text in modules().items()
    )


def source(name: str) -> str:
    """The text of a module that Airflow runs."""
    found = pkgutil.get_data("bootstrap.cluster", name)
    assert found is not None, "every bundle carries it"
    return found.decode("utf-8")


def pack(folder: Path, stream: IO[bytes], plugins: Optional[Path] = None) -> str:
    """Write the tree as one archive (tar, gzip) whose first member says what must be in it; its mark.

    A folder of `plugins` goes with it, if there is one that is not empty.
    """
    places = [(DAGS, folder), *([(PLUGINS, plugins)] if plugins and files(plugins) else [])]
    found = [
        (f"{kind}/{path.relative_to(top).as_posix()}", path) for kind, top in places for path in files(top)
    ]
    told = mark(folder, plugins)
    with tarfile.open(fileobj=stream, mode="w:gz", dereference=True) as archive:
        schema = _WITH_PLUGINS if len(places) > 1 else _SCHEMA
        text = json.dumps({"schema": schema, "digest": told, "files": len(found)}).encode()
        head = tarfile.TarInfo(_HEADER)
        head.size = len(text)
        archive.addfile(head, io.BytesIO(text))
        for name, path in found:
            item = archive.gettarinfo(str(path), name)
            item.uid = item.gid = 0
            item.uname = item.gname = ""
            item.mode = 0o755 if item.mode & 0o100 else 0o644
            with path.open("rb") as content:
                archive.addfile(item, content)
    return told


def unpack(stream: IO[bytes], folder: Path) -> str:
    """Unpack such an archive into a new folder, as ``dags`` and ``plugins`` below it, and compare; its mark.

    Raises :class:`DagTreeRefused`; the folder is gone then.
    """
    folder.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=stream, mode="r:gz") as archive:
            told = _told(archive)
            _extract(archive, folder)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        shutil.rmtree(str(folder), ignore_errors=True)
        raise _refused(str(error) or type(error).__name__) from error
    for kind in KINDS:
        (folder / kind).mkdir(exist_ok=True)
    found = mark(folder / DAGS, folder / PLUGINS)
    if found != told:
        shutil.rmtree(str(folder), ignore_errors=True)
        raise _refused(f"its files have the digest {found}, not {told}")
    return found


def _told(archive: tarfile.TarFile) -> str:
    first = archive.next()
    stream = archive.extractfile(first) if first and first.name == _HEADER and first.isreg() else None
    if first is None or stream is None or first.size > 4096:
        raise ValueError(f"it does not begin with {_HEADER}")
    head = json.loads(stream.read())
    if not isinstance(head, dict) or head.get("schema") not in (_SCHEMA, _WITH_PLUGINS):
        raise ValueError("another airferry wrote it")
    return str(head.get("digest"))


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Regular files below the folder, and nothing else: no link, no device, no way out."""
    size = count = 0
    for item in archive:
        if item.name == _HEADER:
            continue
        parts = PurePosixPath(item.name).parts
        if not item.isreg() or len(parts) < 2 or parts[0] not in KINDS or ".." in parts:
            raise ValueError(f"it holds {item.name!r}, which is no DAG file")
        size, count = size + item.size, count + 1
        if size > _MOST_BYTES or count > _MOST_FILES:
            raise ValueError("it holds more than any tree of DAG files")
        content = archive.extractfile(item)
        assert content is not None, "a regular file"
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            shutil.copyfileobj(content, out)
        target.chmod(0o755 if item.mode & 0o100 else 0o644)


def _refused(why: str) -> DagTreeRefused:
    return DagTreeRefused(
        "This file does not hold the DAG files of a head; nothing was changed.",
        found=why,
        needed="a file that bin/airferry dags push --out FILE wrote there, as a whole",
        hint="Copy it again, or make it again on the head.",
    )


def trees(home: Path) -> Path:
    """On a worker: where its trees lie, each in a folder; ``dags`` and ``plugins`` are links into one."""
    return home / "dag-trees"


def make_link(home: Path, kind: str = DAGS) -> None:
    """On a worker: have a folder of the home be a link from the start, to be switched in one step."""
    link = home / kind
    if link.is_symlink():
        return
    first = trees(home) / "first" / kind
    first.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    if link.is_dir():
        link.rename(first)
    first.mkdir(mode=0o750, exist_ok=True)
    switch(home, first, kind)


def switch(home: Path, tree: Path, kind: str = DAGS) -> None:
    """Make ``dags`` or ``plugins`` lead to a folder of a tree, in one step."""
    fresh = home / f"{kind}.new"
    if fresh.is_symlink():
        fresh.unlink()
    fresh.symlink_to(tree.relative_to(home))
    fresh.replace(home / kind)


def old_trees(home: Path, kept: int = 2) -> List[Path]:
    """The trees that may go: all but those in use and the newest others (a task may still read there)."""
    used = [(home / kind).resolve() for kind in KINDS]
    in_use = {place for one in used for place in (one, *one.parents)}
    others = [path for path in trees(home).iterdir() if path.resolve() not in in_use]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return others[kept - 1 :]
