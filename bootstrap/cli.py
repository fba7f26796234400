"""The command line of the closed side: ``sh FILE COMMAND`` and ``HOME/bin/airferry COMMAND``.

Only one of the two is imported: a start from inside a ZIP compiles every module anew.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import typer

from bootstrap.base import process
from bootstrap.base.boundary import guard
from bootstrap.base.console import Console
from bootstrap.commands.shared import bundle_file, run
from bootstrap.python import carried


def main() -> int:
    """Run the command line of the file or folder that Python was started on."""
    place = Path(sys.argv[0])
    process.distrust()
    carried.hold_temporary()
    inside = place.is_file()
    if inside and sys.argv[1:] in ([], ["-h"], ["--help"], ["help"]):
        from bootstrap.commands import addon_help  # noqa: PLC0415  (every other command starts sooner)

        console = Console()
        status = guard(lambda: addon_help.show(console), console, json=False)
        if status != addon_help.NO_ADD_ON:
            return status
    app = application("bundled" if inside else "installed")
    return run(app, f"sh {bundle_file().name}" if inside else "airferry", sys.argv[1:])


def application(name: str) -> typer.Typer:
    """The commands of ``bootstrap.commands.bundled`` or ``installed``."""
    app: typer.Typer = importlib.import_module(f"bootstrap.commands.{name}").app
    return app
