"""Vulnerabilities of packages, how severe they are, and what was accepted in writing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

UNKNOWN = "unknown"
# From the least; what nobody rated may be the worst, and counts as such.
SEVERITIES = ("low", "medium", "high", "critical", UNKNOWN)


@dataclass(frozen=True)
class Acceptance:
    """An entry of ``accepted.toml``: a vulnerability that is known and carried all the same, and why.

    `state` is used, expired, or unused (nothing of the kind was found).
    """

    id: str
    reason: str
    until: str
    by: str
    state: str = "unused"


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability; `severity` is low to critical or unknown, `accepted` its written justification.

    `fixed_in` are the versions that end it, as the source tells; `within` names the component inside of the
    package that has it, empty for the package itself.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str
    fixed_in: tuple[str, ...]
    accepted: Acceptance | None = None
    within: str = ""


def line(found: Vulnerability) -> str:
    """A vulnerability in one line."""
    aliases = f" ({', '.join(found.aliases)})" if found.aliases else ""
    within = f" in {found.within}" if found.within else ""
    fixed = f"; fixed in {', '.join(found.fixed_in)}" if found.fixed_in else ""
    return f"{found.id}{aliases}{within}, {found.severity}: {found.summary}{fixed}"


def at_least(found: Vulnerability, severity: str) -> bool:
    """Whether a vulnerability is of that severity or a higher one."""
    return SEVERITIES.index(found.severity) >= SEVERITIES.index(severity)


def with_acceptance(found: Vulnerability, accepted: Iterable[Acceptance], today: str) -> Vulnerability:
    """The vulnerability with the entry that names it, by its own id or an alias, and has not expired."""
    names = {found.id, *found.aliases}
    for entry in accepted:
        if entry.id in names and entry.until >= today:
            return replace(found, accepted=replace(entry, state="used"))
    return found


def states(accepted: Iterable[Acceptance], used: set[str], today: str) -> tuple[Acceptance, ...]:
    """The entries with what became of them; `used` are ids of what was found, with all aliases."""
    return tuple(
        replace(entry, state="expired" if entry.until < today else "used" if entry.id in used else "unused")
        for entry in accepted
    )


def by_severity(found: Iterable[Vulnerability]) -> dict[str, int]:
    """How many there are of each severity, the worst first."""
    severities = [item.severity for item in found]
    return {name: severities.count(name) for name in reversed(SEVERITIES) if name in severities}
