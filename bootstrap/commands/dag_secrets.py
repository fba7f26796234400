"""``HOME/bin/airferry connections`` and ``variables``: the secrets of DAGs from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from bootstrap import daily
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands import bundle_options
from bootstrap.commands.shared import HOME, JSON, application, home_of
from bootstrap.installed.dag_secrets import CONNECTIONS, VARIABLES, Imported, read
from bootstrap.upkeep import dag_secrets

connections = application(CONNECTIONS, "Bring in Airflow's connections from a file.")
variables = application(VARIABLES, "Bring in Airflow's variables from a file.")
FILE = typer.Argument(..., exists=True, dir_okay=False, help="A .json, .yaml or .env file, of mode 0600.")
OVERWRITE = typer.Option(False, "--overwrite", help="Replace those that are there.")


# with one command only, typer would leave its name out
@connections.callback()
@variables.callback()
def _group() -> None:
    pass


@connections.command(name="import", epilog="connections import connections.json")
def import_connections(
    file: Path = FILE,
    overwrite: bool = OVERWRITE,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Imported]:
    """Add the connections in a file, all or none; those that are there stay as they are.

    The file is what airflow connections export writes: JSON, YAML, or lines NAME=URI. No value is shown.
    """
    return _imported(CONNECTIONS, file, home, overwrite=overwrite, json=json)


@variables.command(name="import", epilog="variables import variables.json")
def import_variables(
    file: Path = FILE,
    overwrite: bool = OVERWRITE,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Imported]:
    """Add the variables in a file, all or none; those that are there stay as they are.

    The file is what airflow variables export writes: JSON; or YAML, or lines NAME=VALUE. No value is shown.
    """
    return _imported(VARIABLES, file, home, overwrite=overwrite, json=json)


def _imported(
    kind: str, file: Path, home: Optional[Path], *, overwrite: bool, json: bool
) -> Result[Imported]:
    console = Console(quiet=json)
    # root reads it while it still may: it can lie where the account cannot
    document = read(file)
    if document.exposed:
        bundle_options.warn_of(file, console)
    installation = daily.enter_as_account(home_of(home))
    with console.step(f"Bring in the {kind} of {document.name}"):
        done = dag_secrets.bring_in(installation, kind, document, overwrite=overwrite)

    def show(console: Console) -> None:
        for names, what in ((done.added, "added"), (done.replaced, "replaced"), (done.kept, "kept")):
            if names:
                console.print(f"{console.language.word(what)}: {', '.join(names)}")
        if not (done.added or done.replaced or done.kept):
            console.print(f"There are no {kind} in {document.name}.")
        if done.kept:
            console.note("What was there is as it was: --overwrite replaces it.")

    return Result(done, show)
