"""Doctor on an installation that is there: its parts, and the host once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

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
    "installation-found", "airflow-cfg-kept", "postgres-found", "postgres-incomplete", "postgres-running",
    "python-others", "python-managed", "airflow-found", "airflow-running", "airflow-variables",
    "environment-ignored", "account-locked", "sudo-missing", "umask-strict", "timezone-local",
)  # fmt: skip


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
    return replace(report, findings=ordered([item for item in left if item.id not in _BEFORE]))


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
    full = {"logs-full", "database-full"} & {item.id for item in found}
    return finding.id in ("disk-low", "disk-full", "inodes-few") and bool(full)
