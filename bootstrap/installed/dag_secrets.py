"""The secrets of DAGs in Airflow's database: connections and variables written, kept and put back.

No value is ever shown: what Airflow's Python says beside its answer is thrown away.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

from bootstrap.airflow import dagsecrets
from bootstrap.airflow.command import source
from bootstrap.base import process
from bootstrap.base.columns import listed
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

if TYPE_CHECKING:  # what reads a file of them before an install needs none
    from bootstrap.installed.installation import Installation

CONNECTIONS, VARIABLES = "connections", "variables"
_FORMS = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".env": "env"}
_LARGEST = 16 << 20
# more than anybody reads; the rest is counted
_SHOWN = 20


class ImportRefused(AirferryError):
    """A file of connections or variables that cannot be read; nothing of it was brought in."""

    reference = "import-refused"
    exit_code = 110


@dataclass(frozen=True)
class Document:
    """A file with secrets: its `form` is json, yaml or env; `exposed` means that others may read it."""

    name: str
    form: str
    text: Secret
    exposed: bool


@dataclass(frozen=True)
class Imported:
    """The names that were `added`, those `replaced`, and those that were there and `kept` as they are."""

    kind: str
    added: Tuple[str, ...]
    replaced: Tuple[str, ...]
    kept: Tuple[str, ...]


def read(path: Path) -> Document:
    """Read a file whose name says its form; raises :class:`ImportRefused`."""
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise ImportRefused(
            f"The name of {path} does not tell what is in it.",
            needed="a name that ends in .json, .yaml or .env, and the content to go with it",
        )
    with path.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
        exposed = bool(stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077)
    if len(content) > _LARGEST:
        raise ImportRefused(f"{path} is too large.", needed=f"at most {_LARGEST >> 20} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportRefused(f"{path} is not text in UTF-8.") from None
    return Document(path.name, form, Secret(text), exposed)


def check(kind: str, document: Document) -> None:
    """Refuse a file that is not in its form, without Airflow; raises :class:`ImportRefused`.

    YAML is read later: only Airflow's Python can.
    """
    if document.form == "yaml":
        return
    try:
        dagsecrets.parsed(document.form, document.text.reveal())
    except dagsecrets.EntryIllegible as error:
        _refuse(kind, document, [str(error)])


def write(installation: Installation, kind: str, document: Document, *, overwrite: bool = False) -> Imported:
    """Write all of the document's connections or variables in one transaction, or none.

    For a caller that holds the lock. Raises :class:`ImportRefused`, and CommandFailed where Airflow does not
    start or its database is away.
    """
    asked = {"kind": kind, "form": document.form, "text": document.text.reveal(), "overwrite": overwrite}
    answer = _answer(installation, asked, f"bring in the {kind} of {document.name}")
    _refuse(kind, document, answer.get("problems", []))
    return Imported(kind, *(tuple(answer[name]) for name in ("added", "replaced", "kept")))


def rows(installation: Installation, names: Sequence[str]) -> Secret:
    """The rows of these connections as they lie in the database, encrypted, for :func:`put_back`."""
    asked = {"kind": "rows", "names": list(names)}
    return Secret(json.dumps(_answer(installation, asked, "read the connections")["rows"]))


def put_back(installation: Installation, kept: Secret) -> None:
    """Bring the rows back that :func:`rows` has read; a connection that was not there is removed."""
    _answer(installation, {"kind": "put-back", "rows": json.loads(kept.reveal())}, "write the connections")


def remove(installation: Installation, names: Sequence[str]) -> None:
    """Remove connections, whether they are there or not."""
    put_back(installation, Secret(json.dumps(dict.fromkeys(names))))


def _answer(installation: Installation, asked: Dict[str, Any], what: str) -> Dict[str, Any]:
    try:
        said = process.run(
            [installation.release.python, "-c", source("dagsecrets.py")],
            what=what,
            env=installation.airflow.environment(),
            stdin=Secret(json.dumps(asked)),
        ).stdout
    except CommandFailed as error:
        # whatever it said may hold what it read
        raise CommandFailed(error.message, hint=_log_hint(installation)) from None
    answer: Dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    if "failed" in answer:
        raise CommandFailed(f"Could not {what}.", found=answer["failed"], hint=_log_hint(installation))
    return answer


def _refuse(kind: str, document: Document, problems: List[str]) -> None:
    if not problems:
        return
    raise ImportRefused(
        f"The {kind} in {document.name} cannot be brought in; nothing was changed.",
        found=listed(problems, _SHOWN),
        needed=f"{kind} as Airflow exports them: airflow {kind} export FILE",
    )


def _log_hint(installation: Installation) -> str:
    return f"Nothing was changed. See whether all is well: {installation.home.bin}/airferry doctor"
