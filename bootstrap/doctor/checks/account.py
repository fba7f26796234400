"""The account that everything runs as."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.access import service_user
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.account import User
from bootstrap.facts.host import Facts

_RUN_AS = "Run the install as an ordinary account."
_NO_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether there is an ordinary account, or how it comes to be."""
    account = facts.account
    if account is None:
        return
    other, user = service_user(facts, needs.account)
    if user is not None and user.uid == 0:
        yield Finding("account-root", BLOCKER, "root", "an ordinary account", "Name one with --account.")
    elif user is not None and not user.name:
        yield Finding(
            "account-unnamed", BLOCKER, f"user id {user.uid} is not in the password database",
            "an account with an entry in /etc/passwd", "Have the entry added, or use another account.",
            needs_root=True,
        )  # fmt: skip
    elif other and user is None and account.me.uid != 0:
        yield Finding(
            "account-no-useradd", BLOCKER, f"no account {needs.account}, and only root can make it",
            f"an ordinary account {needs.account}", _RUN_AS,
        )  # fmt: skip
    elif other and user is None and not account.useradd:
        yield Finding(
            "account-no-useradd", BLOCKER, f"no account {needs.account}, no useradd, no adduser",
            f"an ordinary account {needs.account}",
            f"{_RUN_AS} Or add {needs.account} to /etc/passwd and /etc/group by hand.", needs_root=True,
        )  # fmt: skip
    elif other and user is None:
        yield Finding("account-made", NOTE, f"{account.useradd} will make {needs.account}")
    else:
        yield Finding("account-ok", OK, f"{user.name if user else needs.account} runs everything")
    if user is not None and user.uid != 0 and user.name:
        yield from _login(user)
    if account.me.uid != 0 and not account.sudo:
        yield Finding("sudo-missing", NOTE, "not in /usr/bin nor /usr/sbin")
    if account.umask is not None and account.umask & 0o055:
        yield Finding("umask-strict", NOTE, f"umask {account.umask:04o}")


def _login(user: User) -> Iterator[Finding]:
    """What stands in the way of whoever wants to become that account."""
    if user.expired:
        yield Finding(
            "account-expired", WARNING, f"{user.name}: {user.expired}", "an account that is not expired",
            "Give it a longer life:", (f"chage -E -1 -M -1 {user.name}",), needs_root=True,
        )  # fmt: skip
    states = ["no password"] if user.locked else []
    if user.shell.rpartition("/")[2] in _NO_SHELLS:
        states.append(f"shell {user.shell}")
    if states:
        yield Finding("account-locked", NOTE, f"{user.name}: {', '.join(states)}")
    if not user.local:
        yield Finding("account-remote", NOTE, f"{user.name} is not in /etc/passwd")
