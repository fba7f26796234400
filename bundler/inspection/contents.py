"""What is inside a bundle: every package with size, licence, need and reason, for people and for scripts."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from bundler.inspection import whole
from bundler.inspection.whole import Whole
from bundler.lock import graph
from wheelhouse.errors import BundleDamaged
from wheelhouse.manifest import Manifest, Package
from wheelhouse.tags import floor


@dataclass(frozen=True)
class BundleMember:
    """A package in a bundle; `role` is airflow, tool, service or postgres, `needs` e.g. ``glibc 2.28``."""

    role: str
    name: str
    version: str
    path: str
    size: int
    unpacked: int
    sha256: str
    licence: str
    needs: str
    required_by: tuple[str, ...]
    origin: str
    built: bool


@dataclass(frozen=True)
class Contents:
    """A bundle's manifest, the size of the file in bytes, and its packages; `notes` as in :class:`Whole`."""

    path: Path
    size: int
    manifest: Manifest
    entries: tuple[BundleMember, ...]
    notes: tuple[str, ...] = ()

    @property
    def licences(self) -> dict[str, tuple[str, ...]]:
        """The packages of each licence, as the packages name it."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            found.setdefault(entry.licence or "not named", []).append(entry.name)
        return {licence: tuple(sorted(found[licence])) for licence in sorted(found, key=str.lower)}


def read(path: Path) -> Contents:
    """Read a bundle; raises the errors of :func:`bundler.inspection.whole.opened`."""
    with whole.opened(path) as found:
        return of(found)


def of(found: Whole) -> Contents:
    """What is in a bundle that is open; raises :class:`BundleDamaged` for a wheel that is another inside."""
    bundle, manifest = found.bundle, found.bundle.manifest
    with zipfile.ZipFile(bundle.stream) as archive:
        entries = [
            _entry(archive, role, package, manifest)
            for role, packages in (
                ("airflow", manifest.packages),
                ("tool", manifest.tools),
                ("service", manifest.services),
                ("postgres", (manifest.postgres.package,) if manifest.postgres else ()),
            )
            for package in packages
        ]
    return Contents(bundle.path, bundle.seal.size, manifest, tuple(entries), found.notes)


def _entry(archive: zipfile.ZipFile, role: str, package: Package, manifest: Manifest) -> BundleMember:
    needs = floor(package.filename, manifest.target.host.libc)
    try:
        with archive.open(package.path) as wheel:
            metadata = graph.read_metadata(wheel)
        said = (str(canonicalize_name(metadata.name)), str(Version(metadata.version)))
    except (ValueError, zipfile.BadZipFile) as error:
        raise BundleDamaged(f"{package.path} is not a wheel that can be read.", found=str(error)) from error
    if said != (package.name, package.version):
        raise BundleDamaged(
            f"{package.path} is another package inside than the manifest says.",
            found=" ".join(said),
            needed=f"{package.name} {package.version}",
        )
    return BundleMember(
        role=role,
        name=package.name,
        version=package.version,
        path=package.path,
        size=package.size,
        unpacked=package.unpacked,
        sha256=package.sha256,
        licence=metadata.licence,
        needs=needs.libc_label if needs else "",
        required_by=package.required_by,
        origin=package.built_from.url if package.built_from else package.url,
        built=package.built_from is not None,
    )
