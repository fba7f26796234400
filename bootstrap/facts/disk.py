"""A folder that may not exist yet, and the filesystem that it is or would be on."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from bootstrap.base import adoption
from bootstrap.facts.access import Gate, gates

_ENTRIES = 40
# names that tell whose folder it is, wherever they stand in a long list
TELLING = ("airflow.cfg", "airflow.db", "journal.jsonl", "receipt.json", "releases")


@dataclass(frozen=True)
class DiskPlace:
    """What is at `path`, and room and rules there.

    `kind` is folder, file, other or empty when nothing is there; `base` is the nearest folder that exists,
    and everything below speaks of it. `free_bytes` and `free_inodes` are what an ordinary account may use;
    ``-1`` inodes means that the filesystem does not count them. `entries` are the first names in the folder,
    sorted. `writable` and `enterable` are for the account that asks. `problem` is set when the path cannot
    be looked at. `obstacles` is what keeps root from giving the folder to another account.
    """

    path: str
    kind: str
    base: str
    real: str
    filesystem: str
    mount: str
    free_bytes: int
    total_bytes: int
    free_inodes: int
    read_only: bool
    noexec: bool
    writable: bool
    mode: int
    uid: int
    gid: int
    gates: Tuple[Gate, ...] = ()
    entries: Tuple[str, ...] = ()
    problem: str = ""
    obstacles: Tuple[str, ...] = ()


def collect(path: str, *, entries: bool = False) -> DiskPlace:
    """Look at `path` without touching it: no file is made, not even for a moment.

    `entries` asks for the names in the folder as well.
    """
    absolute = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  (links stay as they are)
    kind = _kind(absolute)
    base, problem = _nearest(absolute)
    status, room = base.stat(), os.statvfs(base)
    real = os.path.realpath(base)
    filesystem, mount = _mount(real)
    return DiskPlace(
        path=str(absolute),
        kind=kind,
        base=str(base),
        real=real,
        filesystem=filesystem,
        mount=mount,
        free_bytes=room.f_bavail * room.f_frsize,
        total_bytes=room.f_blocks * room.f_frsize,
        free_inodes=room.f_favail if room.f_files else -1,
        read_only=bool(room.f_flag & os.ST_RDONLY),
        noexec=bool(room.f_flag & os.ST_NOEXEC),
        writable=os.access(base, os.W_OK | os.X_OK),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        gates=gates(str(base)),
        entries=_entries(absolute) if entries and kind == "folder" else (),
        problem=problem,
        obstacles=_obstacles(absolute) if entries and kind == "folder" and os.geteuid() == 0 else (),
    )


def _obstacles(path: Path) -> Tuple[str, ...]:
    try:
        return tuple(adoption.obstacles(path))
    except OSError as error:
        return (str(error),)


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError:
        return "other" if os.path.lexists(path) else ""  # a link that leads nowhere is in the way
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def _nearest(path: Path) -> Tuple[Path, str]:
    """The nearest folder that exists, and what stands between it and the path if that is not just nothing."""
    problem = ""
    for base in (path, *path.parents):
        try:
            if stat.S_ISDIR(base.stat().st_mode):
                return base, problem
            problem = f"{base} is not a folder"
        except (FileNotFoundError, NotADirectoryError):
            if os.path.lexists(base):
                problem = f"{base} is a broken link"
        except OSError as error:
            problem = str(error)
    return Path("/"), problem


def _entries(path: Path) -> Tuple[str, ...]:
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208  (one call, names only)
        return (*names[:_ENTRIES], *(name for name in names[_ENTRIES:] if name in TELLING))
    except OSError:
        return ()


def _mount(real: str) -> Tuple[str, str]:
    """Type and mount point of the filesystem that holds `real`, from /proc/self/mountinfo (proc(5))."""
    best = ("", "")
    try:
        lines = (
            Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        )
    except OSError:
        return best
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        # blanks in names stand as \040
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[1]):
            best = (after.split(" ")[0], point)
    return best
