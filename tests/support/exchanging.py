"""What an account may try on what is root's: to write to it, to rename it away, to put its own beside it."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

# what of a home belongs to root, with all that is in it
CODE = ("bin", "etc", "releases", "python", "current", "doc", "receipt.json", "journal.jsonl")


def code(home: Path) -> Iterator[Path]:
    """Every file, folder and link of it."""
    for name in CODE:
        top = home / name
        if os.path.lexists(top):
            yield top
        if not top.is_symlink() and top.is_dir():
            yield from top.rglob("*")


def not_roots(home: Path) -> list[str]:
    """What of it is not root's, or may be written by others; the home itself is sticky."""
    found = []
    for path in code(home):
        status = path.lstat()
        if status.st_uid != 0 or (not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022):
            found.append(f"{path} {status.st_uid} {stat.S_IMODE(status.st_mode):o}")
    top = home.stat()
    if top.st_uid != 0 or not top.st_mode & stat.S_ISVTX:
        found.append(f"{home} {top.st_uid} {stat.S_IMODE(top.st_mode):o}")
    return found


def exchanged(home: Path, uid: int, gid: int, groups: Sequence[int] = ()) -> list[str]:
    """What an account with these numbers can do to the code and the records; all of it is undone again."""
    return json.loads(_as(uid, gid, groups, lambda: json.dumps(_tried(home))))  # type: ignore[no-any-return]


def _tried(home: Path) -> list[str]:
    found = [f"rename {home}"] if _works(lambda: _there_and_back(home)) else []
    for path in code(home):
        if _works(lambda path=path: _there_and_back(path)):  # type: ignore[misc]
            found.append(f"rename {path}")
        if path.is_symlink():
            continue
        if _works(lambda path=path: path.chmod(stat.S_IMODE(path.stat().st_mode))):  # type: ignore[misc]
            found.append(f"chmod {path}")
        if path.is_dir():
            if _works(lambda path=path: _plant(path / "planted.py")):  # type: ignore[misc]
                found.append(f"plant in {path}")
        elif _works(lambda path=path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND))):  # type: ignore[misc]
            found.append(f"write to {path}")
    return found


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _there_and_back(path: Path) -> None:
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    aside.rename(path)


def _plant(path: Path) -> None:
    path.write_text("")
    path.unlink()


def _as(uid: int, gid: int, groups: Sequence[int], what: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups(list(groups))
            os.setgid(gid)
            os.setuid(uid)
            text = what()
            with os.fdopen(writing, "w") as stream:
                stream.write(text)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said
