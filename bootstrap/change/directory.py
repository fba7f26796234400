"""Logins from a directory, set and taken back: what it writes, and what is proven before it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Tuple

from bootstrap.airflow import health, login_modules
from bootstrap.airflow.command import source
from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.facts.security import authorities
from bootstrap.installed import directory as installed
from bootstrap.installed.directory import Look
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit
from bootstrap.site import directory
from bootstrap.site.directory import Directory, DirectoryAsked, DirectoryInvalid
from wheelhouse.errors import AirferryError


class DirectoryUnusable(AirferryError):
    """The directory does not let this installation look anybody up; nothing was changed."""

    reference = "directory-unusable"
    exit_code = 111


def settled(installation: Installation, wanted: DirectoryAsked) -> Directory:
    """What is set with what is wanted over it; raises :class:`DirectoryInvalid`."""
    if installation.receipt.auth != "fab":
        raise DirectoryInvalid(
            "Only Airflow's FAB auth manager can ask a directory.",
            found=f"--auth {installation.receipt.auth}",
            needed="an installation with --auth fab",
        )
    before = _known(installation)
    if before is None and not wanted.enough:
        raise DirectoryInvalid(
            "No directory is set yet.",
            needed="--url, --base, --bind-user, --bind-password-file, --group-admin",
        )
    found = directory.over(before, wanted, installation.receipt.admin_user)
    if wanted.ca is not None:
        found = replace(found, ca=str(installation.home.path / directory.CA))
    if not found.ca:
        found = replace(found, ca=authorities())
    directory.check(found)
    return found


def seen(
    installation: Installation, found: Directory, wanted: DirectoryAsked, names: Tuple[str, ...]
) -> Look:
    """Look at the directory before anything is written; raises :class:`DirectoryUnusable`."""
    # a certificate that is not in its place yet lies beside it for the look
    beside = installation.home.run / "ldap-ca.pem"
    if wanted.ca is not None:
        secret.write(beside, Secret(wanted.ca))
    try:
        tried = replace(found, ca=str(beside)) if wanted.ca is not None else found
        # where nobody has said it, the attribute is that of the kind of directory
        unsaid = wanted.uid is None and (_known(installation) is None or wanted.kind is not None)
        answer = installed.look(
            installation, replace(tried, uid="") if unsaid else tried, wanted.password, names
        )
    finally:
        if wanted.ca is not None:
            beside.unlink()
    refuse(installation, found, answer)
    return answer


def refuse(installation: Installation, found: Directory, answer: Look) -> None:
    """Raise :class:`DirectoryUnusable` for an answer with which nobody could administer Airflow."""
    if answer.problem:
        raise DirectoryUnusable(
            {
                "module": "This installation has no python-ldap, which the login needs.",
                "server": f"The directory {found.url} does not answer.",
                "tls": f"No encrypted connection to {found.url}.",
                "credentials": f"The directory refuses {found.bind_user}.",
                "base": f"The directory has no {found.base}.",
                "filter": f"The directory does not understand the filter {found.filter}.",
                "rights": f"{found.bind_user} may not look there.",
            }[answer.problem],
            found=answer.said,
            hint=advice(answer.problem),
        )
    missing = [dn for dn, members in answer.groups.items() if members < 0]
    if missing:
        raise DirectoryUnusable(
            "The directory has no such group, or does not show it.",
            found="\n".join(missing),
            needed="the whole name (DN) of a group that exists",
            hint="In Active Directory: Get-ADGroup NAME | select DistinguishedName",
        )


def advice(problem: str) -> str:
    """What to do about a kind of problem."""
    return {
        "module": login_modules.remedy(["ldap"]),
        "server": "Check the name, the port (389, or 636 for ldaps), the firewall between, and the server.",
        "tls": "--ca-file names the certificate of the authority that signed the server's. The name in --url"
        " must be one that the certificate is for. Where the directory wants it encrypted: ldaps://, or"
        " --start-tls.",
        "credentials": "--bind-user is a whole DN (in Active Directory also user@domain), and the password is"
        " the first line of --bind-password-file.",
        "base": "Ask those who run the directory for its base, such as dc=corp,dc=example.",
        "filter": "A filter is in brackets: (objectClass=person)",
        "rights": "The account of --bind-user must be allowed to read people and groups.",
    }[problem]


def fitted(found: Directory, answer: Look) -> Directory:
    """The settings with what the look has settled: the attribute, and the kind of directory."""
    return replace(found, uid=answer.uid, kind=answer.kind)


def edit(installation: Installation, found: Directory, wanted: DirectoryAsked) -> Edit:
    """What setting it writes."""
    text = directory.block(found, str(installation.home.path), source("ldapdirectory.py"))
    files: Dict[str, Optional[Secret]] = {
        login_modules.FILE: Secret(directory.merged(installed.text(installation), text))
    }
    if wanted.password:
        files[directory.PASSWORD] = wanted.password
    if wanted.ca is not None:
        files[directory.CA] = Secret(wanted.ca)
    return Edit(files=files, components=(installation.version.web_component,))


def off(installation: Installation) -> Edit:
    """What taking it back writes: everything outside of the marks stays."""
    left = directory.merged(installed.text(installation), "")
    files: Dict[str, Optional[Secret]] = {
        login_modules.FILE: Secret(left) if left.strip() else None,
        directory.PASSWORD: None,
        directory.CA: None,
    }
    return Edit(files=files, components=(installation.version.web_component,))


def answers(installation: Installation) -> None:
    """The proof: the way in that stays when the directory is away, the admin of Airflow's own."""
    password = secret.read(installation.home.admin_password)
    health.login(installation.version, installation.web, installation.receipt.admin_user, password)


def notes(installation: Installation, found: Directory, answer: Look) -> Tuple[str, ...]:
    """What the admin should know."""
    said: List[str] = []
    if found.plain:
        said.append(
            "Passwords go to the directory as they are, for all on the way to read: ldaps://, or --start-tls."
        )
    for dn, members in answer.groups.items():
        if not members:
            said.append(f"Nobody is in {dn}.")
    admin = installation.receipt.admin_user
    said.append(
        f"{admin} stays an account of Airflow's own, the way in when the directory is away: its password is"
        f" in {installation.home.admin_password}. Who has that name in the directory cannot log in."
    )
    return tuple(said)


def _known(installation: Installation) -> Optional[Directory]:
    try:
        return installed.settings(installation)
    except ValueError:
        return None
