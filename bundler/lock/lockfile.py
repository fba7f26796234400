"""The lock: what was resolved, which file of each package fits the target, and the bundle's pylock.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import tomli_w
from packaging.pylock import Package as LockPackage
from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import NormalizedName, parse_wheel_filename
from packaging.version import Version

from bundler.base import toml
from bundler.base.errors import ResolutionFailed
from wheelhouse import timestamp
from wheelhouse.manifest import Package
from wheelhouse.target import Target

_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True)
class Artifact:
    """A file to get: from `url`, or from `path` on this machine. `size` 0 and `uploaded` "" are unknown."""

    filename: str
    url: str
    sha256: str
    size: int = 0
    uploaded: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Locked:
    """A resolved package with its files; `directory` for a project that is built from a folder."""

    name: str
    version: str
    wheels: tuple[Artifact, ...] = ()
    sdist: Artifact | None = None
    directory: Path | None = None
    requires_python: str = ""


def read(text: str, base: Path = Path()) -> tuple[Locked, ...]:
    """Parse a ``pylock.toml`` (PEP 751); paths in it are taken from `base`.

    Raises :class:`ResolutionFailed` when it is not one, or names a file without a sha256.
    """
    try:
        lock = Pylock.from_dict(toml.loads(text))
    except (PylockValidationError, toml.TOMLError) as error:
        raise ResolutionFailed(
            "The resolver's lock cannot be used.",
            found=str(error),
            hint="An index that gives no hashes for its files (PEP 503 fragment, PEP 691) cannot be used.",
        ) from error
    return tuple(_locked(package, base) for package in lock.packages)


def target_tags(target: Target) -> dict[Tag, int]:
    """Every tag that the target accepts, with its rank; 0 is the best."""
    platforms = _platforms(target)
    tags = [*cpython_tags(target.version, abis=[target.tag], platforms=platforms)]
    tags += compatible_tags(target.version, target.tag, platforms)
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def choose(wheels: Iterable[Artifact], tags: dict[Tag, int]) -> Artifact | None:
    """The wheel that pip would take on the target; None when none fits."""
    ranked: list[tuple[int, int, str, Artifact]] = []
    for wheel in wheels:
        _, _, build, own = parse_wheel_filename(wheel.filename)
        ranks = [tags[tag] for tag in own if tag in tags]
        if ranks:
            # A build number beats none, and a higher one a lower one (binary distribution format).
            ranked.append((min(ranks), -build[0] if build else 1, wheel.filename, wheel))
    return min(ranked, key=lambda item: item[:3])[3] if ranked else None


def write(packages: Sequence[Package], target: Target) -> str:
    """The bundle's own ``pylock.toml``: every wheel by its path inside the bundle, with hash and size."""
    lock = Pylock(
        lock_version=Version("1.0"),
        created_by="airferry",
        requires_python=SpecifierSet(f"=={target.python}.*"),
        packages=[
            LockPackage(
                name=NormalizedName(package.name),
                version=Version(package.version),
                wheels=[
                    PackageWheel(
                        name=package.filename,
                        path=package.path,
                        size=package.size,
                        hashes={"sha256": package.sha256},
                    )
                ],
            )
            for package in sorted(packages, key=lambda item: item.name)
        ],
    )
    lock.validate()
    return tomli_w.dumps(dict(lock.to_dict()))


def dump(packages: Iterable[Locked], header: str = "") -> str:
    """A ``pylock.toml`` that :func:`read` gives back, for published files; `header` is a comment."""
    lock = Pylock(
        lock_version=Version("1.0"),
        created_by="airferry",
        packages=[
            LockPackage(
                name=NormalizedName(package.name),
                version=Version(package.version),
                requires_python=SpecifierSet(package.requires_python) if package.requires_python else None,
                wheels=[PackageWheel(**_published(wheel)) for wheel in package.wheels],
                sdist=PackageSdist(**_published(package.sdist)) if package.sdist else None,
            )
            for package in packages
        ],
    )
    lock.validate()
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + tomli_w.dumps(dict(lock.to_dict()))


def _published(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.filename,
        "url": artifact.url,
        "size": artifact.size or None,
        "upload_time": timestamp.parse(artifact.uploaded) if artifact.uploaded else None,
        "hashes": {"sha256": artifact.sha256},
    }


def _platforms(target: Target) -> list[str]:
    host = target.host
    major, minor = host.version
    if host.libc == "musl":
        return [f"musllinux_{major}_{lower}_{host.machine}" for lower in range(minor, -1, -1)]
    platforms = []
    for lower in range(minor, 4, -1):
        platforms.append(f"manylinux_{major}_{lower}_{host.machine}")
        legacy = _LEGACY.get((major, lower))
        if legacy:
            platforms.append(f"{legacy}_{host.machine}")
    return platforms


def _locked(package: LockPackage, base: Path) -> Locked:
    if package.directory is not None:
        return Locked(package.name, str(package.version or ""), directory=base / package.directory.path)
    wheels, sdist = list(package.wheels or ()), package.sdist
    if package.archive is not None:
        archive = package.archive
        options = {
            "name": (archive.path or archive.url or "").rsplit("/", 1)[-1].split("#")[0],
            "url": archive.url,
            "path": archive.path,
            "size": archive.size,
            "upload_time": archive.upload_time,
            "hashes": archive.hashes,
        }
        if str(options["name"]).endswith(".whl"):
            wheels = [PackageWheel(**options)]  # type: ignore[arg-type]
        else:
            sdist = PackageSdist(**options)  # type: ignore[arg-type]
    if package.vcs is not None:
        raise ResolutionFailed(
            f"{package.name} comes from a repository, which a bundle cannot record by hash.",
            found=package.vcs.url or "",
            hint="Build a wheel of it and give that with --find-links or as a requirement.",
        )
    version = str(package.version or "")
    return Locked(
        package.name,
        version,
        tuple(_artifact(wheel, base) for wheel in wheels),
        _artifact(sdist, base) if sdist is not None else None,
        requires_python=str(package.requires_python or ""),
    )


def _artifact(file: PackageWheel | PackageSdist, base: Path) -> Artifact:
    sha256 = file.hashes.get("sha256", "")
    # it is the file's name in the cache
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ResolutionFailed(
            f"The index gives no sha256 for {file.filename}.",
            found=sha256[:100],
            needed="a sha256 of every file",
        )
    uploaded = file.upload_time.isoformat().replace("+00:00", "Z") if file.upload_time else ""
    url, path = file.url or "", (base / file.path) if file.path else None
    if url.startswith("file:"):
        url, path = "", Path(unquote(urlsplit(url).path))
    return Artifact(file.filename, url, sha256.lower(), file.size or 0, uploaded, path)
