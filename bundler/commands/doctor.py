"""``airferry doctor``: the closed host by its saved facts, or this machine as one that builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import typer

from bootstrap.airflow.differences import NEWEST
from bootstrap.base.result import Result
from bootstrap.commands.shared import EXPLAIN, JSON, STRICT
from bundler.base.errors import InvalidRequest
from bundler.index.keyring import with_password
from bundler.index.simple import from_environment


def doctor(
    file: Optional[Path] = typer.Argument(
        None, metavar="[FILE]", help="With --host: a bundle, to be judged for that host."
    ),
    host: Optional[Path] = typer.Option(
        None, metavar="FACTS", help="Judge a closed host by its facts: airferry probe, sh FILE doctor --save."
    ),
    airflow: str = typer.Option(
        "", metavar="VERSION", help=f"With --host: a bundle of this release (default: {NEWEST})."
    ),
    python: list[str] = typer.Option(
        [], metavar="X.Y", help="With --host: for this Python, repeatable. With --build: build for it."
    ),
    build: bool = typer.Option(
        False, "--build", help="Whether this machine can build packages that exist only as source."
    ),
    index_url: str = typer.Option("", metavar="URL", help="The package index to check (default: as bundle)."),
    output: Path = typer.Option(Path("dist"), metavar="FOLDER", help="The folder for the bundle."),
    explain: Optional[str] = EXPLAIN,
    strict: bool = STRICT,
    json: bool = JSON,
) -> Result[Any]:
    """Judge this machine as one that makes bundles, or a closed host by its facts; changes nothing."""
    # all of doctor takes as long to import as the rest of this program, which does without
    from bootstrap.commands.doctor_results import explained  # noqa: PLC0415
    from bundler.commands import judgement  # noqa: PLC0415

    if explain is not None:
        from bundler.host.catalogue import CATALOGUE  # noqa: PLC0415

        return explained(explain, CATALOGUE)
    if host:
        if file:
            return judgement.bundle(file, host, strict=strict)
        return judgement.prospect(host, airflow or NEWEST, python, strict=strict)
    if file or airflow:
        raise InvalidRequest(
            "No host is named: FILE and --airflow are judged for a closed host.",
            hint="Name its facts with --host FACTS, or judge it there: sh FILE doctor.",
        )
    if build:
        return judgement.build(python[-1] if python else "")
    return judgement.outside(with_password(index_url or from_environment()), output, strict=strict)
