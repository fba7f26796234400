"""The components of a bundle for an SBOM: packages, what is inside them, programs, and what these link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from bundler.approval import licences
from bundler.approval.binaries import Binary
from bundler.approval.dossier import CarriedPackage
from bundler.approval.licences import DeclaredLicence
from bundler.approval.nested import NestedComponent, NestedSbom
from bundler.approval.wheels import WheelFacts
from wheelhouse.manifest import CarriedPython, Manifest

ROOT = "bundle"
_NOTHING = DeclaredLicence("", "")


@dataclass(frozen=True)
class SbomComponent:
    """A component; `ref` is unique, `inside` that of what contains it, `needs` those of what it uses.

    `found` are licences by the phrases of the texts, `source` where it is told (a member, or empty for the
    manifest). What is `from_host` is not carried: the host has to have it.
    """

    ref: str
    kind: str
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    size: int = 0
    licence: DeclaredLicence = _NOTHING
    found: tuple[str, ...] = ()
    file: str = ""
    origin: str = ""
    inside: str = ROOT
    needs: tuple[str, ...] = ()
    source: str = ""
    from_host: bool = False
    summary: str = field(default="", compare=False)


def collect(
    manifest: Manifest, packages: Iterable[CarriedPackage], facts: Mapping[str, WheelFacts]
) -> tuple[SbomComponent, ...]:
    """All components: `facts` are by the member that is the wheel; the bundle itself is none of them."""
    packages = tuple(packages)
    found = [*_packages(packages), *_carried(manifest)]
    hosts: dict[str, SbomComponent] = {}
    for package in packages:
        told = facts.get(package.file)
        if told is None:
            continue
        for sbom in told.sboms:
            found += _nested(package, sbom)
        if package.role == "postgres" and manifest.postgres:
            found += _server(package, manifest.postgres.version, told)
        if told.programs:
            found += _programs(package, told, hosts)
    # what is listed twice in a wheel is one component
    single = {item.ref: item for item in reversed(found)}
    return (*reversed(single.values()), *sorted(hosts.values(), key=lambda item: item.ref))


def _packages(packages: tuple[CarriedPackage, ...]) -> Iterator[SbomComponent]:
    refs = {package.name: package.file for package in packages if package.role == "airflow"}
    needs: dict[str, list[str]] = {}
    for package in packages:
        if package.role == "airflow":
            for asker in package.required_by:
                needs.setdefault(asker, []).append(refs[package.name])
    for package in packages:
        own = needs.get(package.name, []) if package.role == "airflow" else []
        yield SbomComponent(
            ref=package.file,
            kind="application" if package.role in ("tool", "service", "postgres") else "library",
            name=package.name,
            version=package.version,
            purl=f"pkg:pypi/{package.name}@{_quoted(package.version)}",
            sha256=package.sha256,
            size=package.size,
            licence=package.licence,
            found=licences.names(package.texts),
            file=package.file,
            origin=package.origin,
            needs=tuple(sorted(own)),
            summary=package.summary,
        )


def _carried(manifest: Manifest) -> Iterator[SbomComponent]:
    version = manifest.airferry
    yield SbomComponent(
        "airferry", "application", "airferry", version, f"pkg:generic/airferry@{_quoted(version)}",
        licence=DeclaredLicence("Apache-2.0", "Apache-2.0"), file="runtime/bootstrap/",
    )  # fmt: skip
    if manifest.python:
        yield _interpreter(manifest.python)


def _interpreter(python: CarriedPython) -> SbomComponent:
    return SbomComponent(
        python.path, "platform", "cpython", python.version, f"pkg:generic/cpython@{_quoted(python.version)}",
        sha256=python.sha256, size=python.size, file=python.path, origin=python.url,
    )  # fmt: skip


def _nested(package: CarriedPackage, sbom: NestedSbom) -> Iterator[SbomComponent]:
    """The components of an SBOM inside a wheel, with references of their own."""
    short = sbom.path.partition("/sboms/")[2]
    refs = {
        item.ref: package.file if _is_itself(item, package) else f"{package.file}!{short}#{number}"
        for number, item in enumerate(sbom.components, 1)
    }
    for item in sbom.components:
        if refs[item.ref] != package.file:
            yield SbomComponent(
                ref=refs[item.ref],
                kind=item.kind,
                name=item.name,
                version=item.version,
                purl=item.purl,
                sha256=item.sha256,
                licence=item.licence,
                inside=package.file,
                needs=tuple(sorted({refs[ref] for ref in item.needs if ref in refs} - {refs[item.ref]})),
                source=f"{package.file}!{sbom.path}",
            )


def _is_itself(item: NestedComponent, package: CarriedPackage) -> bool:
    return item.purl.startswith("pkg:pypi/") and canonicalize_name(item.name) == package.name


def _server(package: CarriedPackage, version: str, told: WheelFacts) -> Iterator[SbomComponent]:
    for name, number in (("postgresql", version), ("pgvector", told.pgvector)):
        if number:
            yield SbomComponent(
                f"{package.file}!{name}", "application", name, number, f"pkg:generic/{name}@{number}",
                found=tuple(item for item in licences.names(package.texts) if item == "PostgreSQL"),
                inside=package.file,
            )  # fmt: skip


def _programs(
    package: CarriedPackage, told: WheelFacts, hosts: dict[str, SbomComponent]
) -> Iterator[SbomComponent]:
    refs = {item.name: f"{package.file}!{item.path}" for item in told.programs}
    for item in told.programs:
        yield SbomComponent(
            ref=f"{package.file}!{item.path}",
            kind="file",
            name=item.name,
            sha256=item.sha256,
            size=item.size,
            file=item.path,
            inside=package.file,
            needs=tuple(sorted({_linked(name, refs, hosts) for name in item.needs})),
            source=f"{package.file}!{item.path}",
        )


def _linked(name: str, refs: Mapping[str, str], hosts: dict[str, SbomComponent]) -> str:
    own = next((ref for other, ref in refs.items() if other == name or other.startswith(f"{name}.")), "")
    if own:
        return own
    ref = f"host/{name}"
    hosts.setdefault(ref, SbomComponent(ref, "library", name, from_host=True))
    return ref


def from_host(programs: Iterable[Binary]) -> tuple[str, ...]:
    """The shared libraries that programs need from the host."""
    hosts: dict[str, SbomComponent] = {}
    programs = tuple(programs)
    refs = {item.name: item.path for item in programs}
    for item in programs:
        for name in item.needs:
            _linked(name, refs, hosts)
    return tuple(sorted(item.name for item in hosts.values()))


def _quoted(version: str) -> str:
    return version.replace("+", "%2B").replace("!", "%21")
