"""The command line of the closed side: ``sh FILE COMMAND`` and ``HOME/bin/airferry COMMAND``."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from bootstrap import carried, handoff
from bootstrap.boundary import guard, invoke
from bootstrap.commands import bundled, installed
from bootstrap.console import Console
from wheelhouse import __version__


def main() -> int:
    """Run the command line of the file or folder that Python was started on."""
    place = Path(sys.argv[0])
    inside = handoff.is_inner() or place.is_file()
    carried.hold_temporary()
    app = bundled.app if inside else installed.app
    console = Console()
    name = f"sh {place.name}" if inside else "airferry"
    return guard(lambda: invoke(app, name), console, json="--json" in sys.argv)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


@bundled.app.callback()
@installed.app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass
