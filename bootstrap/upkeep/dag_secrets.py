"""Connections and variables brought in from a file, as one entry of the journal."""

from __future__ import annotations

from bootstrap.base.lock import held
from bootstrap.installed import dag_secrets
from bootstrap.installed.dag_secrets import Document, Imported
from bootstrap.installed.installation import Installation
from bootstrap.state.journal import Journal


def bring_in(
    installation: Installation, kind: str, document: Document, *, overwrite: bool = False
) -> Imported:
    """Write all of the document's connections or variables in one transaction, or none.

    Raises ImportRefused, and CommandFailed where Airflow does not start or its database is away.
    """
    home = installation.home
    with Journal(home.journal).recorded(f"{kind} import", overwrite=overwrite) as noted, held(home.lock):
        done = dag_secrets.write(installation, kind, document, overwrite=overwrite)
        noted.update(added=len(done.added), replaced=len(done.replaced), kept=len(done.kept))
    return done
