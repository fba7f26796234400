"""``HOME/bin/airferry site ldap``: logins from a directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import typer

from bootstrap import handoff
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.change import directory as change
from bootstrap.change import site
from bootstrap.change.site import SiteChange
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.commands.site_results import entered
from bootstrap.installed import directory as installed
from bootstrap.installed.directory import Look, Person
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.site.directory import KINDS, ROLES, DirectoryAsked

_GROUP = "Who may do what (the whole name, DN, of a group; groups in it count)"


@dataclass(frozen=True)
class DirectoryLogins:
    """Logins from a directory: `url` is empty where they are off.

    `changed` says that they were set now, `proved` that Airflow's own admin has logged in since; nothing is
    proven where Airflow does not run. `groups` have the number of their members, `people` were looked up.
    """

    url: str
    changed: bool
    proved: bool
    groups: Dict[str, int]
    people: Tuple[Person, ...]
    notes: Tuple[str, ...]


def ldap(
    url: Optional[str] = typer.Option(None, help="ldaps://HOST, or ldap://HOST with --start-tls."),
    kind: Optional[str] = typer.Option(
        None,
        "--type",
        metavar="KIND",
        help="ad (Active Directory) or ldap (default: what the directory says of itself).",
    ),
    base: Optional[str] = typer.Option(None, help="Where people and groups are: dc=corp,dc=example"),
    bind_user: Optional[str] = typer.Option(
        None, help="The account that looks people up: a DN, in Active Directory also name@domain."
    ),
    bind_password_file: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="A file whose first line is its password."
    ),
    group_admin: Optional[List[str]] = typer.Option(None, metavar="DN", rich_help_panel=_GROUP),
    group_op: Optional[List[str]] = typer.Option(None, metavar="DN", rich_help_panel=_GROUP),
    group_user: Optional[List[str]] = typer.Option(None, metavar="DN", rich_help_panel=_GROUP),
    group_viewer: Optional[List[str]] = typer.Option(None, metavar="DN", rich_help_panel=_GROUP),
    others: Optional[str] = typer.Option(
        None, metavar="ROLE", help="The role of everybody else (default: Public, which may do nothing)."
    ),
    uid: Optional[str] = typer.Option(
        None, help="The attribute with the name (default: sAMAccountName in Active Directory, else uid)."
    ),
    search_filter: Optional[str] = typer.Option(
        None, "--filter", help="What else must be true of a person: (objectClass=person)"
    ),
    start_tls: Optional[bool] = typer.Option(None, "--start-tls/--no-start-tls", help="Encrypt ldap://."),
    ca_file: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="The certificate of the directory's authority, in PEM."
    ),
    look_up: Optional[List[str]] = typer.Option(
        None, "--look-up", metavar="NAME", help="Show what NAME would be, repeatable."
    ),
    off: bool = typer.Option(False, "--off", help="Have Airflow's own accounts log in again."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[DirectoryLogins]:
    """Take logins from a directory (LDAP, Active Directory); without options, show what is set and try it.

    Nothing is written before the directory has answered. Airflow's own admin stays the way in when the
    directory is away. Everything else in webserver_config.py stays.
    """
    groups = {"Admin": group_admin, "Op": group_op, "User": group_user, "Viewer": group_viewer}
    if others is not None and others not in ROLES:
        raise InvalidOption(f"--others {others} is no role.", needed=" or ".join(ROLES))
    if kind is not None and kind not in KINDS:
        raise InvalidOption(f"--type {kind} is not known.", needed=" or ".join(KINDS))
    wanted = DirectoryAsked(
        url, base, bind_user, handoff.password(bind_password_file), uid, search_filter, start_tls,
        # root reads it while it still may
        ca_file.read_text(encoding="utf-8", errors="replace") if ca_file else None,
        tuple((role, dn) for role, names in groups.items() for dn in names or ()),
        others,
        kind,
    )  # fmt: skip
    console = Console(quiet=json)
    installation = entered(home_of(home))
    if off:
        if wanted != DirectoryAsked():
            raise InvalidOption("--off takes no other option.")
        made = site.change(installation, "ldap", change.off(installation), console, change.answers)
        return _result(installation, "", made, Look(), ())
    names = tuple(look_up or ())
    found = change.settled(installation, wanted)
    with console.step(f"Look at the directory {found.url}"):
        answer = change.seen(installation, found, wanted, names)
    if wanted == DirectoryAsked():
        return _result(installation, found.url, SiteChange(changed=False, proved=False), answer, ())
    found = change.fitted(found, answer)
    edit = change.edit(installation, found, wanted)
    made = site.change(installation, "ldap", edit, console, change.answers)
    return _result(installation, found.url, made, answer, change.notes(installation, found, answer))


def _result(
    installation: Installation, url: str, made: SiteChange, answer: Look, notes: Tuple[str, ...]
) -> Result[DirectoryLogins]:
    data = DirectoryLogins(url, made.changed, made.proved, answer.groups, answer.people, notes)

    def show(console: Console) -> None:
        if not url:
            console.print("Airflow's own accounts log in, and the directory is not asked.")
        else:
            console.print(f"Logins are looked up in {url}, which answers.")
        for dn, members in data.groups.items():
            console.print(f"{dn}: {members} {'member' if members == 1 else 'members'}")
        for person in data.people:
            console.print(shown(person))
        if made.changed and not made.proved:
            console.note("Airflow does not run: the new settings are not proven.")
            console.command(f"{installation.home.bin}/airferry start")
        for note in data.notes:
            console.note(note)

    return Result(data, show)


def shown(person: Person) -> str:
    """One line on a user who was looked up."""
    if not person.dn:
        return f"{person.name}: {person.entries or 'no'} such entries; exactly one can log in"
    return f"{person.name}: {person.dn}, as {', '.join(person.roles)}"


def row(installation: Installation) -> str:
    """The line of ``site``."""
    try:
        found = installed.settings(installation)
    except ValueError as error:
        return str(error)
    return f"{found.url}, {found.base}" if found else "off: Airflow's own accounts"
