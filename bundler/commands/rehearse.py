"""``airferry rehearse``."""

from __future__ import annotations

from pathlib import Path

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.rehearsal.outcome import Rehearsal


def rehearse(
    file: Path = typer.Argument(metavar="FILE", help="A bundle for a machine like this one."),
    python: str = typer.Option("", metavar="PATH", help="The Python to install it on."),
    json: bool = JSON,
) -> Result[Rehearsal]:
    """Install a bundle here, without a network and in a scratch home, and run its example pipeline."""
    from bundler.rehearsal import rehearse as rehearsing  # noqa: PLC0415 - no other command needs it

    console = Console(quiet=json)
    with console.step(f"Rehearse {file.name} (some minutes)"):
        found = rehearsing.rehearse(file, python)
    if found.isolation != "namespace":
        console.warning(f"The network was not cut off; this proves less: {found.isolation}")

    def show(console: Console) -> None:
        console.summary([(step.name, f"{step.seconds:.1f} s") for step in found.steps])
        cut = "without a network" if found.isolation == "namespace" else "under a guard"
        console.print(f"{file.name} installed and ran {cut} on {found.python} ({found.host}).")
        console.print(f"The result is in {file.name}.rehearsal.json beside it.")

    return Result(found, show)
