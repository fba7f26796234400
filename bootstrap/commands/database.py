"""Options for an external PostgreSQL server, and the question for its password."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path
from typing import Optional, Tuple

import typer

from bootstrap.base import language, question
from bootstrap.base.secret import Secret
from bootstrap.commands.shared import DATABASE
from bootstrap.facts.server import Passwords
from bootstrap.installed import external
from bootstrap.installed.external import DatabaseChoice
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.postgres import connection
from bootstrap.state import receipt

POSTGRES = typer.Option(
    None,
    metavar="WHOSE",
    help="carried (default), host (the distribution's programs), or postgresql://ROLE@HOST/DATABASE.",
    rich_help_panel=DATABASE,
)
PASSWORD_FILE = typer.Option(
    None,
    "--postgres-password-file",
    exists=True,
    dir_okay=False,
    help="A file whose first line is that role's password (default: ~/.pgpass, or asked for).",
    rich_help_panel=DATABASE,
)
ADMIN_USER = typer.Option(
    None,
    "--postgres-admin-user",
    help="A role of that server that creates role and database.",
    rich_help_panel=DATABASE,
)
ADMIN_PASSWORD_FILE = typer.Option(
    None,
    "--postgres-admin-password-file",
    exists=True,
    dir_okay=False,
    help="A file whose first line is its password, which is not stored.",
    rich_help_panel=DATABASE,
)
ADOPT = typer.Option(
    False,
    "--adopt-database",
    help="Take over existing Airflow tables in the database.",
    rich_help_panel=DATABASE,
)


def whose(
    text: Optional[str],
    password_file: Optional[Path] = None,
    admin: Optional[str] = None,
    admin_password_file: Optional[Path] = None,
    *,
    adopt: bool = False,
) -> Tuple[str, Optional[DatabaseChoice]]:
    """What ``--postgres`` and its companions say: carried, host or "" (not given), or an external server.

    Raises DatabaseUrlInvalid, :class:`InvalidOption`.
    """
    if text and "://" in text:
        found = connection.parse(text, home=Path.home())
        passwords = Passwords(*(_first_line(path) for path in (password_file, admin_password_file)))
        return "", DatabaseChoice(found, admin or "", adopt, passwords)
    if text not in (None, "carried", "host"):
        raise InvalidOption(
            f"--postgres {text} is not valid.",
            needed="--postgres carried or host, or postgresql://ROLE@HOST:5432/DATABASE",
        )
    if password_file or admin or admin_password_file or adopt:
        raise InvalidOption(
            "Options for a database server were given without a server.",
            needed="--postgres postgresql://ROLE@HOST:5432/DATABASE beside them",
        )
    return text or "", None


def with_passwords(options: Options, *, ask: bool) -> Options:
    """The options with every password that can be found; on a terminal, a missing one is asked for."""
    choice = options.external
    if choice is None:
        return options
    known = external.passwords(choice, options.home, receipt.find(options.home.receipt))
    role, admin = known.role, known.admin
    terminal = ask and question.terminal()
    if terminal and choice.admin and admin is None:
        admin = _asked(choice.admin, choice)
    if terminal and not choice.admin and role is None:
        role = _asked(choice.connection.user, choice)
    return replace(options, external=replace(choice, passwords=replace(known, role=role, admin=admin)))


def _asked(user: str, choice: DatabaseChoice) -> Optional[Secret]:
    asking = f"Password of {user} at {choice.connection.address} (empty: none): "
    typed = getpass.getpass(language.current().text(asking))
    return Secret(typed) if typed else None


def _first_line(path: Optional[Path]) -> Optional[Secret]:
    from bootstrap import handoff  # noqa: PLC0415  (doctor compiles what it imports)

    return handoff.first_line(path) if path else None
