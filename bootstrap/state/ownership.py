"""Whose a home is, where root has made it: code and records are root's, the data is the account's.

The home itself is root's and sticky, and the account alone may make files in it beside root: Airflow and its
tasks keep some there. Nobody but root can replace, rename or remove what is root's. A home that an earlier
airferry has made belongs to the account as a whole, and its processes may run while root takes it over: a
folder is opened without following a link, made root's by its descriptor, and only then looked into.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import stat
import time
from pathlib import Path
from typing import Optional

from bootstrap.base import acl, adoption, manual, smallfile, trust
from bootstrap.base.account import Account, AccountError
from bootstrap.state.home import Home

# What root makes in a home before the account gets to it.
FOLDERS = ("bin", "etc", "releases", "python")
OWN_ENVIRONMENT = "etc/local.env"
_LARGEST = 256 << 20
_TARGET = r"releases/[A-Za-z0-9][^/]*"
_DOOMED = ".removed-"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make(home: Home, account: Account) -> None:
    """As root, make the folder of a home; raises AccountError for one that is not this account's to have."""
    for folder in (*reversed(home.path.parents), home.path):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)  # whatever root's umask is: the account must get through
    owner = home.path.stat().st_uid
    if owner == 0:
        with contextlib.suppress(FileNotFoundError):
            owner = home.owner_of_data()
    theirs = {entry.name for entry in home.path.iterdir()} - {*FOLDERS, home.lock.name, ".handoff"}
    known = owner == 0 and home.receipt.exists() and home.receipt.lstat().st_uid == 0
    if owner == account.uid or known:
        return
    found = adoption.obstacles(home.path) if theirs else []
    if found:
        raise AccountError(
            f"{home.path} is not empty and does not belong to {account.name}.",
            found="\n".join(found),
            needed=f"a folder of {account.name}'s, or one of root's with root's own airflow.cfg,"
            " webserver_config.py, dags, plugins and config",
            hint="Choose another folder with --home, or change its owner first: chown -R"
            f" {account.name} {shlex.quote(str(home.path))}",
        )
    adoption.give(home.path, account)


def check_place(home: Home) -> None:
    """Refuse a new home in a folder where others could exchange it as a whole."""
    if home.receipt.exists():
        return
    found = trust.stranger(str(home.path.parent))
    if found:
        raise AccountError(
            f"Others than root could exchange {home.path}, and root runs commands in it.",
            found=found,
            needed="a folder that is root's, and so are those above it",
            hint="Choose another folder with --home, such as /opt/airflow.",
        )


def claim(home: Home, account: Account) -> None:
    """As root, make the home, its folders of code and its records root's; nothing in them gets lost.

    What is the account's in these folders stays as it is, and is replaced before root uses it; its commands
    stay until :func:`clear_commands`. Done again it changes nothing. Raises AccountError.
    """
    top = os.open(str(home.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        acl.share(top, 0o1755, account, acl.ALL)
    finally:
        os.close(top)
    for name in FOLDERS:
        own_folder(home.path / name)
    for folder in (home.path / "releases", home.pythons):
        for path in folder.iterdir():  # a release is a folder; a link of the account's leads to others' files
            if path.is_symlink() and path.lstat().st_uid != 0:
                remove(path)
    for path in (home.receipt, home.journal, *home.etc.iterdir()):
        _own_file(home, path, account)
    if not home.current_link.is_symlink():
        remove(home.current_link)
    _own_link(home.current_link, _TARGET)
    _own_link(home.manual, f"current/runtime/{manual.FOLDER}")


def clear_commands(home: Home, account: Account) -> None:
    """Leave nothing of the account's in ``bin/``: what root has not replaced by now goes."""
    for path in home.bin.iterdir():
        if path.lstat().st_uid != 0:
            _clear(home, path, account)


def own_folder(path: Path) -> None:
    """Make a folder root's, and nobody else's to write in; made when it is not there."""
    while True:
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) and found.st_uid == 0:
            path = Path(os.path.realpath(path))  # root has put it elsewhere
            continue
        try:
            folder = os.open(str(path), _READ | os.O_DIRECTORY)
        except OSError as error:
            raise AccountError(
                f"{path} is not a folder.",
                found="a link of the account's" if stat.S_ISLNK(found.st_mode) else error.strerror or "",
                needed="a folder",
                hint=f"If the link is meant: chown -h root {path}. Otherwise move it away.",
            ) from error
        try:
            os.fchown(folder, 0, 0)
            os.fchmod(folder, 0o755)
            # the account may have had another one there meanwhile; from now on it cannot
            if os.path.samestat(os.fstat(folder), path.lstat()):
                return
        finally:
            os.close(folder)


def put(home: Home, path: Path, text: str, account: Account, mode: int = 0o640) -> None:
    """As root, replace a file by text in UTF-8; the account's group may read as `mode` says."""
    _write(home, path, text.encode("utf-8", "backslashreplace"), account, mode)


def remove(path: Path) -> None:
    """Take something of the account's away, whatever it is."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return
    target = path.with_name(f"{_DOOMED}{path.name}-{time.time_ns()}")
    path.replace(target)
    shutil.rmtree(str(target), ignore_errors=True)


def share_environment(home: Home, account: Account, text: str) -> None:
    """See that the admin's own variables are there, for root to write and for the account alone to read."""
    path = home.path / OWN_ENVIRONMENT
    if not path.exists():
        _write(home, path, text.encode(), account, 0o600)
    descriptor = os.open(str(path), _READ)
    try:
        acl.share(descriptor, 0o600, account, acl.READ)
    finally:
        os.close(descriptor)


def _own_file(home: Home, path: Path, account: Account) -> None:
    """Put a copy of root's in the place of a file of the account's."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if found.st_uid == 0 and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return
    content: Optional[bytes] = None
    with contextlib.suppress(OSError):
        content = smallfile.read(path, account.uid, largest=_LARGEST)
    if content is None and path.parent == home.etc and stat.S_ISDIR(found.st_mode):
        return  # an admin's own; nothing of ours is in one
    if content is None:
        remove(path)
    else:
        private = path.name == Path(OWN_ENVIRONMENT).name
        # an admin's hook stays a program
        _write(home, path, content, account, 0o600 if private else 0o640 | found.st_mode & 0o110)
        if private:
            share_environment(home, account, "")


def _clear(home: Home, path: Path, account: Account) -> None:
    """Take something of the account's out of ``bin/``: what is not ours is kept beside, and stays its own."""
    if path.name in ("airferry", "airflow"):
        remove(path)
        return
    aside = home.path / "bin.old"
    own_folder(aside)
    path.replace(aside / path.name)
    os.chown(str(aside), account.uid, account.gid, follow_symlinks=False)


def _own_link(link: Path, target: str) -> None:
    """Make a link root's, where it leads to what `target` matches; one of the account's to elsewhere goes."""
    if not link.is_symlink() or link.lstat().st_uid == 0:
        return
    os.chown(str(link), 0, 0, follow_symlinks=False)
    if not re.fullmatch(target, os.readlink(str(link))):
        remove(link)


def _write(home: Home, path: Path, content: bytes, account: Account, mode: int) -> None:
    # in a folder of root's: in the home the account could have something of that name
    temporary = home.etc / f".{path.name}.new"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchown(stream.fileno(), 0, account.gid)
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    temporary.replace(path)
