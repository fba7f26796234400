"""``airferry probe``."""

from __future__ import annotations

import typer

from bootstrap.base.console import Console


def probe(
    shell: bool = typer.Option(
        False, "--sh", help="For a host without any Python: less is collected, by a POSIX shell."
    ),
) -> int:
    """Print a small program for the closed host; it writes host.json: airferry probe > airferry-probe.py."""
    from bundler.host import probe as probing  # noqa: PLC0415  (imports doctor, which other commands do without)

    console = Console()
    for line in probing.text(shell=shell).splitlines():
        console.command(line, indent=0)
    return 0
