"""From a bundle to its dossier: the file is verified first, and never changed."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bootstrap.base.console import Console
from bundler.approval import components, known, licences, wheels
from bundler.approval.build_logs import built_here
from bundler.approval.components import SbomComponent
from bundler.approval.dossier import (
    SCHEMA,
    BuiltHere,
    CarriedPackage,
    ComparedWith,
    Dossier,
    Limit,
    OtherFiles,
    Totals,
)
from bundler.approval.known import Questions
from bundler.approval.wheels import WheelFacts
from bundler.base.digest import file_digest, stream_digest
from bundler.index.cache import Cache
from bundler.inspection import contents, difference, whole
from bundler.inspection.contents import BundleMember, Contents
from bundler.inspection.difference import BundleDifference
from wheelhouse import __version__, layout
from wheelhouse.errors import BundleDamaged
from wheelhouse.manifest import Manifest, Package
from wheelhouse.reader import Bundle

_CHUNK = 1 << 20
# as bundler.inspection.difference names them
_PREFIXES = {"tool": "tool ", "service": "service "}


@dataclass(frozen=True)
class DossierContents:
    """The dossier and the components for the SBOMs, which are those of the whole bundle in any case."""

    dossier: Dossier
    components: tuple[SbomComponent, ...]


def gather(
    file: Path,
    questions: Questions,
    cache: Cache,
    *,
    written: str,
    builder: str = "",
    against: Path | None = None,
    console: Console | None = None,
) -> DossierContents:
    """Verify a bundle and tell all of it; `written` (RFC 3339) is the day, `against` an earlier bundle.

    Raises the errors of verifying and of the questions.
    """
    console = console or Console(quiet=True)
    with (
        console.progress(file.stat().st_size, f"Verify {file.name}") as advance,
        whole.opened(file, advance) as found,
    ):
        bundle, manifest = found.bundle, found.bundle.manifest
        bundle.stream.seek(0)
        sha256 = stream_digest(bundle.stream)
        inside = contents.of(found)
        facts = _facts(bundle, inside, cache)
        packages = [*_packages(inside, facts, cache), *_runtime(bundle)]
        others = tuple(_others(bundle))
    all_of_them = {package.path: package for package in _carried(manifest)}
    with console.step("Ask what is known") if questions.any else contextlib.nullcontext():
        packages, summary = known.answer(packages, all_of_them, facts, questions, written[:10])
    told = components.collect(manifest, packages, facts)
    totals = Totals(
        packages=len(packages),
        built=sum(package.built is not None for package in packages),
        members=len(manifest.files) + 1,
        size=inside.size,
        unpacked=manifest.unpacked,
        nested=sum("!" in item.source for item in told),
    )
    dossier = Dossier(
        schema=SCHEMA,
        file=file.name,
        size=inside.size,
        sha256=sha256,
        bundle_id=manifest.bundle_id,
        written=written,
        airferry=__version__,
        builder=licences.shortened(builder),
        airflow=manifest.airflow,
        target=manifest.target.label,
        floor=manifest.floor,
        extras=manifest.extras,
        requirements=manifest.requirements,
        constraints=manifest.constraints,
        resolver=manifest.resolver,
        made_by=manifest.airferry,
        created=manifest.created,
        postgres=manifest.postgres.version if manifest.postgres else "",
        python=manifest.python,
        made_for=manifest.made_for,
        base=manifest.base,
        totals=totals,
        known=summary,
        packages=tuple(packages),
        others=others,
        limits=tuple(_limits(manifest, packages, facts)),
        notes=(*manifest.notes, *inside.notes),
    )
    return DossierContents(_compared(dossier, manifest, against) if against else dossier, told)


def _carried(manifest: Manifest) -> tuple[Package, ...]:
    server = (manifest.postgres.package,) if manifest.postgres else ()
    return (*manifest.packages, *manifest.tools, *manifest.services, *server)


def _facts(bundle: Bundle, inside: Contents, cache: Cache) -> dict[str, WheelFacts]:
    found = {}
    with zipfile.ZipFile(bundle.stream) as archive:
        for entry in inside.entries:
            programs = entry.role in ("tool", "postgres")
            try:
                found[entry.path] = wheels.read(archive, entry.path, entry.sha256, cache, programs=programs)
            except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise BundleDamaged(
                    f"{entry.path} is not a wheel that can be read.", found=str(error)
                ) from error
    return found


def _packages(inside: Contents, facts: Mapping[str, WheelFacts], cache: Cache) -> Iterator[CarriedPackage]:
    by_path = {package.path: package for package in _carried(inside.manifest)}
    requested = set(_names(inside.manifest.requirements))
    for entry in inside.entries:
        told = facts[entry.path]
        yield CarriedPackage(
            role=entry.role,
            name=entry.name,
            version=entry.version,
            file=entry.path,
            size=entry.size,
            sha256=entry.sha256,
            origin=entry.origin,
            uploaded="",
            summary=told.summary,
            licence=told.licence,
            texts=told.texts,
            required_by=entry.required_by,
            needs=entry.needs,
            requested=entry.role == "airflow" and (entry.name in requested or not entry.required_by),
            built=_built(entry, by_path, cache),
        )


def _names(requirements: Sequence[str]) -> Iterator[str]:
    for text in requirements:
        with contextlib.suppress(InvalidRequirement):  # it only explains here
            yield str(canonicalize_name(Requirement(text).name))


def _built(entry: BundleMember, by_path: Mapping[str, Package], cache: Cache) -> BuiltHere | None:
    source = by_path[entry.path].built_from
    return built_here(source, entry.sha256, cache) if source else None


def _runtime(bundle: Bundle) -> Iterator[CarriedPackage]:
    """The libraries of the installer itself, which lie in the bundle unpacked."""
    paths = {file.path: file for file in bundle.manifest.files}
    for path in sorted(paths):
        folder, _, name = path.removeprefix(layout.RUNTIME).partition("/")
        if not (path.startswith(layout.RUNTIME) and folder.endswith(".dist-info") and name == "METADATA"):
            continue
        message = wheels.metadata(bundle.read(path))
        prefix = f"{layout.RUNTIME}{folder}/"
        own = [other for other in paths if other.startswith(prefix)]
        texts = [other for other in own if licences.is_text(other.removeprefix(layout.RUNTIME))]
        stem, _, version = folder.removesuffix(".dist-info").rpartition("-")
        yield CarriedPackage(
            role="runtime",
            name=stem.replace("_", "-").lower(),
            version=version,
            file=prefix,
            size=0,
            sha256="",
            origin="",
            uploaded="",
            summary=licences.shortened(str(message.get("Summary") or "")),
            licence=licences.declared(message),
            texts=tuple(wheels.licence_text(other, bundle.read(other)) for other in texts),
            required_by=("airferry",),
            needs="",
        )


def _others(bundle: Bundle) -> Iterator[OtherFiles]:
    manifest = bundle.manifest
    if manifest.python:
        python = manifest.python
        yield OtherFiles("python", python.path, 1, python.size, python.sha256, python.url)
    wheels_of_it = {package.path for package in _carried(manifest)}
    for kind, name in (("program", layout.RUNTIME), ("dags", layout.DAGS)):
        sizes = [file.size for file in manifest.files if file.path.startswith(name)]
        if sizes:
            yield OtherFiles(kind, name, len(sizes), sum(sizes))
    known_places = (layout.RUNTIME, layout.DAGS, layout.PYTHON)
    for file in manifest.files:
        if file.path not in wheels_of_it and not file.path.startswith(known_places):
            yield OtherFiles("record", file.path, 1, file.size, file.sha256)


def _limits(
    manifest: Manifest, packages: Sequence[CarriedPackage], facts: Mapping[str, WheelFacts]
) -> Iterator[Limit]:
    """What the dossier cannot tell: a gap that is named is no surprise later."""
    without = [package.name for package in packages if not package.texts]
    if without:
        yield Limit("no-text", ", ".join(without))
    for path, told in facts.items():
        for sbom in told.sboms:
            if sbom.problem:
                yield Limit("no-sbom", f"{path}!{sbom.path} ({sbom.problem})")
    if manifest.postgres and not facts[manifest.postgres.package.path].sboms:
        yield Limit("static-postgres", manifest.postgres.package.name)
    if manifest.python:
        yield Limit("static-python", manifest.python.path)


def _compared(dossier: Dossier, manifest: Manifest, against: Path) -> Dossier:
    """The dossier of only what is not in the earlier bundle in the same form."""
    with whole.opened(against) as found:
        old = found.bundle.manifest
    changes = difference.between(old, manifest)
    by_name = {change.name: change for change in changes.packages}
    kept = []
    for package in dossier.packages:
        change = by_name.get(_PREFIXES.get(package.role, "") + package.name)
        if package.role == "runtime":
            if any(item.name == f"{package.file}METADATA" for item in changes.files):
                kept.append(replace(package, change="changed"))
        elif change:
            kept.append(replace(package, change=change.kind, before=change.before))
    removed = tuple(change for change in changes.packages if change.kind == "removed")
    return replace(
        dossier,
        packages=tuple(kept),
        others=tuple(_changed(dossier.others, changes)),
        totals=replace(dossier.totals, new_bytes=changes.new_bytes),
        compared_with=ComparedWith(
            against.name, file_digest(against), old.bundle_id, removed, changes.settings, len(changes.files)
        ),
    )


def _changed(others: Sequence[OtherFiles], changes: BundleDifference) -> Iterator[OtherFiles]:
    names = [change.name for change in changes.files]
    if changes.packages:
        names.append(layout.LOCK)
    for item in others:
        if any(name.startswith(item.name) for name in names):
            yield item
