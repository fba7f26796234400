"""The releases and the Pythons that each supports, as the index and the release table tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.version import Version

from bootstrap.airflow.release import release_for
from bundler.index import release
from bundler.index.simple import PYPI, Index
from bundler.index.transport import Session

OLDEST = Version("2.2.2")
# wheelhouse, and so every bundle, begins there
_FIRST_PYTHON = 8


@dataclass(frozen=True)
class Pair:
    """An Airflow release and a minor Python."""

    airflow: str
    python: str

    def __str__(self) -> str:
        return f"{self.airflow}/{self.python}"


def known() -> tuple[Pair, ...]:
    """Every final release from the oldest on, with its Pythons; raises DownloadFailed without an index."""
    with Session((PYPI,)) as session:
        files = Index(PYPI, session).files(release.PROJECT)
    wheels = {
        item.version: item.requires_python
        for item in files
        if item.is_wheel and not item.version.is_prerelease and not item.yanked and item.version >= OLDEST
    }
    return tuple(_pairs(wheels))


def _pairs(wheels: dict[Version, str]) -> Iterator[Pair]:
    for version in sorted(wheels):
        for python in release_for(str(version)).pythons:
            if int(python.partition(".")[2]) >= _FIRST_PYTHON and release.runs_on(wheels[version], python):
                yield Pair(str(version), python)


def in_turn(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The newest patch release of every minor first: what a sweep that is broken off should have done."""
    newest: dict[tuple[int, ...], Version] = {}
    for pair in pairs:
        version = Version(pair.airflow)
        newest[version.release[:2]] = max(version, newest.get(version.release[:2], version))
    return tuple(
        sorted(pairs, key=lambda pair: newest[Version(pair.airflow).release[:2]] != Version(pair.airflow))
    )


def sample(pairs: tuple[Pair, ...], count: int, seed: str) -> tuple[Pair, ...]:
    """Some of them, the same for the same seed."""
    return tuple(random.Random(seed).sample(pairs, min(count, len(pairs))))
