"""The command line of the internet side: ``airferry COMMAND``."""

from __future__ import annotations

import sys

import typer

from bootstrap.base.boundary import guard, invoke
from bootstrap.base.console import Console
from bootstrap.commands.shared import ExplainingCommand, application
from bundler.commands.bundle import bundle, spelled_out
from bundler.commands.cache import cache
from bundler.commands.diff import diff
from bundler.commands.doctor import doctor
from bundler.commands.init import init
from bundler.commands.inspect import inspect
from bundler.commands.probe import probe
from bundler.commands.rehearse import rehearse
from bundler.commands.verify import verify
from wheelhouse import __version__

app = application(
    "airferry", "Carries Apache Airflow across an air gap: one file made here, one command run inside."
)


for command in (probe, init, bundle, rehearse, inspect, verify, diff, cache, doctor):
    app.command(cls=ExplainingCommand if command is doctor else None)(command)


def main() -> int:
    """Run the command line and return its exit status: the error boundary of the internet side."""
    sys.argv[1:] = spelled_out(sys.argv[1:])
    return guard(lambda: invoke(app, "airferry"), Console(), json="--json" in sys.argv)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass
