"""What an add-on is made onto: the lock of a bundle that is inside already, and of add-ons to it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from bundler.base.errors import InvalidRequest, ResolutionFailed
from bundler.index.constraints import PIN
from bundler.lock import graph
from bundler.lock.lockfile import Locked
from wheelhouse import codec, layout, text
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Constraints, Manifest, Package
from wheelhouse.reader import Bundle
from wheelhouse.target import Target


@dataclass(frozen=True)
class Base:
    """A bundle and the add-ons that follow it, by their manifests; `files` are those that hold wheels too.

    `identities` are their bundle ids in order: an add-on names the last one as its base.
    """

    identities: tuple[str, ...]
    airflow: str
    target: Target
    constraints: Constraints
    created: str
    packages: tuple[Package, ...]
    files: tuple[Path, ...] = ()

    @property
    def identity(self) -> str:
        """What an add-on names as its base."""
        return self.identities[-1]

    @property
    def pins(self) -> dict[str, str]:
        """The versions that are inside, by name."""
        return {package.name: package.version for package in self.packages}

    @property
    def constraints_choice(self) -> str:
        """What ``--constraints auto`` means for an add-on: where the base had its own from.

        An address that a bundle names is never opened; raises :class:`InvalidRequest`.
        """
        found = self.constraints
        if found.source == "url":
            raise InvalidRequest(
                "The base bundle has its constraints from a custom URL.",
                found=f"{found.url}, sha256 {found.sha256}",
                needed="the constraints to resolve with, named explicitly",
                hint="URLs in a bundle are not opened. If you trust it, name it with --constraints.",
            )
        return found.source if found.source == "release-date" else "auto"

    def as_of(self, released: str) -> str:
        """The date to resolve at, for a release that came out at `released`: nothing inside may be newer."""
        return self.constraints.as_of or (max(released, self.created) if released else "")

    def constrain(self, text: str) -> str:
        """A constraint file's text with every package that is inside pinned to its version there."""
        pins = self.pins
        kept = [
            line
            for line in text.splitlines()
            if not ((match := PIN.match(line)) and canonicalize_name(match.group(1)) in pins)
        ]
        return "\n".join([*kept, *(f"{name}=={version}" for name, version in sorted(pins.items())), ""])

    def lacking(self, locked: Iterable[Locked]) -> tuple[Locked, ...]:
        """What is not inside; raises :class:`ResolutionFailed` for another version of what is.

        A project's folder has no version yet, and no constraint holds for it.
        """
        pins, missing = self.pins, []
        for item in locked:
            if item.name not in pins:
                missing.append(item)
            elif not item.version or Version(item.version) != Version(pins[item.name]):
                raise ResolutionFailed(
                    f"{item.name} {pins[item.name]} is in the base already, and an add-on cannot change it.",
                    found=f"{item.name} {item.version or 'from a folder'}",
                    hint="Make a complete bundle with it instead, and upgrade with that.",
                )
        return tuple(missing)

    def unpack_unpublished(self, folder: Path) -> None:
        """Write the wheels that no index has (built, or from a folder) to where a resolver can look.

        Raises :class:`InvalidRequest` for one that would lead a resolver elsewhere than to the indexes.
        """
        for file in self.files:
            with Bundle.open(file) as bundle:
                for package in bundle.manifest.packages:
                    if not package.url:
                        bundle.extract(package.path, folder / package.filename)
                        _check_wheel(folder / package.filename, package)


def read(paths: Sequence[Path]) -> Base:
    """Read bundles, or the ``manifest.json`` of an installation: the base first, then add-ons to it.

    Raises :class:`InvalidRequest` for what does not follow from one another, and the errors of reading.
    """
    manifests = [_manifest(path) for path in paths]
    first, identities = manifests[0], [manifests[0].bundle_id]
    _check(paths[0], not first.base, f"an add-on to {first.base}", "the bundle that it is for, before it")
    for path, manifest in zip(paths[1:], manifests[1:], strict=True):
        found = f"an add-on to {manifest.base}" if manifest.base else "a whole bundle"
        _check(path, manifest.base in identities, found, f"an add-on to {' or '.join(identities)}")
        identities.append(manifest.bundle_id)
    return Base(
        identities=tuple(identities),
        airflow=first.airflow,
        target=first.target,
        constraints=first.constraints,
        created=max(manifest.created for manifest in manifests),
        packages=tuple(package for manifest in manifests for package in manifest.packages),
        files=tuple(path for path in paths if not _is_manifest(path)),
    )


def _check(path: Path, fits: bool, found: str, needed: str) -> None:
    if not fits:
        raise InvalidRequest(
            f"--onto files are in the wrong order: {path}.",
            found=found,
            needed=needed,
            hint="The bundle first, then its add-ons as they were made: --onto BUNDLE --onto ADD-ON ...",
        )


def _check_wheel(path: Path, package: Package) -> None:
    """A resolver fetches, and builds, what the metadata of a wheel requires by its address (PEP 508)."""
    try:
        metadata = graph.read_metadata(path)
        said = canonicalize_name(metadata.name), str(Version(metadata.version))
        named = [item for item in metadata.requires if "@" in item and Requirement(item).url]
    except (ValueError, zipfile.BadZipFile) as error:
        raise InvalidRequest(f"{package.filename} in --onto cannot be read.", found=str(error)) from error
    if said != (package.name, package.version) or named:
        raise InvalidRequest(
            f"{package.filename} in --onto is not a wheel that airferry bundles.",
            found=", ".join(text.shown(item) for item in named) or " ".join(said),
            needed=f"{package.name} {package.version}, whose requirements name no address",
            hint="URLs in a bundle are not opened. Make a complete bundle instead, and upgrade with that.",
        )


def _manifest(path: Path) -> Manifest:
    try:
        if _is_manifest(path):
            return Manifest.loads(codec.read(path, layout.MAX_MANIFEST))
        with Bundle.open(path) as bundle:
            return bundle.manifest
    except (OSError, UnicodeDecodeError, codec.Malformed) as error:
        raise InvalidRequest(f"--onto {path} cannot be read.", found=str(error)) from error
    except AirferryError as error:
        error.needed = error.needed or "a bundle, or the manifest.json of an installation"
        raise


def _is_manifest(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1) == b"{"
