"""The options of an install that have logins taken from a directory; ``site ldap`` takes the same later."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

import typer

from bootstrap.airflow import login_modules
from bootstrap.installed.following import Following
from bootstrap.installed.options import InvalidOption
from bootstrap.site import directory
from bootstrap.site.directory import KINDS, ROLES, DirectoryAsked
from bootstrap.state.receipt import WORKER, Receipt
from wheelhouse.manifest import Manifest

PANEL = "Logins from a directory (--auth ldap)"
LDAP = "ldap"


def _group(role: str) -> Optional[List[str]]:
    found: Optional[List[str]] = typer.Option(
        None,
        f"--ldap-group-{role.lower()}",
        metavar="DN",
        help=f"A group whose members, those of groups in it too, have the role {role}; repeatable.",
        rich_help_panel=PANEL,
    )
    return found


URL = typer.Option(
    None, "--ldap-url", help="ldaps://HOST, or ldap://HOST with --ldap-start-tls.", rich_help_panel=PANEL
)
TYPE = typer.Option(
    None,
    "--ldap-type",
    metavar="KIND",
    help="ad (Active Directory) or ldap (default: what the directory says of itself).",
    rich_help_panel=PANEL,
)
BASE = typer.Option(
    None,
    "--ldap-base",
    metavar="DN",
    help="Where people and groups are: dc=corp,dc=example",
    rich_help_panel=PANEL,
)
BIND_USER = typer.Option(
    None,
    "--ldap-bind-user",
    metavar="DN",
    help="The account that looks people up; in Active Directory also name@domain.",
    rich_help_panel=PANEL,
)
BIND_PASSWORD_FILE = typer.Option(
    None,
    "--ldap-bind-password-file",
    exists=True,
    dir_okay=False,
    help="A file whose first line is its password.",
    rich_help_panel=PANEL,
)
GROUP_ADMIN, GROUP_OP, GROUP_USER, GROUP_VIEWER = map(_group, ("Admin", "Op", "User", "Viewer"))
OTHERS = typer.Option(
    None,
    "--ldap-others",
    metavar="ROLE",
    help="The role of everybody else (default: Public, which may do nothing).",
    rich_help_panel=PANEL,
)
UID = typer.Option(
    None,
    "--ldap-uid",
    metavar="ATTRIBUTE",
    help="The attribute with the name (default: sAMAccountName in Active Directory, else uid).",
    rich_help_panel=PANEL,
)
FILTER = typer.Option(
    None,
    "--ldap-filter",
    help="What else must be true of a person: (objectClass=person)",
    rich_help_panel=PANEL,
)
START_TLS = typer.Option(False, "--ldap-start-tls", help="Encrypt ldap://.", rich_help_panel=PANEL)
CA_FILE = typer.Option(
    None,
    "--ldap-ca-file",
    exists=True,
    dir_okay=False,
    help="The certificate of the directory's authority, in PEM.",
    rich_help_panel=PANEL,
)


def asked_of(
    auth: Optional[str],
    url: Optional[str],
    kind: Optional[str],
    base: Optional[str],
    bind_user: Optional[str],
    bind_password_file: Optional[Path],
    groups: Tuple[Tuple[str, Optional[List[str]]], ...],
    others: Optional[str],
    uid: Optional[str],
    search_filter: Optional[str],
    ca_file: Optional[Path],
    *,
    start_tls: bool,
) -> Optional[DirectoryAsked]:
    """The options as one value, files read; None where no directory is asked for.

    Raises InvalidOption, DirectoryInvalid.
    """
    named = tuple((role, dn) for role, names in groups for dn in names or ())
    given = [url, kind, base, bind_user, bind_password_file, others, uid, search_filter, ca_file]
    if auth != LDAP and not (any(given) or named or start_tls):
        return None
    if auth != LDAP:
        raise InvalidOption("A directory is for --auth ldap.", needed="--auth ldap beside --ldap-url")
    from bootstrap import handoff  # noqa: PLC0415  (doctor of a bundle compiles what it imports)

    found = DirectoryAsked(
        url,
        base,
        bind_user,
        handoff.password(bind_password_file),
        uid,
        search_filter,
        start_tls,
        ca_file.read_text(encoding="utf-8", errors="replace") if ca_file else None,
        named,
        others,
        kind,
    )
    if not found.enough or all(role != "Admin" for role, _ in named):
        raise InvalidOption(
            "--auth ldap needs to know the directory.",
            needed="--ldap-url, --ldap-base, --ldap-bind-user, --ldap-bind-password-file, --ldap-group-admin",
        )
    if others is not None and others not in ROLES:
        raise InvalidOption(f"--ldap-others {others} is no role.", needed=" or ".join(ROLES))
    if kind is not None and kind not in KINDS:
        raise InvalidOption(f"--ldap-type {kind} is not known.", needed=" or ".join(KINDS))
    directory.check(directory.over(None, found, ""))
    return found


def fits(following: Following, manifest: Manifest, chosen: Receipt) -> None:
    """Raise InvalidOption where this bundle or this installation cannot do what is to be done last."""
    if chosen.role == WORKER and following != Following():
        raise InvalidOption(
            "Logins, connections and variables are the head's: a worker has no database and no web pages.",
            needed="none of --auth ldap, --connections and --variables",
        )
    if following.directory is None:
        return
    if chosen.auth != "fab":
        raise InvalidOption(
            f"The installation in {chosen.home} has --auth {chosen.auth}, and keeps it.",
            needed="an installation with --auth fab",
        )
    package = login_modules.package(LDAP)
    names = [item.name for item in manifest.packages]
    if chosen.bundle_id == manifest.bundle_id:
        names += [name.split(" ", 1)[0] for item in chosen.added for name in item.packages]
    if package not in names:
        raise InvalidOption(
            f"This bundle holds no {package}, which logins from a directory need.",
            needed=package,
            hint=login_modules.remedy([LDAP]),
        )
