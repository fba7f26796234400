"""``airferry doctor``: the closed host by its saved facts, or this machine as one that builds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import typer

from bootstrap.airflow.differences import NEWEST
from bootstrap.commands.shared import EXPLAIN, STRICT
from bootstrap.console import Console
from bootstrap.doctor.remedies import quoted
from bootstrap.doctor.render import render, render_entry
from bootstrap.doctor.run import diagnose
from bootstrap.facts import saved
from bundler import buildneeds, interpreters, prospect
from bundler.buildneeds import Need
from bundler.commands import JSON, envelope
from bundler.errors import InvalidRequest
from bundler.index import from_environment
from bundler.outside import checks, facts
from wheelhouse import codec
from wheelhouse.reader import Bundle

BLOCKED = 3


def doctor(
    file: Optional[Path] = typer.Argument(
        None, metavar="[FILE]", help="With --host: a bundle, to be judged for that host."
    ),
    host: Optional[Path] = typer.Option(
        None, metavar="FACTS", help="Judge a closed host by its facts: airferry probe, sh FILE doctor --save."
    ),
    airflow: str = typer.Option(
        "", metavar="VERSION", help=f"With --host: a bundle of this release (default: {NEWEST})."
    ),
    python: list[str] = typer.Option(
        [], metavar="X.Y", help="With --host: for this Python, repeatable. With --build: build for it."
    ),
    build: bool = typer.Option(
        False, "--build", help="Whether this machine can build packages that exist only as source."
    ),
    index_url: str = typer.Option("", metavar="URL", help="Ask this package index (default: as bundle)."),
    output: Path = typer.Option(Path("dist"), metavar="FOLDER", help="Where the bundle would go."),
    explain: Optional[str] = EXPLAIN,
    strict: bool = STRICT,
    json: bool = JSON,
) -> int:
    """Judge this machine as one that makes bundles, or a closed host by its facts; changes nothing."""
    console = Console()
    if explain:
        render_entry(explain, console)
        return 0
    if host:
        if file:
            return _bundle(file, host, console, strict=strict, json=json)
        return _prospect(host, airflow or NEWEST, python, console, strict=strict, json=json)
    if file or airflow:
        raise InvalidRequest(
            "Which host? FILE and --airflow are judged for a closed host.",
            hint="Name its facts with --host FACTS, or judge it there: sh FILE doctor.",
        )
    if build:
        return _build(python[-1] if python else "", console, json=json)
    return _outside(index_url or from_environment(), output, console, strict=strict, json=json)


def _prospect(
    host: Path, airflow: str, pythons: list[str], console: Console, *, strict: bool, json: bool
) -> int:
    choice = prospect.choose(saved.load(host), airflow, pythons=pythons)
    command = f"airferry bundle --for {quoted(str(host))} --airflow {airflow}"
    again = f"airferry doctor --host {quoted(str(host))} --airflow {airflow}"
    if json:
        chosen = {
            "airflow": airflow,
            "python": choice.target.python,
            "platform": choice.target.platform,
            "postgres": choice.postgres,
            "interpreter": choice.interpreter.path if choice.interpreter else "",
            "reasons": dict(choice.reasons),
        }
        console.json({**choice.report.as_dict(), "choice": chosen})
    else:
        render(choice.report, console, next_command="", again=again)
        console.print()
        console.summary(choice.reasons, f"airferry bundle --for {host.name} would choose:")
        if not choice.report.blocked:
            console.print("Next:")
            console.command(command)
    return choice.report.exit_code(strict)


def _bundle(file: Path, host: Path, console: Console, *, strict: bool, json: bool) -> int:
    there = saved.load(host)
    with Bundle.open(file) as bundle:
        report = diagnose(there, prospect.needs_of_bundle(bundle.manifest, there))
    if json:
        console.json(report.as_dict())
    else:
        again = f"airferry doctor {quoted(str(file))} --host {quoted(str(host))}"
        render(report, console, next_command=f"sh {file.name} install", again=again)
    return report.exit_code(strict)


def _outside(index_url: str, output: Path, console: Console, *, strict: bool, json: bool) -> int:
    report = checks.diagnose(facts.collect(index_url, output))
    if json:
        console.json(report.as_dict())
    else:
        render(report, console, next_command="airferry bundle", again="airferry doctor")
    return report.exit_code(strict)


def _build(python: str, console: Console, *, json: bool) -> int:
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
