"""DAG files: what Airflow knows of them, what is wrong with them, and new ones brought in."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from bootstrap.airflow import metadata
from bootstrap.airflow.differences import DAG_SCAN
from bootstrap.base import smallfile
from bootstrap.installed.carried import EXAMPLES
from bootstrap.installed.dagimports import CheckedDags, DagProblem, imported, problem_of
from bootstrap.installed.folders import walk
from bootstrap.installed.installation import Installation
from bootstrap.state.journal import Journal
from wheelhouse.errors import AirferryError

_DAG_FILES = (".py", ".zip")
_TEMPLATE = "airferry_scripts.py"
_DAG_ID = 'DAG_ID = "airferry_scripts"'
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class DagsBroken(AirferryError):
    """DAG files that Airflow cannot import or read; ``found`` names each with its line."""

    reference = "dags-broken"
    exit_code = 97


class DagRefused(AirferryError):
    """A file that cannot be brought in as a DAG, or not under this name."""

    reference = "dag-refused"
    exit_code = 2


@dataclass(frozen=True)
class Incoming:
    """A file to bring in: its name, and what is in it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class KnownDag:
    """A DAG as Airflow has it: `file` is its path; a paused one does not start by itself."""

    dag_id: str
    paused: bool
    file: str


@dataclass(frozen=True)
class DagFiles:
    """The DAGs that Airflow knows, what it could not import, and files that it has not read yet."""

    dags: Tuple[KnownDag, ...]
    problems: Tuple[DagProblem, ...]
    unread: Tuple[str, ...]


@dataclass(frozen=True)
class AddedDags:
    """The `files` that were written and the DAGs in them, which Airflow shows within so many `seconds`."""

    files: Tuple[str, ...]
    dags: Tuple[str, ...]
    seconds: int


def known(installation: Installation) -> DagFiles:
    """What the metadata database says; raises DatabaseUnavailable."""
    query = installation.database.query
    # from 3.1 on a DAG that is gone is stale, before it was not active
    alive = "COALESCE((to_jsonb(d)->>'is_active')::bool, NOT (to_jsonb(d)->>'is_stale')::bool, true)"
    rows = query(
        f"SELECT dag_id, is_paused, fileloc FROM dag d WHERE {alive} ORDER BY dag_id"  # noqa: S608  (ours)
    )
    parts = [row.split("\t") for row in rows.splitlines() if row]
    dags = tuple(KnownDag(name, paused == "t", file) for name, paused, file in parts)
    folder = installation.folders.pipelines
    errors = {str(folder / name): text for name, text in metadata.import_errors(query).items()}
    read = {dag.file for dag in dags} | set(errors)
    unread = [str(path) for path in _candidates(folder) if str(path) not in read]
    problems = tuple(problem_of(file, text) for file, text in sorted(errors.items()))
    return DagFiles(dags, problems, tuple(unread))


def check(installation: Installation) -> CheckedDags:
    """Import every file of the DAG folder as Airflow does."""
    folder = installation.folders.pipelines
    closed = list(unreadable(folder, installation.receipt.account))
    found = imported(installation, folder)
    return CheckedDags(found.dags, (*closed, *found.problems))


