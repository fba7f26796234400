"""``airferry bundle``."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from bootstrap.console import Console
from bundler import report, spec
from bundler.bundle import make_bundle
from bundler.commands import JSON, envelope
from bundler.index import PYPI
from bundler.spec import BundleRequest

_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


def bundle(
    airflow: str = typer.Option(
        "", metavar="VERSION", help="The Airflow release (default: the newest final one)."
    ),
    python: str = typer.Option("", metavar="X.Y", help="The host's Python (default: this one's version)."),
    platform: str = typer.Option(
        "", metavar="TAG", help=f"The host's platform tag (default: {spec.default_platform()})."
    ),
    extra: list[str] = typer.Option(
        [], metavar="NAME", help="An extra of Airflow, repeatable (default: postgres, and fab for 3.x)."
    ),
    constraints: str = typer.Option(
        "auto",
        metavar="SOURCE",
        help="auto, official, release-date, a path or a URL, which may hold {airflow} and {python}.",
    ),
    output: Path = typer.Option(Path("dist"), metavar="FOLDER", help="Where the bundle goes."),
    index_url: str = typer.Option(
        "",
        metavar="URL",
        help=f"The package index (default: ${_INDEX_VARIABLES[0]}, ${_INDEX_VARIABLES[2]}, or {PYPI}).",
    ),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Show neither progress nor summary."),
    json: bool = JSON,
) -> int:
    """Make the one file: resolve, download, build, write."""
    console = Console(quiet=quiet or json)
    request = BundleRequest.parse(
        airflow=airflow,
        python=python,
        platform=platform,
        extras=tuple(extra) or None,
        constraints=constraints,
        output=output,
        index_url=index_url or _index_from_environment(),
    )
    result = make_bundle(request, console)
    if json:
        console.json(envelope(report.as_dict(result)))
    elif not quiet:
        report.summary(result, console)
    return 0


def _index_from_environment() -> str:
    return next((os.environ[name] for name in _INDEX_VARIABLES if os.environ.get(name)), PYPI)
