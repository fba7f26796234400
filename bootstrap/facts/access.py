"""Who may reach a path: the folders on the way to it that are not open to everybody."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple


@dataclass(frozen=True)
class Gate:
    """A file or folder on the way to a path that others may not pass: its permission bits and owners.

    `acl` says that an access control list stands on it, which may let single accounts through.
    """

    path: str
    mode: int
    uid: int
    gid: int
    acl: bool = False


def gates(path: str) -> Tuple[Gate, ...]:
    """Everything from ``/`` to the real `path` that "others" may not enter (folders) or read (the end).

    A part that cannot be looked at is left out: the account that asks has no way past it either.
    """
    real = Path(os.path.realpath(path))
    found = []
    for part in (*reversed(real.parents), real):
        try:
            status = part.stat()
        except OSError:
            continue
        needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
        if not status.st_mode & needed:
            found.append(
                Gate(str(part), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, _has_acl(part))
            )
    return tuple(found)


def _has_acl(path: Path) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(str(path))
    except OSError:
        return False