def add(
    installation: Installation, files: Sequence[Incoming], *, name: str = "", replace: bool = False
) -> AddedDags:
    """Try files in a folder of their own, then put them into the DAG folder, readable by the account.

    Shell scripts become one DAG of that `name`, which runs them in this order. Raises :class:`DagsBroken`
    and :class:`DagRefused`; then nothing was written.
    """
    home, folder = installation.home, installation.folders.pipelines
    with tempfile.TemporaryDirectory(prefix="dags-", dir=str(home.run)) as scratch:
        place = Path(scratch)
        written = _laid_out(installation, files, place, name)
        taken = [path for path in written if (folder / path).exists() and not replace]
        if taken:
            raise DagRefused(
                f"{folder / taken[0]} is there already; nothing was changed.",
                hint="--replace overwrites it; or give the file another name.",
            )
        found = imported(installation, place)
        if found.problems:
            told = [item.text.replace(f"{place}/", "") for item in found.problems]
            raise DagsBroken("Airflow cannot import this; nothing was changed.", found="\n".join(told))
        if not found.dags:
            raise DagRefused(
                "There is no DAG in this; nothing was changed.",
                hint="Airflow reads only files that contain the words 'airflow' and 'dag'.",
            )
        with Journal(home.journal).recorded("dags-add", files=[str(path) for path in written]):
            for path in written:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.new")
                shutil.copyfile(str(place / path), str(part))
                part.chmod(0o640)
                part.replace(target)
    return AddedDags(tuple(str(folder / path) for path in written), found.dags, _seconds(installation))


def _laid_out(installation: Installation, files: Sequence[Incoming], place: Path, name: str) -> List[Path]:
    """Write the files below `place` as they will lie in the DAG folder; their paths from there, DAGs last."""
    scripts = [item for item in files if not item.name.endswith(_DAG_FILES)]
    written = []
    for item in files:
        if item not in scripts:
            (place / item.name).write_bytes(item.content)
            written.append(Path(item.name))
    if not scripts:
        return written
    if not _NAME.fullmatch(name) or (place / name).exists():
        raise DagRefused(
            "Shell scripts become a DAG, which needs a name.",
            found=", ".join(item.name for item in scripts),
            needed="--name NAME, of letters, digits, _, . and -",
        )
    template = installation.folders.pipelines / EXAMPLES / _TEMPLATE
    text = template.read_text(encoding="utf-8") if template.is_file() else ""
    if _DAG_ID not in text:
        raise DagRefused(
            f"{template} is not there as it was installed: the DAG would be made from it.",
            hint="Move it away and run the install again: it writes the file anew.",
        )
    own = Path(name)
    (place / own / "scripts").mkdir(parents=True)
    rows, before = ["name,script,after"], ""
    for item in scripts:
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", item.name.rsplit(".", 1)[0]) or "script"
        if f"{label}," in [row.split(",")[0] + "," for row in rows]:
            raise DagRefused(f"Two scripts would have the name {label}.", needed="names that differ")
        (place / own / "scripts" / item.name).write_bytes(item.content)
        written.append(own / "scripts" / item.name)
        rows.append(f'{label},"scripts/{item.name}",{before}')
        before = label
    smallfile.write(place / own / "scripts.csv", "\n".join(rows) + "\n")
    smallfile.write(place / own / f"{name}.py", text.replace(_DAG_ID, f'DAG_ID = "{name}"'))
    return [*written, own / "scripts.csv", own / f"{name}.py"]


def _candidates(folder: Path) -> Iterator[Path]:
    """The files that Airflow would read: Python with both of the words that it looks for."""
    for path in (item for item in walk(folder) if item.suffix == ".py"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().lower()
            if b"dag" in text and b"airflow" in text:
                yield path


def unreadable(folder: Path, account: str) -> Iterator[DagProblem]:
    """The DAG files, and folders of them, that this process, which is the account's, cannot read."""
    closed: List[Path] = []
    for path in walk(folder, lambda error: closed.append(Path(error.filename))):
        if path.suffix in _DAG_FILES and not os.access(str(path), os.R_OK):
            closed.append(path)
    for path in sorted(closed):
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            try:
                owner = pwd.getpwuid(found.st_uid).pw_name
            except KeyError:
                owner = str(found.st_uid)
            mode = f"{found.st_mode & 0o7777:04o}"
            yield DagProblem(str(path), 0, f"{account} cannot read it (owner {owner}, mode {mode})")


def _seconds(installation: Installation) -> int:
    with contextlib.suppress(ValueError):
        return int(float(installation.folders.value(DAG_SCAN) or 300))
    return 300
