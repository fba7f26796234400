"""What is known to go wrong with a release, or with a Python that it was not tested with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.specifiers import SpecifierSet

from bootstrap.airflow.differences import NEWEST
from bootstrap.airflow.release import release_for
from bundler.base import toml
from bundler.lock.graph import Metadata
from wheelhouse.target import Target


def find(airflow: Metadata, target: Target) -> tuple[str, ...]:
    """The sentences that hold for this release (by its wheel's metadata) on that target."""
    texts = [entry["text"] for entry in known() if _holds(entry, airflow.version, target.python)]
    return (*texts, *_unknown(airflow.version), *_untested(airflow, target.python))


def _holds(entry: Mapping[str, str], airflow: str, python: str) -> bool:
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


def _untested(airflow: Metadata, python: str) -> Iterator[str]:
    # Old releases allow any newer Python in Requires-Python; their classifiers tell what was tested.
    if airflow.pythons and python not in airflow.pythons:
        yield (
            f"Airflow {airflow.version} was not made for Python {python}, but for "
            f"{', '.join(airflow.pythons)}: what it needs may be missing or broken there."
        )


@cache
def known() -> tuple[Mapping[str, str], ...]:
    """Every advisory: its id, the releases that it is for, and what is told."""
    text = files("bundler.resources").joinpath("advisories.toml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = toml.loads(text)["advisory"]
    return tuple(entries)
