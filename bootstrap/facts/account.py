"""The account that asks, and the one that the service is to run as."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class User:
    """An account as it stands in passwd(5), with all its groups."""

    name: str
    uid: int
    gid: int
    groups: Tuple[int, ...] = ()
    home: str = ""
    shell: str = ""


@dataclass(frozen=True)
class Account:
    """`me` is the account that asks (its name is empty when passwd does not know it).

    `service` is the account named in the request, None when there is none of that name; `useradd` is the
    program that would make one, empty when there is none. `umask` as in ``0o022``, None when unknown.
    """

    me: User
    service: Optional[User] = None
    useradd: str = ""
    umask: Optional[int] = None


def collect(service: str = "") -> Account:
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
    return Account(me, found, maker, _umask())


def _user(entry: pwd.struct_passwd) -> User:
    groups = {entry.pw_gid, *(item.gr_gid for item in grp.getgrall() if entry.pw_name in item.gr_mem)}
    return User(
        entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)), entry.pw_dir, entry.pw_shell
    )


def _umask() -> Optional[int]:
    # Reading it with os.umask() would change it for the other threads for a moment.
    with contextlib.suppress(OSError):
        match = re.search(r"^Umask:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        if match:
            return int(match.group(1), 8)
    return None
