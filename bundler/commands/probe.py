"""``airferry probe``."""

from __future__ import annotations

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result


def probe(
    shell: bool = typer.Option(
        False, "--sh", help="For a host without any Python: less is collected, by a POSIX shell."
    ),
) -> Result[None]:
    """Print a small program for the closed host; it writes host.json: airferry probe > airferry-probe.py."""
    from bundler.host import probe as probing  # noqa: PLC0415  (imports doctor, which other commands do without)

    lines = probing.text(shell=shell).splitlines()

    def show(console: Console) -> None:
        for line in lines:
            console.command(line, indent=0)

    return Result(None, show)
