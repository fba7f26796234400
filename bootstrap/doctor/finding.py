"""A finding and a report: what doctor says, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, List, Optional, Tuple

from bootstrap.doctor.severity import BLOCKER, SEVERITIES, WARNING
from bootstrap.facts.host import Failure

EXIT_BLOCKED = 3
EXIT_WARNINGS = 4


@dataclass(frozen=True)
class Entry:
    """What there is to say about a finding, as a constant on top of the module that finds it.

    `id` is stable, `severity` the gravest that it can have, `title` a few words, `why` it matters to Airflow;
    `more` is told by ``--explain``.
    """

    id: str
    severity: str
    title: str
    why: str = ""
    more: str = ""

    def found(
        self,
        found: str,
        *,
        needed: str = "",
        remedy: str = "",
        commands: Tuple[str, ...] = (),
        needs_root: bool = False,
        severity: Optional[str] = None,
    ) -> Finding:
        """The finding, of a lower `severity` where one is given."""
        return Finding(self, severity or self.severity, found, needed, remedy, commands, needs_root)


@dataclass(frozen=True)
class Finding:
    """One thing that was judged.

    `severity` is blocker (it will not work), warning (it may
    not, or not for long), note (good to know) or ok. `commands` are exact and carry out the `remedy`;
    `needs_root` says that an ordinary account cannot.
    """

    entry: Entry
    severity: str
    found: str
    needed: str = ""
    remedy: str = ""
    commands: Tuple[str, ...] = ()
    needs_root: bool = False

    @property
    def id(self) -> str:
        """What it is known by."""
        return self.entry.id

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        return self.entry.title

    @property
    def why(self) -> str:
        """Why it matters to Airflow."""
        return self.entry.why


FACTS_INCOMPLETE = Entry(
    "facts-incomplete",
    WARNING,
    "Some facts could not be collected",
    "The checks that depend on them were not done.",
)
CHECK_CRASHED = Entry(
    "check-crashed",
    WARNING,
    "A check failed",
    "This is a bug in airferry; what this check covers was not checked.",
)


@dataclass(frozen=True)
class Report:
    """All findings, the gravest first; `subject` is what was judged and `host` where."""

    subject: str
    host: str
    findings: Tuple[Finding, ...]

    def of(self, severity: str) -> Tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def blockers(self) -> Tuple[Finding, ...]:
        """What will make it fail."""
        return self.of(BLOCKER)

    @property
    def warnings(self) -> Tuple[Finding, ...]:
        """What may make it fail."""
        return self.of(WARNING)

    @property
    def blocked(self) -> bool:
        """Whether anything blocks."""
        return bool(self.blockers)

    def exit_code(self, strict: bool = False) -> int:
        """0 when nothing blocks, 3 when something does, 4 for warnings when `strict`."""
        if self.blocked:
            return EXIT_BLOCKED
        return EXIT_WARNINGS if strict and self.warnings else 0

    def plus(self, findings: Iterable[Finding], *, without: Iterable[str] = ()) -> Report:
        """The report with more findings, and without those of some ids."""
        left = [finding for finding in self.findings if finding.id not in tuple(without)]
        return replace(self, findings=ordered([*findings, *left]))


def gathered(
    checks: Iterable[Tuple[Callable[..., Iterable[Finding]], Tuple[Any, ...]]], failures: Iterable[Failure]
) -> List[Finding]:
    """The findings of the checks, each with what it is given, and of collectors that gave no answer.

    A check that fails is itself a finding: the others still count.
    """
    findings = [
        FACTS_INCOMPLETE.found(
            f"{failure.name}: {failure.error}",
            remedy="When this machine is very busy, run doctor again later.",
        )
        for failure in failures
    ]
    for check, given in checks:
        try:
            findings += check(*given)
        except Exception as error:  # noqa: BLE001  (the others still count)
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            findings.append(CHECK_CRASHED.found(f"{name}: {type(error).__name__}: {error}"))
    return findings


def ordered(findings: List[Finding]) -> Tuple[Finding, ...]:
    """The gravest first, otherwise as they came."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
