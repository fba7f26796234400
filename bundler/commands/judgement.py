"""What ``airferry doctor`` shows: reports on a closed host, on a bundle for it, and on this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.doctor_results import Judgement, judged, judgement
from bootstrap.doctor.remedies import quoted
from bootstrap.doctor.render import render
from bootstrap.doctor.run import diagnose
from bootstrap.facts import saved
from bundler.base.errors import InvalidRequest
from bundler.build import buildneeds, interpreters
from bundler.build.buildneeds import BuildNeed
from bundler.builder_host import checks, facts
from bundler.host.host_choice import choose, needs_of_bundle
from wheelhouse.reader import Bundle

BLOCKED = 3


@dataclass(frozen=True)
class Chosen:
    """What a bundle for a host would be: `interpreter` is the path there, or empty.

    `postgres` is the version of the carried server, empty for none; `reasons` say why, by name.
    """

    airflow: str
    python: str
    platform: str
    postgres: str
    interpreter: str
    reasons: dict[str, str]


@dataclass(frozen=True)
class Prospect(Judgement):
    """As a judgement, and what would be chosen for that host."""

    choice: Chosen


@dataclass(frozen=True)
class BuildNeeds:
    """What building from source needs; `blocking` is missing and needed by nearly every source.

    `remedy` is the command that installs what is missing.
    """

    needs: tuple[BuildNeed, ...]
    blocking: tuple[str, ...]
    remedy: str


def prospect(host: Path, airflow: str, pythons: list[str], *, strict: bool) -> Result[Prospect]:
    """Judge the host of saved facts for a bundle that is not made yet, and say what it would be."""
    choice = choose(saved.load(host), airflow, pythons=pythons)
    command = f"airferry bundle --for {quoted(str(host))} --airflow {airflow}"
    again = f"airferry doctor --host {quoted(str(host))} --airflow {airflow}"

    def show(console: Console) -> None:
        render(choice.report, console, next_command="", again=again)
        console.print()
        console.summary(choice.reasons, f"airferry bundle --for {host.name} would choose:")
        if not choice.report.blocked:
            console.print("Next:")
            console.command(command)

    chosen = Chosen(
        airflow=airflow,
        python=choice.target.python,
        platform=choice.target.platform,
        postgres=choice.postgres,
        interpreter=choice.interpreter.path if choice.interpreter else "",
        reasons=dict(choice.reasons),
    )
    found = judgement(choice.report)
    data = Prospect(found.subject, found.host, found.blocked, found.counts, found.findings, chosen)
    return Result(data, show, choice.report.exit_code(strict))


def bundle(file: Path, host: Path, *, strict: bool) -> Result[Judgement]:
    """Judge the host of saved facts for a bundle that is there."""
    there = saved.load(host)
    with Bundle.open(file) as bundle:
        report = diagnose(there, needs_of_bundle(bundle.manifest, there))
    again = f"airferry doctor {quoted(str(file))} --host {quoted(str(host))}"
    return judged(report, strict=strict, next_command=f"sh {quoted(file.name)} install", again=again)


def outside(index_url: str, output: Path, *, strict: bool) -> Result[Judgement]:
    """Judge this machine as one that fetches and makes bundles."""
    report = checks.diagnose(facts.collect(index_url, output))
    return judged(report, strict=strict, next_command="airferry bundle", again="airferry doctor")


def build(python: str) -> Result[BuildNeeds]:
    """List what building from source needs, and whether it is here."""
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
    return Result(
        BuildNeeds(needs, tuple(blocking), buildneeds.remedy(missing)),
        lambda console: _show(needs, missing, interpreter, console),
        BLOCKED if blocking else 0,
    )


def _show(
    needs: tuple[BuildNeed, ...], missing: list[BuildNeed], interpreter: Path, console: Console
) -> None:
    rows = [(need.name, f"{'ok' if need.there else 'missing'}: {need.found}") for need in needs]
    console.summary(rows, f"Building with {interpreter}")
    if missing:
        console.print()
        console.print("What is missing is needed only by packages that have no wheel for the target:")
        console.command(buildneeds.remedy(missing))
