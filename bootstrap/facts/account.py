"""The account that asks, and the one that the service is to run as."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class User:
    """An account as it stands in passwd(5), with all its groups.

    `local` says that it stands in /etc/passwd itself, and not in a directory of the network. `locked` is
    whether it has no password to log in with, `expired` why logins are refused (empty: they are not); both
    are None when this account may not look (shadow(5)).
    """

    name: str
    uid: int
    gid: int
    groups: Tuple[int, ...] = ()
    home: str = ""
    shell: str = ""
    local: bool = True
    locked: Optional[bool] = None
    expired: Optional[str] = None


@dataclass(frozen=True)
class AccountFacts:
    """`me` is the account that asks (its name is empty when passwd does not know it).

    `service` is the account named in the request, None when there is none of that name; `useradd` is the
    program that would make one, empty when there is none; `sudo` is that program's path. `umask` as in
    ``0o022``, None when unknown.
    """

    me: User
    service: Optional[User] = None
    useradd: str = ""
    umask: Optional[int] = None
    sudo: str = ""


def collect(service: str = "") -> AccountFacts:
    """Look the accounts up; `service` is the name of the account that would run Airflow, or empty."""
    uid = os.geteuid()
    try:
        me = _user(pwd.getpwuid(uid))
    except KeyError:
        me = User("", uid, os.getegid(), tuple(os.getgroups()), os.environ.get("HOME", ""))
    found = None
    if service:
        with contextlib.suppress(KeyError):
            found = _user(pwd.getpwnam(service))
    maker = next(
        (path for name in ("useradd", "adduser") if (path := shutil.which(name, path=SYSTEM_PATH))), ""
    )
    return AccountFacts(me, found, maker, _umask(), shutil.which("sudo", path=SYSTEM_PATH) or "")


def _user(entry: pwd.struct_passwd) -> User:
    groups = {entry.pw_gid, *(item.gr_gid for item in grp.getgrall() if entry.pw_name in item.gr_mem)}
    locked, expired = _shadow(entry.pw_name)
    return User(
        entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)), entry.pw_dir, entry.pw_shell,
        bool(_line("/etc/passwd", entry.pw_name)), locked, expired,
    )  # fmt: skip


def _line(path: str, name: str) -> List[str]:
    """The fields of an account's line in a file such as /etc/passwd; empty when there is none."""
    with Path(path).open(encoding="utf-8", errors="replace") as stream:
        lines = (line.rstrip("\n").split(":") for line in stream)
        return next((fields for fields in lines if fields[0] == name), [])


def _shadow(name: str) -> Tuple[Optional[bool], Optional[str]]:
    """Whether an account has no password, and why it is expired; no part of the password leaves here."""
    try:
        fields = _line("/etc/shadow", name)
        if len(fields) < 8:
            return None, None
        today = int(time.time() // 86400)
        _, password, changed, _, longest, _, _, end = fields[:8]
        expired = ""
        if end and int(end) < today:
            expired = f"the account expired on {_date(int(end))}"
        elif changed == "0":
            expired = "its password must be changed at the next login"
        elif changed and longest and int(changed) + int(longest) < today:
            expired = f"its password expired on {_date(int(changed) + int(longest))}"
        return password[:1] in ("!", "*"), expired
    except (OSError, ValueError):
        return None, None


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86400))


def _umask() -> Optional[int]:
    # Reading it with os.umask() would change it for the other threads for a moment.
    with contextlib.suppress(OSError):
        match = re.search(r"^Umask:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        if match:
            return int(match.group(1), 8)
    return None
