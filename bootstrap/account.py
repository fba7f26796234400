"""The account that everything runs as. PostgreSQL refuses root, and Airflow does not need it."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from bootstrap import process
from wheelhouse.errors import AirferryError

DEFAULT = "airflow"


class AccountError(AirferryError):
    """The service account cannot be made or used, or the wrong account runs the command."""

    reference = "account-error"
    exit_code = 36


@dataclass(frozen=True)
class Account:
    """A user of this host, as the password database has it."""

    name: str
    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        """Whether this process runs as it."""
        return os.geteuid() == self.uid


def current() -> Account:
    """The account that runs this process; a user id without a name is named by its number."""
    uid = os.geteuid()
    try:
        return Account(pwd.getpwuid(uid).pw_name, uid, os.getegid())
    except KeyError:
        return Account(str(uid), uid, os.getegid())


def find(name: str) -> Optional[Account]:
    """Look up an account by name; None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def ensure(name: str, home: Path, log: Optional[Path] = None) -> Account:
    """Make a system account of its own group, without a login or a home of its own, unless it is there.

    Raises :class:`AccountError` when this host has no program for it.
    """
    found = find(name)
    if found:
        return found
    if shutil.which("useradd"):
        process.run(
            [
                "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home,
                "--shell", shutil.which("nologin") or "/sbin/nologin", name,
            ],
            what=f"make the account {name}", log=log, hint=f"Make the account {name} by hand and run again.",
        )  # fmt: skip
    elif shutil.which("adduser"):
        process.run(
            ["adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", name],
            what=f"make the account {name}", log=log,
        )  # fmt: skip
    made = find(name)
    if made is None:
        raise AccountError(
            f"There is no account {name}, and this host has neither useradd nor adduser to make it.",
            needed=f"an ordinary account {name}",
            hint=f"Add {name} to /etc/passwd and /etc/group, or run the install as an ordinary user.",
        )
    return made


def become(account: Account) -> None:
    """Give up root for `account` in this process, for good."""
    os.setgroups([account.gid])
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.environ.update({"USER": account.name, "LOGNAME": account.name})


def run_as(account: Account, path: Path) -> None:
    """Continue as the owner of an installation: nothing to do, drop root, or refuse.

    Raises :class:`AccountError` when this is neither that account nor root.
    """
    if account.is_current:
        return
    if os.geteuid() != 0:
        raise AccountError(
            f"The installation in {path} belongs to the account {account.name}.",
            found=f"this command runs as {current().name}",
            hint=f"Run it as {account.name} or as root.",
        )
    become(account)
    os.environ["HOME"] = str(path)
