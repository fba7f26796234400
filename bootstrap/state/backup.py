"""A backup: a private folder with the database and all that belongs to it; ``backup.json`` describes it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from bootstrap.state.receipt import Receipt
from wheelhouse import codec
from wheelhouse.errors import AirferryError

SCHEMA = 1
KEEP = 7

# Why a backup was made.
ASKED, UPGRADE, RESTORE, ROLLBACK = "asked", "upgrade", "restore", "rollback"

UNFINISHED = ".unfinished-"
DESCRIPTION = "backup.json"
DUMP = "database.dump"
DAGS = "dags.json"
DAGS_ARCHIVE = "dags.tar.gz"
STATE = "home"


class BackupNotFound(AirferryError):
    """There is no such backup."""

    reference = "backup-not-found"
    exit_code = 81


class BackupDamaged(AirferryError):
    """A backup is not what was written."""

    reference = "backup-damaged"
    exit_code = 82


@dataclass(frozen=True)
class Content:
    """One file of a backup: its path in the folder, bytes and sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Count:
    """How many rows a table held just before and just after the dump was made, the smaller one first."""

    table: str
    least: int
    most: int


@dataclass(frozen=True)
class Backup:
    """What ``backup.json`` says; it is written last. Times are RFC 3339 in UTC, sizes bytes.

    `id` is the folder's name, `revision` that of Airflow's schema, `reason` one of the constants above,
    `into` the bundle id that an upgrade or a rollback was about to go to.
    """

    schema: int
    id: str
    reason: str
    airferry: str
    airflow: str
    bundle_id: str
    bundle_file: str
    postgres: str
    home: str
    revision: str
    started: str
    finished: str
    database_size: int
    rows: Tuple[Count, ...]
    files: Tuple[Content, ...]
    into: str = ""

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(item.size for item in self.files)


@dataclass(frozen=True)
class SavedBackup:
    """A backup on disk."""

    path: Path
    backup: Backup

    @property
    def dump(self) -> Path:
        """The database, in pg_dump's custom format."""
        return self.path / DUMP

    @property
    def left_out(self) -> Tuple[str, ...]:
        """What lay below ``dags/`` and ``plugins/`` and could not be read, each with the reason."""
        return tuple(str(item) for item in self._code().get("left_out", ()))

    @property
    def archived(self) -> bool:
        """Whether those folders are in the backup; large ones are not, but for their checksums."""
        return bool(self._code().get("archived", True))

    def _code(self) -> Dict[str, Any]:
        # beside the description: an older airferry, after a rollback, reads no field that it does not know
        try:
            found = json.loads((self.path / DAGS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def state(self) -> Path:
        """Configuration, keys, receipt and commands, as they lie in the home."""
        return self.path / STATE


def load(folder: Path) -> SavedBackup:
    """Read a backup's description; raises :class:`BackupNotFound`, :class:`BackupDamaged`."""
    try:
        text = (folder / DESCRIPTION).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupNotFound(
            f"{folder} is not a finished backup.",
            found=f"no {DESCRIPTION} there",
            hint="List them: airferry backups",
        ) from error
    try:
        return SavedBackup(folder, codec.loads(Backup, text))
    except codec.Malformed as error:
        raise BackupDamaged(
            f"{folder / DESCRIPTION} cannot be read.",
            found="\n".join(error.problems[:5]),
            needed=f"a backup of schema {SCHEMA}",
            hint="It was damaged, or made by a newer airferry. Use another one: airferry backups",
        ) from error


def find_all(folder: Path) -> List[SavedBackup]:
    """Every finished backup in `folder` that can be read, oldest first."""
    found = []
    for path in folder.glob(f"*/{DESCRIPTION}"):
        if not path.parent.name.startswith("."):
            with contextlib.suppress(AirferryError, OSError):
                found.append(load(path.parent))
    return sorted(found, key=lambda place: (place.backup.started, place.path.name))


def named(folder: Path, name: str) -> SavedBackup:
    """The backup of that id in `folder`, or at that path; raises as :func:`load` does."""
    inside = folder / name
    return load(inside if "/" not in name and inside.exists() else Path(name).expanduser().absolute())


def of_last_upgrade(folder: Path, receipt: Receipt) -> Optional[SavedBackup]:
    """The backup that the upgrade to this receipt's bundle has made; None when there is none."""
    found = [
        place
        for place in find_all(folder)
        if receipt.previous
        and (place.backup.reason, place.backup.bundle_id, place.backup.into)
        == (UPGRADE, receipt.previous, receipt.bundle_id)
    ]
    return found[-1] if found else None


def rotate(folder: Path, keep: int, receipt: Receipt) -> List[str]:
    """Remove the oldest backups beyond `keep`; their ids. For what always stays see :func:`superfluous`."""
    doomed = superfluous(folder, keep, receipt)
    remove(doomed)
    return [place.backup.id for place in doomed]


def superfluous(folder: Path, keep: int, receipt: Receipt) -> List[SavedBackup]:
    """The oldest backups beyond `keep`, oldest first.

    The newest one, the newest that lacks nothing, and the one for a rollback are never among them.
    """
    found = find_all(folder)
    needed = of_last_upgrade(folder, receipt)
    whole = [place for place in found if not place.left_out][-1:]
    spared = {place.path for place in (*found[-max(1, keep) :], *whole, *([needed] if needed else []))}
    return [place for place in found if place.path not in spared]


def remove(doomed: Sequence[SavedBackup]) -> None:
    """Remove backups."""
    for place in doomed:
        # gone in one step: without its description a folder is no backup
        hidden = place.path.with_name(f"{UNFINISHED}{place.path.name}")
        place.path.replace(hidden)
        shutil.rmtree(str(hidden), ignore_errors=True)


def compare(place: SavedBackup) -> None:
    """Compare every file with its sha256; raises :class:`BackupDamaged`."""
    problems = []
    for item in place.backup.files:
        try:
            found = digest(place.path / item.path)
        except OSError as error:
            problems.append(f"{item.path}: {error.strerror}")
            continue
        if found != (item.size, item.sha256):
            problems.append(f"{item.path}: {found[0]} bytes, sha256 {found[1]}, not {item.sha256}")
    if problems:
        raise BackupDamaged(
            f"The backup {place.path} is damaged.",
            found="\n".join(problems[:5]),
            needed="every file as backup.json lists it",
            hint="Use another one: airferry backups",
        )


def digest(path: Path) -> Tuple[int, str]:
    """Bytes and sha256 of a file."""
    hasher, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(chunk)
            size += len(chunk)
    return size, hasher.hexdigest()


def counts(before: Dict[str, int], after: Dict[str, int]) -> Tuple[Count, ...]:
    """The range of every table's rows over a dump."""
    both: Sequence[str] = sorted(set(before) & set(after))
    return tuple(Count(name, *sorted((before[name], after[name]))) for name in both)
