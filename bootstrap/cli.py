"""The command line of the closed side: ``sh FILE COMMAND`` and ``HOME/bin/airferry COMMAND``.

Only one of the two is imported: a start from inside a ZIP compiles every module anew.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import typer

from bootstrap.base.boundary import guard, invoke
from bootstrap.base.console import Console
from bootstrap.python import carried
from wheelhouse import __version__


def main() -> int:
    """Run the command line of the file or folder that Python was started on."""
    place = Path(sys.argv[0])
    carried.hold_temporary()
    inside = place.is_file()
    app = application("bundled" if inside else "installed")
    console = Console()
    name = f"sh {place.name}" if inside else "airferry"
    return guard(lambda: invoke(app, name), console, json="--json" in sys.argv)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


def application(name: str) -> typer.Typer:
    """The commands of ``bootstrap.commands.bundled`` or ``installed``."""
    app: typer.Typer = importlib.import_module(f"bootstrap.commands.{name}").app
    app.callback()(_common)
    return app


def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass
