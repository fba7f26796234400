"""``airferry doctor``: this machine, as one that builds."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from bootstrap.console import Console
from bundler import buildneeds, interpreters
from bundler.buildneeds import Need
from bundler.commands import JSON, envelope
from bundler.errors import InvalidRequest
from wheelhouse import codec

BLOCKED = 3


def doctor(
    build: bool = typer.Option(
        False, "--build", help="Whether this machine can build packages that exist only as source."
    ),
    python: str = typer.Option(
        "", metavar="X.Y", help="Build for this Python (default: the one that runs this)."
    ),
    json: bool = JSON,
) -> int:
    """Judge this machine, changing nothing. Inside the closed network: sh FILE doctor."""
    if not build:
        raise InvalidRequest(
            "Which machine? This one, as one that builds: airferry doctor --build.",
            hint="The closed host is judged there: sh FILE doctor.",
        )
    console = Console()
    interpreter = interpreters.find(python) if python else Path(sys.executable)
    if interpreter is None:
        raise InvalidRequest(
            f"There is no Python {python} on this machine.",
            needed=f"python{python}, to build packages with native parts for it",
            hint="Pure packages are built with any Python; nearly all packages have wheels.",
        )
    needs = (buildneeds.ctypes_works(interpreter), *buildneeds.collect(buildneeds.always(), interpreter))
    missing = [need for need in needs if not need.there]
    # Only what nearly every source with native parts needs blocks; the rest is needed by few.
    blocking = [need.name for need in missing if need.name in buildneeds.BASIC]
    if json:
        result = {"needs": codec.encode(needs), "blocking": blocking, "remedy": buildneeds.remedy(missing)}
        console.json(envelope(result))
    else:
        _show(needs, missing, interpreter, console)
    return BLOCKED if blocking else 0


def _show(needs: tuple[Need, ...], missing: list[Need], interpreter: Path, console: Console) -> None:
    rows = [(need.name, f"{'ok' if need.there else 'missing'}: {need.found}") for need in needs]
    console.summary(rows, f"Building with {interpreter}")
    if missing:
        console.print()
        console.print("What is missing is needed only by packages that have no wheel for the target:")
        console.command(buildneeds.remedy(missing))
