"""What root may run: only a program that nobody but root can exchange, whatever leads to it."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

# as the kernel (path_resolution(7))
_LINKS = 40
# what an interpreter reads beside itself, before any code of ours
_BESIDE = ("pyvenv.cfg", "lib", "lib64")


def stranger(path: str) -> str:
    """Who but root could put another file there: the first part on the way that is not root's; or empty.

    Every folder and every link that leads to `path` counts. A folder with the sticky bit (``/tmp``) keeps
    what is root's in it.
    """
    left, at, links = Path(os.path.normpath(Path.cwd() / path)).parts[1:], Path("/"), 0
    found = _not_roots(at)
    while left and not found:
        at, left = at / left[0], left[1:]
        found = _not_roots(at)
        if not found and at.is_symlink():
            links += 1
            if links > _LINKS:
                return f"{path} is a chain of links without an end"
            target = Path(os.path.normpath(str(at.parent / os.readlink(str(at)))))
            at, left = Path("/"), (*target.parts[1:], *left)
    return found


def untrusted(program: str) -> str:
    """Why root does not run this program; empty when it may, or when this process is not root's."""
    if os.geteuid() != 0:
        return ""
    parts = [program]
    if Path(program).name.startswith("python"):
        prefix = Path(os.path.realpath(program)).parent.parent
        parts += [str(prefix / name) for name in _BESIDE]
        parts += [str(path) for path in sorted((prefix / "lib").glob("python3*"))]
    for part in parts:
        found = stranger(part)
        if found:
            return f"{found}: root runs only what nobody else can exchange"
    return ""


def _not_roots(part: Path) -> str:
    try:
        status = part.lstat()
    except OSError:
        return ""  # what is not there runs nothing
    if status.st_uid != 0:
        return f"{part} belongs to {_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return ""
    if status.st_mode & stat.S_IWOTH:
        return f"everybody can write to {part}"
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0:
        return f"the group {status.st_gid} can write to {part}"
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
