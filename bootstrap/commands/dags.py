"""``HOME/bin/airferry dags``: DAG files listed, checked and brought in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import List, Optional

import typer

from bootstrap import daily
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, application, home_of, new_file
from bootstrap.installed.dagimports import CheckedDags
from bootstrap.upkeep import dagfiles, dagtrees
from bootstrap.upkeep.dagfiles import AddedDags, DagFiles, DagsBroken, Incoming
from bootstrap.upkeep.dagtrees import Pushed, Received

app = application("dags", "Add DAG files, and see which Airflow knows and what is wrong with them.")


@app.command(name="list")
def list_dags(home: Optional[Path] = HOME, json: bool = JSON) -> Result[DagFiles]:
    """List the DAGs that Airflow knows, files that it cannot import, and files not read yet."""
    installation = daily.enter_as_account(home_of(home))
    found, folder = dagfiles.known(installation), installation.folders.pipelines

    def show(console: Console) -> None:
        rows = [
            [dag.dag_id, "paused" if dag.paused else "on", dag.file.replace(f"{folder}/", "", 1)]
            for dag in found.dags
        ]
        console.table(["DAG", "", f"file in {folder}"], rows)
        for problem in found.problems:
            console.print(problem.text)
        for file in found.unread:
            console.print(f"{file}: not read yet, or there is no DAG in it")

    return Result(found, show)


@app.command(name="check")
def check_dags(home: Optional[Path] = HOME, json: bool = JSON) -> Result[CheckedDags]:
    """Import every DAG file now, as Airflow does; exit 97 when one fails or cannot be read."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home))
    with console.step("Import the DAG files"):
        found = dagfiles.check(installation)

    def show(console: Console) -> None:
        for problem in found.problems:
            console.print(problem.text)
        console.print(f"{len(found.dags)} DAGs, {len(found.problems)} problems.")

    return Result(found, show, DagsBroken.exit_code if found.problems else 0)


_STANDARD = Path("-")


@app.command(name="push", epilog="dags push --out dags.tar.gz")
def push_dags(
    out: Path = typer.Option(
        ...,
        "--out",
        metavar="FILE",
        allow_dash=True,
        help="The file to carry to every worker; - for standard output.",
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Pushed]:
    """Write all DAG files and plugins of this host into one file for its workers."""
    if out == _STANDARD:
        if json:
            raise typer.BadParameter("--out - and --json would both write to standard output.")
        installation = daily.enter_as_account(home_of(home))
        return Result(dagtrees.push(installation, sys.stdout.buffer, "-"), lambda console: None)
    target = out.absolute()
    descriptor = new_file(target)
    installation = daily.enter_as_account(home_of(home))
    with os.fdopen(descriptor, "wb") as stream:
        found = dagtrees.push(installation, stream, str(target))

    def show(console: Console) -> None:
        console.print(f"{found.files} files, digest {found.digest}: {target}. On every worker:")
        console.command(f"bin/airferry dags receive {target.name}")

    return Result(found, show)


@app.command(name="receive", epilog="dags receive dags.tar.gz")
def receive_dags(
    file: Path = typer.Argument(
        ...,
        metavar="FILE",
        allow_dash=True,
        help="What dags push has written; - for standard input.",
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Received]:
    """On a worker: replace all DAG files and plugins by the head's, in one step."""
    # root opens it while it still may
    with sys.stdin.buffer if file == _STANDARD else file.open("rb") as stream:
        installation = daily.enter_as_account(home_of(home))
        found = dagtrees.receive(installation, stream)
    changed = "as before" if found.digest == found.before else f"before: {found.before}"

    def show(console: Console) -> None:
        console.print(f"{found.files} files in use, digest {found.digest} ({changed}).")
        if found.plugins:
            console.note("The plugins are others than before; the worker reads them when it starts:")
            console.command(f"{installation.home.bin}/airferry restart")

    return Result(found, show)


_ADD = """\
dags add nightly.py
dags add --name nightly collect.sh report.sh tidy.sh"""


@app.command(name="add", epilog=_ADD)
def add_dags(
    file: List[Path] = typer.Argument(..., metavar="FILE...", help="DAG files, or shell scripts."),
    name: str = typer.Option(
        "", help="For shell scripts: the name of the DAG that runs them, in this order."
    ),
    replace: bool = typer.Option(False, "--replace", help="Overwrite files of these names."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[AddedDags]:
    """Check DAG files, and copy them into the DAG folder with the right owner.

    Shell scripts become one DAG that runs them every night, one after the other; each gets the day of the run
    as its first argument, as 2026-11-28.
    """
    console = Console(quiet=json)
    # root reads them while it still may: they can lie where the account cannot
    incoming = [Incoming(path.name, path.read_bytes()) for path in file]
    installation = daily.enter_as_account(home_of(home))
    with console.step(f"Import {', '.join(item.name for item in incoming)}"):
        added = dagfiles.add(installation, incoming, name=name, replace=replace)

    def show(console: Console) -> None:
        for path in added.files:
            console.print(path)
        console.print(f"On the pages within about {added.seconds} seconds, switched off. To switch it on:")
        for dag in added.dags:
            console.command(f"{installation.home.bin}/airflow dags unpause {dag}")

    return Result(added, show)
