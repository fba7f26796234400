"""The questions of the day: what was withdrawn, what is vulnerable, and what of it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from bundler.approval import index_answers, osv, provenance, vulnerabilities
from bundler.approval.dossier import (
    LISTED,
    NONE_KNOWN,
    NOT_ASKED,
    NOT_CHECKED,
    NOT_YANKED,
    YANKED,
    CarriedPackage,
    Inquiry,
    KnownOnTheDay,
    Limit,
)
from bundler.approval.index_answers import IndexAnswers
from bundler.approval.licences import shortened
from bundler.approval.osv import CARGO, PYPI, OsvAnswer, Subject
from bundler.approval.vulnerabilities import Acceptance, Vulnerability
from bundler.approval.wheels import WheelFacts
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Package

OFFLINE = "the index was not asked"
NOT_THERE = "not on that index"
_ECOSYSTEMS = {"pypi": PYPI, "cargo": CARGO}


class PackageYanked(AirferryError):
    """The bundle carries a package that its publisher has withdrawn, and nobody named it."""

    reference = "package-yanked"
    exit_code = 102


class VulnerabilitiesRefused(AirferryError):
    """What is known of the bundle's packages is as severe as --fail-on says, or was not asked."""

    reference = "vulnerabilities-refused"
    exit_code = 103


@dataclass(frozen=True)
class Questions:
    """What to ask and what to refuse: `index_url` is empty to ask no index, `fail_on` to refuse nothing."""

    index_url: str = ""
    osv: Path | None = None
    fail_on: str = ""
    allow_yanked: tuple[str, ...] = ()
    accepted: tuple[Acceptance, ...] = ()

    @property
    def any(self) -> bool:
        """Whether any source is asked."""
        return bool(self.index_url or self.osv)


def answer(
    packages: Sequence[CarriedPackage],
    carried: Mapping[str, Package],
    facts: Mapping[str, WheelFacts],
    questions: Questions,
    today: str,
) -> tuple[list[CarriedPackage], KnownOnTheDay]:
    """The packages with what is known of each, and the sum of it.

    Raises :class:`PackageYanked`, :class:`VulnerabilitiesRefused`, and InvalidRequest for a bad dump.
    """
    dump = osv.search(questions.osv, _subjects(packages, facts)) if questions.osv else None
    asked = [carried.get(package.file) or _unpacked(package) for package in packages]
    answers = (
        index_answers.ask(questions.index_url, _airflow_first(asked), vulnerabilities=dump is None)
        if questions.index_url
        else IndexAnswers("", why=OFFLINE, vulnerabilities_why=OFFLINE, provenance_why=OFFLINE)
    )
    told = [
        _told(package, facts.get(package.file), answers, dump, questions.accepted, today)
        for package in packages
    ]
    _refuse_yanked(told, questions.allow_yanked)
    if questions.fail_on:
        _refuse_vulnerable(told, questions.fail_on)
    return told, _sum(told, answers, dump, questions.accepted, facts, today)


def _unpacked(package: CarriedPackage) -> Package:
    """A library of the installer, which is asked for by its version: its wheel is not in the bundle."""
    return Package(package.name, package.version, package.file, 0, "", "")


def _airflow_first(packages: Sequence[Package]) -> list[Package]:
    # it is on every index that a bundle can be made from
    return sorted(packages, key=lambda package: package.name != "apache-airflow")


def _subjects(packages: Sequence[CarriedPackage], facts: Mapping[str, WheelFacts]) -> Iterator[Subject]:
    for package in packages:
        yield PYPI, package.name, package.version
        for subject, _ in _inside(facts.get(package.file)):
            yield subject


def _inside(told: WheelFacts | None) -> Iterator[tuple[Subject, str]]:
    """What an OSV dump can be asked of the components inside a wheel."""
    for sbom in told.sboms if told else ():
        for item in sbom.components:
            kind, _, _ = item.purl.removeprefix("pkg:").partition("/")
            if kind in _ECOSYSTEMS and item.version:
                yield (_ECOSYSTEMS[kind], item.name, item.version), f"{item.name} {item.version}"


def _told(
    package: CarriedPackage,
    facts: WheelFacts | None,
    answers: IndexAnswers,
    dump: OsvAnswer | None,
    accepted: Sequence[Acceptance],
    today: str,
) -> CarriedPackage:
    key = (package.name, package.version)
    file = answers.files.get((*key, package.sha256))
    if file:
        package = replace(
            package,
            uploaded=file.uploaded if package.sha256 else "",
            yanked=YANKED if file.yanked else NOT_YANKED,
            yanked_reason=shortened(file.reason) if file.yanked else "",
            provenance=answers.provenance.get((*key, package.sha256)) or package.provenance,
        )
    found: tuple[Vulnerability, ...] | None
    if dump:
        found = dump.found.get((PYPI, *key), ())
        for subject, name in _inside(facts):
            own = subject[0] == PYPI and (canonicalize_name(subject[1]), subject[2]) == key
            if not own:
                found += tuple(replace(item, within=name) for item in dump.found.get(subject, ()))
    else:
        found = answers.vulnerabilities.get(key)
    if found is None:
        return package
    judged = tuple(vulnerabilities.with_acceptance(item, accepted, today) for item in found)
    return replace(package, vulnerabilities=LISTED if judged else NONE_KNOWN, found=judged)


