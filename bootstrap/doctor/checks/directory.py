"""Logins from a directory (LDAP): whether it answers, and whether anybody in it may administer Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

from bootstrap.base.columns import listed
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.facts import directory as reach
from bootstrap.site.directory import DirectoryAsked

if TYPE_CHECKING:
    from bootstrap.examination.installed import Installed

DIRECTORY_OK = Entry("directory-ok", OK, "The directory answers")
DIRECTORY_FAILS = Entry(
    "directory-fails",
    BLOCKER,
    "The directory lets nobody be looked up",
    "Nobody from the directory can log in; Airflow's own admin can.",
    "As the login does, it was asked with the account and the password of site ldap, for the base and the"
    " attribute that are set. What it said is the directory's own word.",
)
DIRECTORY_NO_ADMIN = Entry(
    "directory-no-admin",
    WARNING,
    "Nobody in the directory administers Airflow",
    "A group that was renamed or moved has another DN: its people lose their rights with the next login.",
)
DIRECTORY_PLAIN = Entry(
    "directory-plain",
    WARNING,
    "Passwords go to the directory unencrypted",
    "Whoever is on the way between this host and the directory can read every password.",
)
DIRECTORY_BLOCK_CHANGED = Entry(
    "directory-block-changed",
    WARNING,
    "The block of site ldap was changed by hand",
    "What it says now is unknown here: it was not checked, and site ldap would write it anew.",
)

DIRECTORY_UNREACHABLE = Entry(
    "directory-unreachable",
    BLOCKER,
    "The directory cannot be reached",
    "Logins from it cannot be set at the end of the install.",
    "A connection was made as the login makes one, with its encryption; nobody was looked up. That needs"
    " Airflow, and is done at the end of the install.",
)


def before(asked: DirectoryAsked, store: str) -> Iterator[Finding]:
    """What can be known of a directory before an install; `store` has the authorities of this host."""
    url = asked.url or ""
    said = reach.problem(url, asked.ca or "", store, start_tls=bool(asked.start_tls))
    if said:
        yield DIRECTORY_UNREACHABLE.found(
            f"{url}: {said}",
            needed="a directory that answers, and a certificate that --ldap-ca-file or this host vouches for",
            remedy="Check name, port and firewall, and --ldap-ca-file. Or install with --auth fab, and set it"
            " later: bin/airferry site ldap",
        )


def check(installed: Installed) -> Iterator[Finding]:
    """What logins from a directory need."""
    found = installed.directory
    if found is None:
        return
    site = f"{command(installed)} site ldap"
    if found.changed:
        yield DIRECTORY_BLOCK_CHANGED.found(
            found.changed,
            remedy="Keep changes outside of the marks in webserver_config.py; give the settings once more:"
            f" {site} --url ... --group-admin ...",
        )
    if not found.url:
        return
    if found.problem:
        # without the module it is login-modules-missing
        if found.problem != "module":
            yield DIRECTORY_FAILS.found(
                f"{found.url}, as {found.bind_user}: {found.said}",
                remedy=f"{_REMEDIES[found.problem]}: {site}",
            )
    elif found.absent or not found.admins:
        absent = [f"no group {dn}" for dn in found.absent]
        yield DIRECTORY_NO_ADMIN.found(
            listed(absent or ["no member in the groups of administrators"]),
            needed="a group with members, by its whole name (DN)",
            remedy=f"Give the group's DN as it is now: {site} --group-admin DN; to look an account up:"
            f" {site} --look-up NAME",
        )
    else:
        yield DIRECTORY_OK.found(f"{found.url}; {found.admins} in the groups of administrators")
    if found.plain:
        yield DIRECTORY_PLAIN.found(
            found.url,
            needed="ldaps://, or StartTLS",
            remedy=f"{site} --start-tls --ca-file FILE, or {site} --url ldaps://HOST --ca-file FILE",
        )


_REMEDIES = {
    "password": "Give the password of that account once more (--bind-password-file FILE)",
    "server": "Check name, port, firewall and the server itself; another address (--url)",
    "tls": "Give the certificate of the directory's authority (--ca-file FILE), or a name that its own has",
    "credentials": "The password has changed, or the account is locked: give the new one"
    " (--bind-password-file FILE)",
    "base": "Give the base as it is now (--base DN)",
    "filter": "Give another filter (--filter)",
    "rights": "The account must be allowed to read people and groups; another one (--bind-user DN)",
}
