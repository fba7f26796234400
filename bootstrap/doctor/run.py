"""Judging a host: every check on the facts, and what a check that fails becomes."""

from __future__ import annotations

from typing import Callable, Iterator, Tuple

from bootstrap.base.console import size_text
from bootstrap.doctor.checks import (
    account,
    airflow_cfg,
    database,
    guards,
    home,
    interpreter,
    machine,
    neighbours,
    network,
    origin,
    ports,
    resources,
    settings,
    storage,
)
from bootstrap.doctor.finding import Finding, Report, gathered, ordered
from bootstrap.doctor.needs import Needs
from bootstrap.facts.host import Facts

Check = Callable[[Facts, Needs], Iterator[Finding]]

CHECKS: Tuple[Check, ...] = (
    interpreter.check,
    machine.release,
    machine.check,
    home.check,
    airflow_cfg.check,
    storage.check,
    resources.check,
    account.check,
    ports.check,
    network.check,
    settings.environment,
    settings.region,
    settings.security,
    guards.services,
    guards.firewall,
    guards.bundle,
    origin.check,
    neighbours.airflows,
    neighbours.postgres,
    database.check,
)


def diagnose(facts: Facts, needs: Needs, checks: Tuple[Check, ...] = CHECKS) -> Report:
    """Judge the facts; never raises: a check that fails is itself a finding."""
    findings = gathered([(check, (facts, needs)) for check in checks], facts.failures)
    return Report(f"Airflow {needs.airflow} for {needs.label}", describe(facts), ordered(findings))


def describe(facts: Facts) -> str:
    """The host in one line."""
    parts = []
    if facts.distribution and facts.distribution.name:
        parts.append(facts.distribution.name)
    if facts.libc:
        parts += [facts.libc.machine, f"{facts.libc.name} {facts.libc.version}".strip()]
    if facts.resources:
        cpus = facts.resources.usable_cpus
        parts.append(
            f"{cpus} CPU{'s' if cpus > 1 else ''}, {size_text(facts.resources.usable_memory)} of memory"
        )
    return ", ".join(part for part in parts if part)
