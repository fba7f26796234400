"""A new password for one of Airflow's own accounts, proven by a login."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from bootstrap.airflow import config, health
from bootstrap.airflow.api import LoginFailed, RequestFailed
from bootstrap.airflow.command import unknown_login
from bootstrap.base import secret
from bootstrap.base.lock import held
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.state.journal import Journal
from wheelhouse.errors import AirferryError


class PasswordMissing(AirferryError):
    """No new password was given, or not the same one twice."""

    reference = "password-missing"
    exit_code = 92


@dataclass(frozen=True)
class Changed:
    """What became of it; `file` holds the password, if one does. `proved` is false when no server runs."""

    user: str
    file: Optional[Path]
    proved: bool


def change(installation: Installation, user: str, password: Secret, *, keep: bool) -> Changed:
    """Set the password of `user` and log in with it.

    That of the admin account is kept in its file; another's only with `keep`.

    Raises UnknownLogin, LoginFailed.
    """
    receipt, home = installation.receipt, installation.home
    with Journal(home.journal).recorded("passwd", user=user), held(home.lock):
        if receipt.auth == "simple":
            known = _simple_accounts(installation)
            if user not in known:
                raise unknown_login(user, ", ".join(known))
        file = _file(home.secrets, user) if keep else None
        if user == receipt.admin_user:
            file = home.admin_password
        # a generated password that only Airflow knew would be lost with a kill right here
        waiting = file.with_name(file.name + ".changing") if file else None
        if waiting:
            secret.write(waiting, password)
        try:
            installation.airflow.set_password(user, password, receipt.auth)
        except BaseException:
            if waiting:
                waiting.unlink()
            raise
        if file and waiting:
            waiting.replace(file)
        return Changed(user, file, _proved(installation, user, password))


def _proved(installation: Installation, user: str, password: Secret) -> bool:
    try:
        health.login(installation.version, installation.web, user, password)
    except RequestFailed:
        return False
    except LoginFailed as error:
        # it is known there, and may not see the list of DAGs
        if not error.found.startswith("HTTP 403"):
            raise
    return True


def _simple_accounts(installation: Installation) -> List[str]:
    """The accounts in airflow.cfg: ``name:role`` and a comma between them."""
    text = config.read(installation.home.airflow_cfg)
    users = config.get(text, "core", "simple_auth_manager_users") or ""
    return [name for name in (item.partition(":")[0].strip() for item in users.split(",")) if name]


def _file(folder: Path, user: str) -> Path:
    return folder / f"password-of-{urllib.parse.quote(user, safe='@')}"
