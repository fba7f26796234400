"""The command line of the internet side: ``airferry COMMAND``."""

from __future__ import annotations

import sys

from bootstrap.commands.shared import ExplainingCommand, application, run
from bundler.commands.bundle import bundle, spelled_out
from bundler.commands.cache import cache
from bundler.commands.diff import diff
from bundler.commands.doctor import doctor
from bundler.commands.dossier import dossier
from bundler.commands.init import init
from bundler.commands.inspect import inspect
from bundler.commands.probe import probe
from bundler.commands.rehearse import rehearse
from bundler.commands.split import split
from bundler.commands.verify import verify

app = application(
    "airferry", "Carries Apache Airflow across an air gap: one file made here, one command run inside."
)


for command in (probe, init, bundle, rehearse, inspect, verify, diff, dossier, split, cache, doctor):
    app.command(cls=ExplainingCommand if command is doctor else None)(command)


def main() -> int:
    """Run the command line and return its exit status."""
    return run(app, "airferry", spelled_out(sys.argv[1:]))
