"""Options of an install that are about files: the bundle itself, and what is brought in with it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import typer

from bootstrap.base.console import Console
from bootstrap.installed import dag_secrets
from bootstrap.installed.dag_secrets import CONNECTIONS, VARIABLES, Document
from bootstrap.installed.options import InvalidOption

ALLOW_OLDER = typer.Option(
    False, "--allow-older", help="On a host that admits: also a bundle that is older than what is installed."
)
KEEP = typer.Option(
    False, "--keep-bundle", help="Keep this file in HOME/current, for a later delta to be joined with."
)
_BROUGHT = "What the DAGs of another host used"
CONNECTIONS_FILE = typer.Option(
    None,
    "--connections",
    exists=True,
    dir_okay=False,
    help="A file of connections to bring in, .json, .yaml or .env, of mode 0600; those that are there stay.",
    rich_help_panel=_BROUGHT,
)
VARIABLES_FILE = typer.Option(
    None,
    "--variables",
    exists=True,
    dir_okay=False,
    help="A file of variables, likewise (later: airferry connections import, variables import).",
    rich_help_panel=_BROUGHT,
)


def documents(
    connections: Optional[Path], variables: Optional[Path], console: Console
) -> Tuple[Tuple[str, Document], ...]:
    """The files that are to be brought in, by their kind; raises ImportRefused for one that cannot be."""
    found: List[Tuple[str, Document]] = []
    for kind, path in ((CONNECTIONS, connections), (VARIABLES, variables)):
        if path is None:
            continue
        document = dag_secrets.read(path)
        dag_secrets.check(kind, document)
        if document.exposed:
            warn_of(path, console)
        found.append((kind, document))
    return tuple(found)


def warn_of(path: Path, console: Console) -> None:
    """Say that others may read a file with secrets."""
    console.warning(f"Other accounts of this host can read {path}: chmod 600 {shlex.quote(str(path))}")


def one_of(option: str, value: str, known: Sequence[str]) -> str:
    """The value of an option, where it is one that is known; raises InvalidOption."""
    if value in known:
        return value
    raise InvalidOption(f"{option} {value} is not known.", needed=f"{option} " + " or ".join(known))
