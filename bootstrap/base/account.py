"""The account that everything runs as. PostgreSQL refuses root, and Airflow does not need it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from bootstrap.base import process
from wheelhouse.errors import AirferryError

DEFAULT = "airflow"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# In the environment of whatever root has given itself up for.
_CALLER = "AIRFERRY_CALLER"
# All that root leaves to the account: how to speak to a terminal. Not its PATH, its temporary folder, ...
_LEFT = (
    "TERM", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "COLUMNS", "LINES", "LD_LIBRARY_PATH",
    "LC_MESSAGES", "LANGUAGE", "AIRFERRY_LANG", "AIRFLOW_HOME", "AIRFERRY_HOME",
)  # fmt: skip


class AccountError(AirferryError):
    """The service account cannot be created or used, or the wrong account runs the command."""

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
    return Account(_name(uid), uid, os.getegid())


def foreign(home: Path) -> AccountError:
    """The error for a home that this account cannot look into."""
    with contextlib.suppress(OSError):
        return _belongs(home, _name(home.stat().st_uid))
    return _belongs(home, "another account")


def _belongs(home: Path, owner: str) -> AccountError:
    return AccountError(
        f"The installation in {home} belongs to {owner}; {current().name} cannot read it.",
        hint=f"Run the same command as {owner}, or as root: it goes on as {owner}.",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def caller() -> str:
    """Who asked for this, for the journal: the person behind root where the host knows, else this account."""
    named = os.environ.get(_CALLER) or os.environ.get("SUDO_USER")
    if named:
        return named
    with contextlib.suppress(OSError, ValueError, KeyError):
        # set at the login and kept by su (pam_loginuid(8)); 4294967295 where nobody logged in
        return pwd.getpwuid(int(Path("/proc/self/loginuid").read_text(encoding="ascii"))).pw_name
    return current().name


def find(name: str) -> Optional[Account]:
    """Look up an account by name; None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def is_known(uid: int) -> bool:
    """Whether an account of this host has that number."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def ensure(name: str, home: Path, log: Optional[Path] = None) -> Account:
    """Make a system account of its own group, without a login or a home of its own, unless it is there.

    Raises :class:`AccountError` when this host has no program for it.
    """
    found = find(name)
    if found:
        return found
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"{name!r} cannot be the name of an account that is made here.",
            needed="letters, digits, _, - and ., at most 32, a letter or _ first",
            hint="Name another with --account.",
        )
    what, hint = f"create the account {name}", f"Create the account {name} by hand and run the command again."
    shell = _program("nologin") or "/sbin/nologin"
    useradd, addgroup, adduser = (_program(command) for command in ("useradd", "addgroup", "adduser"))
    if useradd:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", str(home), "--shell", shell]
        process.run([useradd, *options, "--", name], what=what, log=log, hint=hint)
    elif addgroup and adduser:  # busybox
        # the group may be left of an earlier try
        process.run([addgroup, "-S", "--", name], what=what, log=log, hint=hint, ok=(0, 1))
        options = ["-S", "-D", "-H", "-G", name, "-h", str(home), "-s", shell]
        process.run([adduser, *options, "--", name], what=what, log=log, hint=hint)
    made = find(name)
    if made is None:
        raise AccountError(
            f"There is no account {name}, and this host has neither useradd nor adduser to make it.",
            needed=f"an ordinary account {name}",
            hint=f"Add {name} to /etc/passwd and /etc/group, or run the install as an ordinary user.",
        )
    return made


def _program(name: str) -> Optional[str]:
    # su without a dash leaves root with the PATH of an ordinary user
    return shutil.which(
        name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    )


def leave_environment() -> None:
    """Keep nothing of root's environment but how to speak to a terminal, and who asked for this."""
    kept = {name: os.environ[name] for name in _LEFT if name in os.environ}
    asked_by = caller()
    os.environ.clear()
    os.environ.update({**kept, _CALLER: asked_by, "PATH": SYSTEM_PATH})


def become(account: Account) -> None:
    """Give up root for `account`, its groups and an environment of its own in this process, for good."""
    _leave_terminal()
    leave_environment()
    os.initgroups(account.name, account.gid)
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.environ.update({"USER": account.name, "LOGNAME": account.name})


def _leave_terminal() -> None:
    """Leave the session of root's terminal: its programs can type into root's shell (TIOCSTI, ioctl_tty(2)).

    A process that leads its group goes on in a new one, and this one ends as that one does.
    """
    try:
        os.setsid()
    except PermissionError:
        child = os.fork()
        if child:
            raise SystemExit(attend(child)) from None
        os.setsid()


def attend(child: int) -> int:
    """Wait for a process that has left our session, and return its exit status."""
    while True:
        try:
            _, status = os.waitpid(child, 0)
        except KeyboardInterrupt as interrupted:
            interrupt(child, interrupted)
        else:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def interrupt(child: int, interrupted: KeyboardInterrupt) -> None:
    """Pass on Ctrl-C, which the terminal no longer sends to it, or the end that was asked of this process."""
    if type(interrupted) is KeyboardInterrupt:
        with contextlib.suppress(ProcessLookupError):  # it has not left yet, and got the same
            os.killpg(child, signal.SIGINT)
    else:  # bootstrap.base.boundary.Terminated
        os.kill(child, signal.SIGTERM)


def look_as_owner(path: Path, look: Callable[[], str], seconds: int = 120) -> Optional[str]:
    """As root, what `look` finds as the owner of `path`: see :func:`look_as`."""
    owner = path.lstat()
    return look_as(Account("", owner.st_uid, owner.st_gid), look, seconds)


def look_as(account: Account, look: Callable[[], str], seconds: int = 120) -> Optional[str]:
    """As root, what `look` finds as that account, in a process of its own; None when it fails.

    What it looks at may name programs, links and pipes: whoever put them there gets no more than it has. An
    account without a name is in no group but its own.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            signal.alarm(seconds)  # a pipe may hold it for ever
            drop(account)
            with os.fdopen(writing, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(look())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        found = stream.read(_LARGEST_LOOK)
    _, ended = os.waitpid(child, 0)
    return found if ended == 0 else None


_LARGEST_LOOK = 16 << 20


def drop(account: Account) -> None:
    """In a process of its own: go on with that account's rights alone, for good.

    An account without a name is in no group but its own.
    """
    if account.name:
        os.initgroups(account.name, account.gid)
    else:
        os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.environ["PATH"] = SYSTEM_PATH


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
