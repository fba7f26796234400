"""An Airflow release as the index knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.airflow.release import release_for
from bundler.base.errors import InvalidRequest
from bundler.index.simple import Index, newest
from wheelhouse import timestamp
from wheelhouse.target import Target

PROJECT = "apache-airflow"
# Its parts (core, task SDK) are uploaded minutes apart, at times after the main wheel.
_GRACE = timedelta(hours=1)


@dataclass(frozen=True)
class Release:
    """A release; `as_of` (RFC 3339) is when all its parts were there, empty when the index tells no times."""

    version: str
    requires_python: str
    as_of: str
    yanked: bool


def find(index: Index, wanted: str) -> Release:
    """Find a release; for one or two numbers (``3.3``) the newest of that line, for nothing the newest.

    Raises :class:`InvalidRequest` when the index does not have it, DownloadFailed when there is no index.
    """
    files = tuple(item for item in index.files(PROJECT) if item.is_wheel)
    line = Version(wanted).release if wanted else ()
    if 0 < len(line) <= 2:
        version = newest(tuple(item for item in files if item.version.release[: len(line)] == line))
    else:
        version = Version(wanted) if wanted else newest(files)
    wheel = next((item for item in files if item.version == version), None)
    if wheel is None or version is None:
        known = sorted({item.version for item in files if not item.version.is_prerelease})
        near = [str(item) for item in known if version and item.release[:2] == version.release[:2]]
        shown = near or [str(item) for item in known[-8:]]
        raise InvalidRequest(
            f"The index has no Airflow {wanted}." if wanted else "The index has no Airflow.",
            found=f"{index.url} has {', '.join(shown)}" if shown else f"{index.url} has no {PROJECT} wheel",
        )
    as_of = ""
    if wheel.uploaded:
        uploaded = timestamp.parse(wheel.uploaded)
        as_of = timestamp.at((uploaded + _GRACE).timestamp())
    return Release(str(version), wheel.requires_python, as_of, wheel.yanked)


def check(release: Release, target: Target) -> None:
    """Raise :class:`InvalidRequest` when the release does not run on the target's Python.

    Raises UnsupportedAirflow for one that the closed side cannot install: better here than there.
    """
    release_for(release.version)
    if not runs_on(release.requires_python, target.python):
        raise InvalidRequest(
            f"Airflow {release.version} does not run on Python {target.python}.",
            needed=f"Python {release.requires_python}",
            hint="Choose another --python, or another --airflow.",
        )


def runs_on(requires_python: str, python: str) -> bool:
    """Whether some patch release of a minor version satisfies a Requires-Python.

    ``!=3.15``, which by PEP 440 leaves out 3.15.0 alone, is meant for all of 3.15: Airflow writes it so.
    """
    specifiers = SpecifierSet(requires_python)
    left_out = {item.version for item in specifiers if item.operator == "!="}
    return python not in left_out and specifiers.contains(f"{python}.99", prereleases=True)
