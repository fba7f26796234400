"""Doctor on an installation that is there: its parts, and the host once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from bootstrap.doctor.checks import account, growth, home, interpreters, neighbours, settings, storage
from bootstrap.doctor.checks.installed import check
from bootstrap.doctor.finding import Finding, Report, ordered
from bootstrap.doctor.preflight import needs_for, request_for
from bootstrap.doctor.run import describe, diagnose
from bootstrap.examination import installed
from bootstrap.facts.host import Facts, Request, collect
from bootstrap.installed.installation import Installation
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest

# What is good to know of a host before an install, and says nothing of one that is there.
_BEFORE = (
    home.INSTALLATION_FOUND,
    home.AIRFLOW_CFG_KEPT,
    neighbours.POSTGRES_FOUND,
    neighbours.POSTGRES_INCOMPLETE,
    neighbours.POSTGRES_RUNNING,
    interpreters.PYTHON_OTHERS,
    interpreters.PYTHON_MANAGED,
    neighbours.AIRFLOW_FOUND,
    neighbours.AIRFLOW_RUNNING,
    settings.AIRFLOW_VARIABLES,
    settings.ENVIRONMENT_IGNORED,
    account.ACCOUNT_LOCKED,
    account.SUDO_MISSING,
    account.UMASK_STRICT,
    settings.TIMEZONE_LOCAL,
)


def judge(installation: Installation) -> Report:
    """Judge an installation, and its host; never raises for what is broken in it."""
    manifest = _manifest(installation)
    if manifest is None:
        # what it needs of the host stands in there
        receipt = installation.receipt
        facts = collect(Request(receipt.home, account=receipt.account))
        report = Report(f"Airflow {receipt.airflow}", describe(facts), ())
    else:
        needs = needs_for(manifest, installation.receipt, (), installed=True)
        facts = collect(request_for(needs))
        report = diagnose(_without_ours(facts, installation), needs)
    found = check(installed.collect(installation))
    left = [*found, *(item for item in report.findings if not _said(item, found))]
    return replace(report, findings=ordered([item for item in left if item.entry not in _BEFORE]))


def _manifest(installation: Installation) -> Optional[Manifest]:
    try:
        return Manifest.loads(installation.release.manifest.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, AirferryError):
        return None


def _without_ours(facts: Facts, installation: Installation) -> Facts:
    """Our own components are no neighbours of ours."""
    home = installation.receipt.home
    if facts.airflows:
        running = tuple(item for item in facts.airflows.running if item.home != home)
        facts = replace(facts, airflows=replace(facts.airflows, running=running))
    return facts


def _said(finding: Finding, found: list[Finding]) -> bool:
    """Whether the installation's own findings say the same, and more exactly."""
    full = any(item.entry in (growth.LOGS_FULL, growth.DATABASE_FULL) for item in found)
    return finding.entry in (storage.DISK_LOW, storage.DISK_FULL, storage.INODES_FEW) and full
