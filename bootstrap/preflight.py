"""The installer's preflight: the same doctor, with the choices of this install."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

from bootstrap import receipt
from bootstrap.console import Console
from bootstrap.doctor.checks.interpreter import choose
from bootstrap.doctor.finding import Report
from bootstrap.doctor.needs import Port, needs_of
from bootstrap.doctor.render import render
from bootstrap.doctor.run import diagnose
from bootstrap.facts.host import Request, collect
from bootstrap.installation import Installation
from bootstrap.options import Options
from bootstrap.receipt import Receipt
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle


class PreflightBlocked(AirferryError):
    """Doctor found what would make the install fail; nothing was changed."""

    reference = "preflight-blocked"
    exit_code = 3


@dataclass(frozen=True)
class Judgement:
    """Doctor's report, and the interpreter that it would take; empty when none fits."""

    report: Report
    python: str


def judge(bundle: Bundle, chosen: Receipt, options: Options) -> Judgement:
    """Collect this host's facts and judge them for the bundle and the choices; changes nothing."""
    earlier = receipt.find(Path(chosen.home) / "receipt.json")
    # an installation of ours holds its own ports
    ports: List[Port] = []
    if earlier is None or earlier.web_port != chosen.web_port:
        ports.append(Port(chosen.web_port, "web server", named=options.port is not None))
    if earlier is None or earlier.database.port != chosen.database.port:
        ports.append(Port(chosen.database.port, "PostgreSQL", named=options.postgres_port is not None))
    return _diagnose(bundle.manifest, chosen, ports)


def judge_installed(installation: Installation) -> Report:
    """Judge the host once more for an installation that is there."""
    manifest = Manifest.loads(installation.release.manifest.read_text(encoding="utf-8"))
    return _diagnose(manifest, installation.receipt, []).report


def _diagnose(manifest: Manifest, chosen: Receipt, ports: Sequence[Port]) -> Judgement:
    python = chosen.python or None
    needs = needs_of(
        manifest,
        home=chosen.home,
        ports=tuple(ports),
        parallelism=chosen.parallelism,
        account=chosen.account,
        python=python,
    )
    facts = collect(
        Request(
            home=chosen.home,
            wanted_python=manifest.target.python,
            python=python,
            ports=tuple(port.number for port in ports),
            account=chosen.account,
        )
    )
    found = choose(facts, needs)
    # the file itself: a link may be switched to another version, a shim depends on its user's settings
    return Judgement(diagnose(facts, needs), found.resolved if found else "")


def check(report: Report, ignored: Sequence[str], console: Console) -> None:
    """Show what was found, and stop for a blocker that was not ignored; raises :class:`PreflightBlocked`."""
    blockers = [finding for finding in report.blockers if finding.id not in ignored]
    if not blockers:
        return
    render(report, console, next_command="")
    raise PreflightBlocked(
        f"{len(blockers)} finding{'s' if len(blockers) > 1 else ''} would make the install fail;"
        " nothing was changed.",
        found=", ".join(finding.id for finding in blockers),
        hint="Do what is said there and run the same command again, or go on against the advice with "
        + " ".join(f"--ignore {finding.id}" for finding in blockers),
    )
