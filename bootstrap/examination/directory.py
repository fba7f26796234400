"""The directory that logins are taken from, as it answers now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from bootstrap.base import secret
from bootstrap.installed import directory
from bootstrap.installed.installation import Installation
from bootstrap.site.directory import PASSWORD


@dataclass(frozen=True)
class DirectoryFacts:
    """What is set, and what was seen; `url` is empty where no directory is asked.

    `changed` says what is wrong with a block that was changed by hand. `problem` is the kind of an error ("":
    none) and `said` its words, as of ``bootstrap.installed.directory.Look``. `admins` is the number of
    members of the groups that administer Airflow, `absent` are groups that the directory does not have.
    """

    url: str = ""
    changed: str = ""
    plain: bool = False
    problem: str = ""
    said: str = ""
    admins: int = 0
    absent: Tuple[str, ...] = ()
    bind_user: str = ""


def collect(installation: Installation) -> DirectoryFacts:
    """Bind and look; raises CommandFailed where the release's Python does not start."""
    if installation.receipt.auth != "fab":
        return DirectoryFacts()
    try:
        found = directory.settings(installation)
    except ValueError as error:
        return DirectoryFacts(changed=str(error))
    if found is None:
        return DirectoryFacts()
    try:
        secret.read(installation.home.path / PASSWORD)
    except OSError as error:
        return DirectoryFacts(
            found.url, plain=found.plain, problem="password", said=str(error), bind_user=found.bind_user
        )
    seen = directory.look(installation, found)
    roles = found.mapping
    return DirectoryFacts(
        found.url,
        plain=found.plain,
        problem=seen.problem,
        said=seen.said,
        admins=sum(max(0, count) for dn, count in seen.groups.items() if roles[dn] == "Admin"),
        absent=tuple(dn for dn, count in seen.groups.items() if count < 0),
        bind_user=found.bind_user,
    )
