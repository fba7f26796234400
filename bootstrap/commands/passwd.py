"""``HOME/bin/airferry passwd``: a new password for one of Airflow's accounts."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import typer

from bootstrap import daily, handoff
from bootstrap.base import language, question, secret
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.base.secret import Secret
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.installed.options import InvalidOption
from bootstrap.upkeep import passwords
from bootstrap.upkeep.passwords import PasswordMissing


@dataclass(frozen=True)
class NewPassword:
    """The password of `user` was changed; `file` holds it, if one does. `proved`: a login was tried."""

    user: str
    file: Optional[str]
    proved: bool


def passwd(
    user: Optional[str] = typer.Argument(None, help="The account (default: the installation's admin)."),
    password_file: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="A file whose first line is the new password."
    ),
    generate: bool = typer.Option(
        False,
        "--generate",
        help="Generate one of 24 letters and digits, and write it to a file below secrets/.",
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[NewPassword]:
    """Give an account of Airflow's a new password, and prove it with a login. Asks for it on a terminal.

    The password of the installation's admin is also kept in secrets/admin-password, which airferry itself
    logs in with.
    """
    console = Console(quiet=json)
    if generate and password_file:
        raise InvalidOption("--generate and --password-file cannot be combined.", needed="one of them")
    # root reads the file while it still may: it can lie where the account cannot
    given = secret.generate() if generate else handoff.password(password_file)
    installation = daily.enter_as_account(home_of(home))
    name = user or installation.receipt.admin_user
    password = given or _asked(name)
    with console.step(f"Set the password of {name}") as step:
        changed = passwords.change(installation, name, password, keep=generate)
        step.outcome = "done, and the login works" if changed.proved else "done"

    def show(console: Console) -> None:
        if changed.file:
            console.print(f"It is in {changed.file}, which only {installation.receipt.account} can read.")
        if not changed.proved:
            start = f"{installation.home.bin}/airferry start"
            console.warning(f"The login could not be tried, because the web server does not run: {start}")

    return Result(NewPassword(name, str(changed.file) if changed.file else None, changed.proved), show)


def _asked(name: str) -> Secret:
    """Ask twice on the terminal; raises :class:`PasswordMissing`, ConfirmationMissing."""
    question.need_terminal("--password-file FILE, or --generate")
    say = language.current().text
    first = getpass.getpass(say(f"New password for {name}: "))
    if not first:
        raise PasswordMissing("No password was typed; nothing was changed.")
    if getpass.getpass(say("Repeat the password: ")) != first:
        raise PasswordMissing("The passwords do not match; nothing was changed.")
    return Secret(first)
