"""What doctor says on both sides, as a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from bootstrap.base.result import Result
from bootstrap.doctor.finding import Finding, Report
from bootstrap.doctor.render import render
from bootstrap.doctor.severity import SEVERITIES

if TYPE_CHECKING:
    from bootstrap.doctor.catalogue import Catalogue


@dataclass(frozen=True)
class Judged:
    """A finding: what was `found` and `needed`, `why` it matters, and the `remedy` with its exact commands.

    `severity` is blocker, warning, note or ok; `needs_root` says that an ordinary account cannot do it.
    """

    id: str
    severity: str
    title: str
    found: str
    needed: str
    why: str
    remedy: str
    commands: Tuple[str, ...]
    needs_root: bool


@dataclass(frozen=True)
class Judgement:
    """What doctor found, the gravest first: `subject` is what was judged, `host` where.

    `counts` are those of the findings by severity.
    """

    subject: str
    host: str
    blocked: bool
    counts: Dict[str, int]
    findings: Tuple[Judged, ...]


@dataclass(frozen=True)
class Explanation:
    """What there is to know about a finding; `severity` is the gravest that it can have."""

    id: str
    severity: str
    title: str
    why: str
    more: str


@dataclass(frozen=True)
class Explained:
    """The findings that were asked for."""

    findings: Tuple[Explanation, ...]


def judged(report: Report, *, strict: bool, next_command: str, again: str) -> Result[Judgement]:
    """A report; with `strict` warnings count. See :func:`bootstrap.doctor.render.render`."""
    return Result(
        judgement(report),
        lambda console: render(report, console, next_command=next_command, again=again),
        report.exit_code(strict),
    )


def judgement(report: Report) -> Judgement:
    """The data of a report."""
    return Judgement(
        subject=report.subject,
        host=report.host,
        blocked=report.blocked,
        counts={severity: len(report.of(severity)) for severity in SEVERITIES},
        findings=tuple(_judged(finding) for finding in report.findings),
    )


def _judged(found: Finding) -> Judged:
    return Judged(
        id=found.id,
        severity=found.severity,
        title=found.title,
        found=found.found,
        needed=found.needed,
        why=found.why,
        remedy=found.remedy,
        commands=tuple(found.commands),
        needs_root=found.needs_root,
    )


def explained(identifier: str, catalogue: Optional[Catalogue] = None) -> Result[Explained]:
    """What there is to know about a finding, or about all with no identifier; raises UnknownFinding.

    `catalogue` is by default that of the closed side.
    """
    # imports every check, for which doctor itself has no time
    from bootstrap.doctor.catalogue import CATALOGUE  # noqa: PLC0415
    from bootstrap.doctor.explain import render_entry  # noqa: PLC0415

    known = CATALOGUE if catalogue is None else catalogue
    entries = [known.explain(identifier)] if identifier else known.entries.values()
    found = tuple(Explanation(item.id, item.severity, item.title, item.why, item.more) for item in entries)
    return Result(Explained(found), lambda console: render_entry(identifier, console, known))
