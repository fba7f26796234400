"""A home that root has prepared: what lies there is given to the account, where it can only be root's own.

An admin copies an airflow.cfg, a webserver_config.py or DAG files into the new home before the install. Only
plain files and folders of root's in a folder that nobody else can write to are taken: no link is followed,
and a file with a second name may be any file of the host.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Iterator, List

from bootstrap.base.account import Account

FILES = ("airflow.cfg", "webserver_config.py")
FOLDERS = ("dags", "plugins", "config", "logs")
# What a home may hold beside them, which stays root's.
_LEFT = ("lost+found",)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def obstacles(home: Path) -> List[str]:
    """What keeps a home of root's from being given away, each with the reason; at most a few.

    Hidden files stay root's, and are in nobody's way. Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        receipt = (home / "receipt.json").lstat()
        if receipt.st_uid == 0 and stat.S_ISREG(receipt.st_mode):
            return []  # an install by root has made it
    found: List[str] = []
    entries = [item for item in sorted(home.iterdir()) if item.name[0] != "." and item.name not in _LEFT]
    place = home.stat()
    if not entries:
        return []
    if place.st_uid != 0:
        return [f"{home} (owner {place.st_uid})"]
    if place.st_mode & _OTHERS_WRITE:
        return [f"{home} (mode {stat.S_IMODE(place.st_mode):04o}: others may have put files there)"]
    for entry in entries:
        if entry.name in FILES:
            found += _problem(entry, entry.lstat(), folder=False)
        elif entry.name in FOLDERS:
            found += _problem(entry, entry.lstat(), folder=True) or list(_below(entry))
        else:
            found.append(f"{entry} (not an airflow.cfg, DAG files or the like)")
    return found[:_SHOWN]


_SHOWN = 6


def give(home: Path, account: Account) -> None:
    """Give a home without :func:`obstacles` and its contents to the account; the home itself comes last."""
    for name in (*FILES, *FOLDERS):
        with contextlib.suppress(FileNotFoundError):
            _hand_over(home / name, account)
    os.chown(str(home), account.uid, account.gid)


def _hand_over(path: Path, account: Account) -> None:
    descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            for _, _, files, folder in os.fwalk(".", dir_fd=descriptor, follow_symlinks=False):
                for name in files:
                    _give_file(name, folder, account)
                os.fchown(folder, account.uid, account.gid)
        elif not _problem(path, os.fstat(descriptor), folder=False):
            os.fchown(descriptor, account.uid, account.gid)
    finally:
        os.close(descriptor)


def _give_file(name: str, folder: int, account: Account) -> None:
    descriptor = -1
    with contextlib.suppress(OSError):  # a link stays root's
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if descriptor >= 0:
        try:
            if not _problem(Path(name), os.fstat(descriptor), folder=False):
                os.fchown(descriptor, account.uid, account.gid)
        finally:
            os.close(descriptor)


def _below(top: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(str(top), followlinks=False):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISLNK(status.st_mode):
                yield from _problem(path, status, folder=stat.S_ISDIR(status.st_mode))


def _problem(path: Path, status: os.stat_result, *, folder: bool) -> List[str]:
    if status.st_uid != 0:
        return [f"{path} (owner {status.st_uid})"]
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(status.st_mode):
        return [f"{path} (not a plain {'folder' if folder else 'file'})"]
    if folder and status.st_mode & _OTHERS_WRITE:
        return [f"{path} (mode {stat.S_IMODE(status.st_mode):04o}: others may have put files there)"]
    if not folder and status.st_nlink > 1:
        return [f"{path} (has another name on this host)"]
    return []
