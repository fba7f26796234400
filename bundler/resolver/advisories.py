"""What is known to go wrong with a release, or with a Python that it was not tested with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.airflow.differences import NEWEST
from bootstrap.airflow.release import release_for
from bundler.base import toml
from bundler.lock.graph import WheelMetadata
from bundler.resolver import Question
from wheelhouse.target import Target


def find(airflow: WheelMetadata, target: Target) -> tuple[str, ...]:
    """The sentences that hold for this release (by its wheel's metadata) on that target."""
    texts = [entry["text"] for entry in known() if _holds(entry, airflow.version, target.python)]
    return (*texts, *_unknown(airflow.version), *_untested(airflow, target.python))


def _holds(entry: Mapping[str, Any], airflow: str, python: str) -> bool:
    return all(
        SpecifierSet(entry.get(name, "")).contains(version, prereleases=True)
        for name, version in (("airflow", airflow), ("python", python))
    )


def _unknown(version: str) -> Iterator[str]:
    if not release_for(version).known:
        yield (
            f"Airflow {version} is newer than the newest that this airferry knows ({NEWEST}) and "
            "is treated like that one. Rehearse the bundle before the trip, or look for a newer airferry."
        )


def _untested(airflow: WheelMetadata, python: str) -> Iterator[str]:
    # Old releases allow any newer Python in Requires-Python; their classifiers tell what was tested.
    if airflow.pythons and python not in airflow.pythons:
        yield (
            f"Airflow {airflow.version} was not made for Python {python}, but for "
            f"{', '.join(airflow.pythons)}: what it needs may be missing or broken there."
        )


def exclude_broken(question: Question, airflow: str) -> Question:
    """Keep a resolution as of a date from provider versions that cannot work with the release.

    Where the version that works came after the release, a date of its own holds for it.
    """
    if not question.exclude_newer:
        return question
    entries = [entry for entry in pairs() if _is_for(entry, airflow)]
    constraints = "".join(f"{entry['package']}{entry['works']}\n" for entry in entries)
    later = tuple(
        (name, entry["since"])
        for entry in entries
        if "since" in entry
        for name in (entry["package"], *entry.get("also", ()))
    )
    return replace(question, constraints=question.constraints + constraints, later=(*question.later, *later))


def broken(airflow: str, versions: Mapping[str, str]) -> Iterator[str]:
    """What is told of packages, by name and version, that cannot work with the release."""
    for entry in pairs():
        version = versions.get(entry["package"], "")
        if version and _is_for(entry, airflow) and not SpecifierSet(entry["works"]).contains(version):
            yield f"{entry['package']} {version} does not work with Airflow {airflow}: {entry['text']}"


def kept_from(airflow: str, versions: Mapping[str, str]) -> Iterator[str]:
    """What is told of packages whose choice :func:`exclude_broken` has narrowed."""
    for entry in pairs():
        version = versions.get(entry["package"], "")
        if version and _is_for(entry, airflow) and _narrows(entry["works"], version):
            chosen = f"{entry['package']} {version} was chosen from {entry['works']}"
            yield f"{chosen}: with others {entry['text']}"


def _narrows(works: str, version: str) -> bool:
    """Whether the newest would have been another: what is left out, and older than it, would not."""
    return any(
        item.operator != "!=" or Version(item.version) > Version(version) for item in SpecifierSet(works)
    )


def _is_for(entry: Mapping[str, Any], airflow: str) -> bool:
    return SpecifierSet(entry["airflow"]).contains(airflow, prereleases=True)


def pairs() -> tuple[Mapping[str, Any], ...]:
    """Every pair of a release and a package that is known not to work, and which version does."""
    return _table("broken")


def known() -> tuple[Mapping[str, Any], ...]:
    """Every advisory: its id, the releases that it is for, and what is told."""
    return _table("advisory")


@cache
def _table(name: str) -> tuple[Mapping[str, Any], ...]:
    text = files("bundler.resources").joinpath("advisories.toml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = toml.loads(text)[name]
    return tuple(entries)