def _refuse_yanked(packages: Sequence[CarriedPackage], allowed: Sequence[str]) -> None:
    names = {canonicalize_name(name) for name in allowed}
    refused = [item for item in packages if item.yanked == YANKED and item.name not in names]
    if refused:
        raise PackageYanked(
            "The bundle carries what its publisher has withdrawn (yanked). No paper was written.",
            found="\n".join(
                f"{item.name} {item.version}: {item.yanked_reason or 'no reason is given'}"
                for item in refused
            ),
            needed="packages that are not withdrawn, or each of these named",
            hint="Make the bundle with other versions, or name what is to be carried all the same: "
            + " ".join(f"--allow-yanked {item.name}" for item in refused),
        )


def _refuse_vulnerable(packages: Sequence[CarriedPackage], limit: str) -> None:
    silent = [package.name for package in packages if package.vulnerabilities == NOT_ASKED]
    grave = [
        (package, item)
        for package in packages
        for item in package.found
        if vulnerabilities.at_least(item, limit) and item.accepted is None
    ]
    if not silent and not grave:
        return
    lines = [f"{package.name} {package.version}: {vulnerabilities.line(item)}" for package, item in grave]
    if silent:
        shown = ", ".join(silent[:10]) + (f" and {len(silent) - 10} more" if len(silent) > 10 else "")
        lines.append(f"not asked: {shown}")
    raise VulnerabilitiesRefused(
        f"The bundle does not pass --fail-on {limit}. No paper was written.",
        found="\n".join(lines),
        needed=f"an answer for every package, and nothing unrated or of severity {limit} or above that is not"
        " accepted",
        hint="Take versions that are fixed; or write each down with its reason in a file for --accepted. "
        "What was not asked needs --osv all.zip.",
    )


def _sum(
    told: Sequence[CarriedPackage],
    answers: IndexAnswers,
    dump: OsvAnswer | None,
    accepted: Sequence[Acceptance],
    facts: Mapping[str, WheelFacts],
    today: str,
) -> KnownOnTheDay:
    total = len(told)
    looked = [package for package in told if package.yanked != NOT_ASKED]
    asked = [package for package in told if package.vulnerabilities != NOT_ASKED]
    found = [item for package in told for item in package.found]
    used = {name for item in found if item.accepted for name in (item.id, *item.aliases)}
    why = answers.why or (NOT_THERE if len(looked) < total else "")
    yanked = Inquiry(len(looked), total, answers.source if looked else "", today if looked else "", why)
    if dump:
        count = f"{dump.advisories[PYPI]:,} advisories about Python packages"
        vulnerable = Inquiry(len(asked), total, f"{dump.source}, {count}", dump.date)
    else:
        why = answers.vulnerabilities_why or (NOT_THERE if len(asked) < total else "")
        source, day = (answers.source, today) if asked else ("", "")
        vulnerable = Inquiry(len(asked), total, source, day, why)
    return KnownOnTheDay(
        yanked=yanked,
        vulnerabilities=vulnerable,
        provenance=_provenance(told, answers, today),
        signed=sum(package.provenance.startswith(provenance.SIGNED) for package in told),
        wrongly_signed=sum(package.provenance.startswith(provenance.WRONG) for package in told),
        yanked_found=sum(package.yanked == YANKED for package in told),
        packages_affected=sum(bool(package.found) for package in told),
        severities=vulnerabilities.by_severity(found) if asked else None,
        accepted=vulnerabilities.states(accepted, used, today),
        limits=tuple(_limits(dump, facts, asked=bool(asked))),
    )


def _provenance(told: Sequence[CarriedPackage], answers: IndexAnswers, today: str) -> Inquiry:
    checked = sum(package.provenance != NOT_CHECKED for package in told)
    if not checked:
        return Inquiry(0, len(told), why=answers.provenance_why)
    return Inquiry(checked, len(told), answers.source, today, NOT_THERE if checked < len(told) else "")


def _limits(dump: OsvAnswer | None, facts: Mapping[str, WheelFacts], *, asked: bool) -> Iterator[Limit]:
    inside = sum(len(sbom.components) for told in facts.values() for sbom in told.sboms)
    within = (
        sum(1 for told in facts.values() for _ in _inside(told)) if dump and dump.advisories[CARGO] else 0
    )
    if asked and inside > within:
        yield Limit("unasked-inside", f"{inside - within} / {inside}")
    if asked:
        yield Limit("unasked-server", "PostgreSQL, Python")
