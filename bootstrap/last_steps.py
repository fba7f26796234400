"""What an install does last, with an Airflow that runs: connections, variables, logins from a directory.

Airflow is installed by then, and stays so: each of these can be done again alone, or by the same install.
"""

from __future__ import annotations

import contextlib
from typing import Iterator, List

from bootstrap.change import directory, site
from bootstrap.installed import dag_secrets
from bootstrap.installed.dag_secrets import Document
from bootstrap.installed.following import Following
from bootstrap.installed.installation import Installation
from bootstrap.site.directory import DirectoryAsked
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress
from wheelhouse.errors import AirferryError


class NotFollowed(AirferryError):
    """Airflow is installed and runs, and something that was asked for beside it was not done."""

    reference = "installed-without"
    exit_code = 138


def describe(following: Following) -> List[str]:
    """The steps as lines."""
    found = [f"Bring in the {kind} of {document.name}" for kind, document in following.documents]
    if following.directory:
        found.append(f"Take logins from the directory {following.directory.url}")
    return found


def follow(installation: Installation, following: Following, progress: Progress, journal: Journal) -> None:
    """Do all of it, for a caller that holds the lock; raises :class:`NotFollowed`."""
    again = f"{installation.home.bin}/airferry"
    for kind, document in following.documents:
        with _named(f"The {kind} of {document.name} were not brought in", f"{again} {kind} import FILE"):
            _bring_in(installation, kind, document, progress, journal)
    if following.directory:
        with _named("Logins are not taken from the directory", f"{again} site ldap"):
            _take_logins(installation, following.directory, progress, journal)


def _bring_in(
    installation: Installation, kind: str, document: Document, progress: Progress, journal: Journal
) -> None:
    with journal.recorded(f"{kind} import") as noted:
        with progress.step(f"Bring in the {kind} of {document.name}"):
            done = dag_secrets.write(installation, kind, document)
        noted.update(added=len(done.added), kept=len(done.kept))


def _take_logins(
    installation: Installation, asked: DirectoryAsked, progress: Progress, journal: Journal
) -> None:
    with journal.recorded("site", group="ldap"):
        site.undo_unfinished(installation, progress)
        found = directory.settled(installation, asked)
        with progress.step(f"Look at the directory {found.url}"):
            answer = directory.seen(installation, found, asked, ())
        edit = directory.edit(installation, directory.fitted(found, answer), asked)
        site.apply(installation, edit, progress)


@contextlib.contextmanager
def _named(what: str, command: str) -> Iterator[None]:
    try:
        yield
    except AirferryError as error:
        raise NotFollowed(
            f"Airflow is installed and runs. {what}: {error}",
            found=error.found,
            needed=error.needed,
            hint=f"{error.hint} To do this part alone: {command}; or the same install again.".strip(),
        ) from error
