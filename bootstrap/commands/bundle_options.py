"""Options of an install that are about the bundle file itself."""

from __future__ import annotations

from typing import Sequence

import typer

from bootstrap.installed.options import InvalidOption

ALLOW_OLDER = typer.Option(
    False, "--allow-older", help="On a host that admits: also a bundle that is older than what is installed."
)
KEEP = typer.Option(
    False, "--keep-bundle", help="Keep this file in HOME/current, for a later delta to be joined with."
)


def one_of(option: str, value: str, known: Sequence[str]) -> str:
    """The value of an option, where it is one that is known; raises InvalidOption."""
    if value in known:
        return value
    raise InvalidOption(f"{option} {value} is not known.", needed=f"{option} " + " or ".join(known))
