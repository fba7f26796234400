"""Options of an install that are about the bundle file itself."""

from __future__ import annotations

import typer

ALLOW_OLDER = typer.Option(
    False, "--allow-older", help="On a host that admits: also a bundle that is older than what is installed."
)
KEEP = typer.Option(
    False, "--keep-bundle", help="Keep this file in HOME/current, for a later delta to be joined with."
)
