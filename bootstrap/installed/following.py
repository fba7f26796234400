"""What an install does last, with an Airflow that runs: connections, variables, logins from a directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from bootstrap.base.secret import Secret
from bootstrap.installed.dag_secrets import Document
from bootstrap.site.directory import DirectoryAsked


@dataclass(frozen=True)
class Following:
    """Documents with connections and variables, by their kind; and a directory that logins are taken from."""

    documents: Tuple[Tuple[str, Document], ...] = ()
    directory: Optional[DirectoryAsked] = None

    @property
    def whole(self) -> Secret:
        """All of it as a text that :func:`parse` reads; it holds secrets."""
        asked = self.directory
        found: Dict[str, Any] = {
            "documents": [
                [kind, item.name, item.form, item.text.reveal(), item.exposed]
                for kind, item in self.documents
            ],
            "directory": None,
        }
        if asked:
            password = asked.password.reveal() if asked.password else None
            found["directory"] = {**asked.__dict__, "password": password}
        return Secret(json.dumps(found))


def parse(text: Secret) -> Following:
    """What :attr:`Following.whole` was made from."""
    given = json.loads(text.reveal())
    documents = tuple(
        (kind, Document(name, form, Secret(content), exposed))
        for kind, name, form, content, exposed in given["documents"]
    )
    asked = given["directory"]
    if asked is None:
        return Following(documents)
    password = Secret(asked["password"]) if asked["password"] is not None else None
    groups = tuple((role, dn) for role, dn in asked["groups"])
    return Following(documents, DirectoryAsked(**{**asked, "password": password, "groups": groups}))
