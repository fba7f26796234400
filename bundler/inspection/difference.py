"""What distinguishes two bundles: the sheet that whoever approved the first one needs for the second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from wheelhouse import codec, layout
from wheelhouse.manifest import Manifest, Package

_TOLD = "what is told of the packages"


@dataclass(frozen=True)
class ManifestChange:
    """One difference; `kind` is added, removed, changed (version) or replaced (same version, other file)."""

    kind: str
    name: str
    before: str
    after: str
    size: int = 0


@dataclass(frozen=True)
class BundleDifference:
    """All differences between two manifests: `packages`, the bundle's own `settings`, and other `files`."""

    packages: tuple[ManifestChange, ...]
    settings: tuple[ManifestChange, ...]
    files: tuple[ManifestChange, ...]

    @property
    def same(self) -> bool:
        """Whether there is none."""
        return not (self.packages or self.settings or self.files)

    @property
    def new_bytes(self) -> int:
        """The size of all package files that the first bundle does not have."""
        return sum(change.size for change in self.packages if change.kind != "removed")


def between(before: Manifest, after: Manifest) -> BundleDifference:
    """Compare two bundles by their manifests."""
    packages = tuple(_packages(_whole(before), _whole(after)))
    settings = _values(_settings(before), _settings(after))
    settings += _origins(_whole(before), _whole(after))
    files = tuple(_values(_files(before), _files(after)))
    if not packages and not files:
        settings += _values({_TOLD: _told(before)}, {_TOLD: _told(after)})
    return BundleDifference(packages, tuple(settings), files)


def _whole(manifest: Manifest) -> dict[str, Package]:
    postgres = (manifest.postgres.package,) if manifest.postgres else ()
    # A tool and a package of Airflow may be the same project (pip) in different versions.
    named = [
        ("", manifest.packages),
        ("tool ", manifest.tools),
        ("service ", manifest.services),
        ("", postgres),
    ]
    return {prefix + package.name: package for prefix, packages in named for package in packages}


def _packages(before: dict[str, Package], after: dict[str, Package]) -> list[ManifestChange]:
    changes = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            changes.append(ManifestChange("added", name, "", new.version, new.size))
        elif new is None and old is not None:
            changes.append(ManifestChange("removed", name, old.version, ""))
        elif old is not None and new is not None and old.version != new.version:
            changes.append(ManifestChange("changed", name, old.version, new.version, new.size))
        elif old is not None and new is not None and old.sha256 != new.sha256:
            changes.append(ManifestChange("replaced", name, _tags(old), _tags(new), new.size))
    return changes


def _origins(before: dict[str, Package], after: dict[str, Package]) -> list[ManifestChange]:
    """Files that are the same and are said to come from elsewhere."""
    common = [name for name in sorted({*before} & {*after}) if before[name].sha256 == after[name].sha256]
    found = [{f"origin of {name}": _origin(side[name]) for name in common} for side in (before, after)]
    return _values(*found)


def _origin(package: Package) -> str:
    built = package.built_from
    return f"built from {built.url}, sha256 {built.sha256}" if built else package.url


def _tags(package: Package) -> str:
    return package.filename.removesuffix(".whl").split("-", 2)[2]


def _settings(manifest: Manifest) -> dict[str, str]:
    data = codec.encode(manifest)
    constraints, python = data["constraints"], manifest.python
    made_for = data["made_for"] or {}
    return {
        "airferry": manifest.airferry,
        "airflow": manifest.airflow,
        "python": manifest.target.python,
        "platform": manifest.target.platform,
        "floor": manifest.floor,
        "extras": ", ".join(manifest.extras),
        "requirements": ", ".join(manifest.requirements),
        "resolver": f"{manifest.resolver.name} {manifest.resolver.version}",
        "base": manifest.base,
        "postgresql": manifest.postgres.version if manifest.postgres else "",
        "carried python": f"{python.version}, sha256 {python.sha256}" if python else "",
        **{f"constraints {name}": str(constraints[name]) for name in sorted(constraints)},
        **{f"made for {name}": str(made_for[name]) for name in sorted(made_for)},
        "dated": manifest.created,
        "notes": " ".join(manifest.notes),
    }


def _told(manifest: Manifest) -> str:
    """A digest of all that the manifest tells of its packages and files, where they come from and why."""
    data = codec.encode(manifest)
    names = ("schema", "packages", "tools", "services", "postgres", "python", "files")
    text = codec.compact({name: data[name] for name in names})
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _files(manifest: Manifest) -> dict[str, str]:
    wheels = {package.path for package in _whole(manifest).values()}
    # The lock follows from the packages.
    return {file.path: file.sha256 for file in manifest.files if file.path not in {*wheels, layout.LOCK}}


def _values(before: dict[str, str], after: dict[str, str]) -> list[ManifestChange]:
    changes = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            kind = "changed" if old and new else "added" if new else "removed"
            changes.append(ManifestChange(kind, name, old, new))
    return changes
