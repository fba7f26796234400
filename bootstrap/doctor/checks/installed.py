"""An installation that is there: whole, rightly configured, alive, with room to grow."""

from __future__ import annotations

from typing import Callable, Iterator, List, Tuple

from bootstrap.doctor.checks import components, configuration, files, growth, metadata
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import WARNING
from bootstrap.facts.installed import Installed

CHECKS: Tuple[Callable[[Installed], Iterator[Finding]], ...] = (
    files.unfinished,
    files.check,
    configuration.check,
    components.check,
    components.running,
    components.ports,
    metadata.check,
    growth.check,
    growth.backups,
)


def check(
    installed: Installed, checks: Tuple[Callable[[Installed], Iterator[Finding]], ...] = CHECKS
) -> List[Finding]:
    """Everything about an installation; a check that fails is itself a finding."""
    findings = [
        Finding("facts-incomplete", WARNING, f"{item.name}: {item.error}") for item in installed.failures
    ]
    for one in checks:
        try:
            findings += list(one(installed))
        except Exception as error:  # noqa: BLE001  (the others still count)
            name = f"{one.__module__.rpartition('.')[2]}.{one.__name__}"
            findings.append(Finding("check-crashed", WARNING, f"{name}: {type(error).__name__}: {error}"))
    return findings
