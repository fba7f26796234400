"""The account that everything runs as."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.access import service_user
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.account import User
from bootstrap.facts.host import Facts

ACCOUNT_OK = Entry("account-ok", OK, "The account can be used")
ACCOUNT_MADE = Entry(
    "account-made",
    NOTE,
    "The service account will be created",
    "PostgreSQL refuses to run as root, and Airflow does not need it.",
)
ACCOUNT_ROOT = Entry(
    "account-root", BLOCKER, "Everything would run as root", "PostgreSQL refuses to start as root."
)
ACCOUNT_NO_USERADD = Entry(
    "account-no-useradd",
    BLOCKER,
    "The service account cannot be created",
    "PostgreSQL refuses to run as root, and this host has neither useradd nor adduser.",
)
ACCOUNT_UNNAMED = Entry(
    "account-unnamed",
    BLOCKER,
    "This account has no name",
    "PostgreSQL looks its own account up in the password database and stops without an entry.",
)
UMASK_STRICT = Entry(
    "umask-strict", NOTE, "New files are private here", "airferry sets the modes that it needs itself."
)
ACCOUNT_EXPIRED = Entry(
    "account-expired",
    WARNING,
    "The service account is expired",
    "cron, su and a login shell refuse it; the components themselves are started without a login.",
)
ACCOUNT_LOCKED = Entry(
    "account-locked",
    NOTE,
    "The service account has no login",
    "This is normal: the commands in bin/ change to it when root runs them.",
)
ACCOUNT_REMOTE = Entry(
    "account-remote",
    NOTE,
    "The account comes from a directory service",
    "When the service does not answer, nothing can be started as this account.",
)
SUDO_MISSING = Entry(
    "sudo-missing",
    NOTE,
    "There is no sudo",
    "Commands marked 'as root' need an administrator with root's password.",
)

_RUN_AS = "Run the install as an ordinary account."
_NO_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether there is an ordinary account, or how it comes to be."""
    account = facts.account
    if account is None:
        return
    other, user = service_user(facts, needs.account)
    if user is not None and user.uid == 0:
        yield ACCOUNT_ROOT.found("root", needed="an ordinary account", remedy="Name one with --account.")
    elif user is not None and not user.name:
        yield ACCOUNT_UNNAMED.found(
            f"user id {user.uid} is not in the password database",
            needed="an account with an entry in /etc/passwd",
            remedy="Have the entry added, or use another account.",
            needs_root=True,
        )
    elif other and user is None and account.me.uid != 0:
        yield ACCOUNT_NO_USERADD.found(
            f"no account {needs.account}, and only root can make it",
            needed=f"an ordinary account {needs.account}",
            remedy=_RUN_AS,
        )
    elif other and user is None and not account.useradd:
        yield ACCOUNT_NO_USERADD.found(
            f"no account {needs.account}, no useradd, no adduser",
            needed=f"an ordinary account {needs.account}",
            remedy=f"{_RUN_AS} Or add {needs.account} to /etc/passwd and /etc/group by hand.",
            needs_root=True,
        )
    elif other and user is None:
        yield ACCOUNT_MADE.found(f"{account.useradd} will create {needs.account}")
    else:
        yield ACCOUNT_OK.found(f"{user.name if user else needs.account} runs everything")
    if user is not None and user.uid != 0 and user.name:
        yield from _login(user)
    if account.me.uid != 0 and not account.sudo:
        yield SUDO_MISSING.found("not in /usr/bin nor /usr/sbin")
    if account.umask is not None and account.umask & 0o055:
        yield UMASK_STRICT.found(f"umask {account.umask:04o}")


def _login(user: User) -> Iterator[Finding]:
    """What stands in the way of whoever wants to become that account."""
    if user.expired:
        yield ACCOUNT_EXPIRED.found(
            f"{user.name}: {user.expired}",
            needed="an account that is not expired",
            remedy="Extend it:",
            commands=(f"chage -E -1 -M -1 {user.name}",),
            needs_root=True,
        )
    states = ["no password"] if user.locked else []
    if user.shell.rpartition("/")[2] in _NO_SHELLS:
        states.append(f"shell {user.shell}")
    if states:
        yield ACCOUNT_LOCKED.found(f"{user.name}: {', '.join(states)}")
    if not user.local:
        yield ACCOUNT_REMOTE.found(f"{user.name} is not in /etc/passwd")
