"""The use case: a request becomes a bundle."""

# ruff: noqa: PLC0415  (what most bundles do not need is imported when one does: it takes as long as the rest)

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.tags import Tag

from bundler.assembly import assemble, composition, payload
from bundler.assembly.payload import Payload
from bundler.base.errors import DownloadFailed, InvalidRequest, ResolutionFailed
from bundler.base.progress import Reporter, Silent
from bundler.index.cache import Cache
from bundler.index.fetch import Fetcher
from bundler.index.release import PROJECT
from bundler.index.simple import PYPI, Index
from bundler.index.transport import Session
from bundler.index.wheel import Wheel
from bundler.lock import lockfile, shortage
from bundler.lock.lockfile import Artifact, Locked
from bundler.lock.shortage import Shortage
from bundler.request.spec import BundleRequest
from bundler.resolver import Resolver, advisories, resolution, substitutes
from bundler.resolver.resolution import Resolution
from bundler.resolver.uv import Uv
from wheelhouse.manifest import CarriedPython, Manifest

if TYPE_CHECKING:
    from bundler.build.wheels import Builder


@dataclass(frozen=True)
class BundleResult:
    """A finished bundle: the file, ``.sha256`` beside it, and what is inside; `seconds` by stage."""

    path: Path
    sha256_path: Path
    size: int
    sha256: str
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def make_bundle(
    request: BundleRequest,
    progress: Reporter | None = None,
    *,
    cache: Cache | None = None,
    carried: Payload | None = None,
) -> BundleResult:
    """Make the bundle that is asked for.

    `carried` is by default what :func:`bundler.assembly.payload.choose` gives for the target. Raises the
    errors of :mod:`bundler.base.errors`; what was fetched stays in the cache, and no bundle that is half-made
    stays in the output folder.
    """
    links = (item for item in request.settings.find_links if "://" in item)
    with Session((request.settings.index_url, *request.settings.extra_index_urls, *links)) as session:
        chosen = carried or payload.choose(request.target)
        return _Making(request, progress or Silent(), cache or Cache.default(), session).run(
            payload.for_addon(chosen) if request.base else chosen
        )


class _Making:
    """One run: what its steps share."""

    def __init__(self, request: BundleRequest, progress: Reporter, cache: Cache, session: Session) -> None:
        self.request = request
        self.progress = progress
        self.cache = cache
        self.session = session
        self.index = Index(request.settings.index_url, session)
        self.further = [Index(url, session) for url in request.settings.extra_index_urls]
        self.fetcher = Fetcher(session, cache, offline=request.settings.offline)
        self.uv = Uv(cache)
        self.resolver: Resolver = self._pip_tools() if request.settings.resolver == "pip-tools" else self.uv
        self.network_told = False
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.python: tuple[CarriedPython, Path] | None = None

    def _pip_tools(self) -> Resolver:
        from bundler.resolver.piptools import PipTools

        return PipTools(self.cache, [self.index])

    def run(self, carried: Payload) -> BundleResult:
        if self.request.settings.with_python:
            self._get_python()
        with ThreadPoolExecutor(1) as background:
            # What every bundle carries is known before anything is resolved.
            early = background.submit(self._fetch_carried, carried)
            try:
                resolved = self._resolve()
                tags = lockfile.target_tags(self.request.target)
                resolved = self._check_airflow(resolved, tags)
                self._check_base(resolved)
                missing = [item for item in resolved.locked if lockfile.choose(item.wheels, tags) is None]
                builder = self._builder(resolved) if missing else None
                if builder:
                    builder.check(missing)
                with self._timed("download"):
                    wheels = self._download(resolved.locked, tags)
                    files = early.result()
            except BaseException:
                self.fetcher.abandon()
                raise
        with self._timed("build"):
            if builder:
                wheels += self._build(builder, missing)
        with self._timed("assemble"):
            return self._assemble(resolved, wheels, carried, files)

    def _build(self, builder: Builder, missing: list[Locked]) -> list[Wheel]:
        built = []
        with builder.side_by_side(missing) as running:
            for item, result in zip(missing, running, strict=True):
                with self.progress.step(f"Build {item.name} {item.version}".rstrip()):
                    built.append(result.result())
        return built

    def _get_python(self) -> None:
        """Get the interpreter first: an address that does not answer is told before anything else is done."""
        from bundler.python import choice

        label = f"Python {self.request.target.python} for {self.request.target.platform}"
        with self._timed("python"), self.progress.step(f"Get {label}") as step:
            self.python = choice.get(self.request, self.uv, self.session, self.cache)
            step.outcome = self.python[0].path.rpartition("/")[2]

    def _resolve(self) -> Resolution:
        with self._timed("resolve"), self.progress.step("Resolve the packages") as step:
            resolved = resolution.resolve(self.request, self.index, self.further, self.resolver, self.cache)
            step.outcome = f"Airflow {resolved.release.version}, {len(resolved.locked)} packages"
        for warning in (*self.request.warnings, *resolved.warnings):
            self._warn(warning)
        return resolved

    def _check_airflow(self, resolved: Resolution, tags: dict[Tag, int]) -> Resolution:
        """Look at Airflow's own wheel, a few kilobytes in 3.x, before hundreds of megabytes are fetched.

        Returns the resolution without default extras that bring nothing on the target.
        """
        base = self.request.base
        own = next((item for item in resolved.locked if item.name == PROJECT), None)
        if own is None:
            return resolved
        artifact = lockfile.choose(own.wheels, tags)
        assert artifact is not None, "a release without a wheel is not found"
        airflow = assemble.metadata(
            own.name, artifact, self.fetcher.fetch([artifact])[artifact.sha256], self.cache
        )
        empty = resolution.check_extras(resolved, airflow)
        asked = [name for name in empty if name in self.request.settings.extras]
        if asked:
            raise ResolutionFailed(
                f"The extra {', '.join(asked)} adds no package on {self.request.target.label}.",
                needed="a Python that Airflow's packages for it support",
                hint="Choose another --python, or leave the extra out.",
            )
        for extra in empty:
            self._note(
                f"Airflow {airflow.version} has no packages for its extra {extra} on "
                f"Python {self.request.target.python}: it is left out."
            )
        if base:
            return replace(resolved, locked=base.lacking(resolved.locked))
        for text in advisories.find(airflow, self.request.target):
            self._note(text)
        return replace(resolved, extras=tuple(item for item in resolved.extras if item not in empty))

    def _check_base(self, resolved: Resolution) -> None:
        base = self.request.base
        if base and not resolved.locked:
            raise InvalidRequest(
                f"There is nothing to add: {base.identity} has all of this.",
                found=", ".join(
                    f"{item.name} {base.pins[item.name]}" for item in self.request.requirements if item.name
                ),
            )

    def _download(self, locked: tuple[Locked, ...], tags: dict[Tag, int]) -> list[Wheel]:
        chosen = {item.name: lockfile.choose(item.wheels, tags) for item in locked}
        sources = {item.name: item.sdist for item in locked}
        resolution.check_hashes(
            self.request.requirements, {name: wheel or sources[name] for name, wheel in chosen.items()}
        )
        wanted = [artifact for artifact in chosen.values() if artifact]
        total = sum(item.size for item in wanted)
        with self.progress.progress(total, f"Download {len(wanted)} wheels") as advance:
            files = self.fetcher.fetch(wanted, advance)
        return [
            Wheel.of(item.name, item.version, artifact, files[artifact.sha256])
            for item in locked
            if (artifact := chosen[item.name])
        ]

    def _builder(self, resolved: Resolution) -> Builder:
        from bundler.build.wheels import Builder

        return Builder(
            resolved.question,
            self.cache,
            self.fetcher,
            self.uv,
            self._shortage,
            as_of=resolved.release.as_of,
            constraints=self.request.build_constraints,
        )

    def _shortage(self, package: Locked) -> Shortage:
        """Which wheels the index has of a package beside those that the lock kept, and what would help."""
        try:
            files = self.index.files(package.name)
            names = [item.filename for item in files if str(item.version) == package.version]
        except DownloadFailed:
            names = [item.filename for item in package.wheels]
        return shortage.explain(names, self.request.target)

    def _assemble(
        self,
        resolved: Resolution,
        wheels: list[Wheel],
        carried: Payload,
        files: dict[str, Path],
    ) -> BundleResult:
        asked = (wheels, resolved.requirements, self.request.target, self.cache)
        versions = {wheel.name: wheel.version for wheel in wheels}
        for text in substitutes.told(versions, assemble.asking_for(substitutes.SOURCE, *asked)):
            self._note(text)
        if not carried.postgres and not self.request.base:
            self._note(
                "No PostgreSQL server is carried: none exists as a wheel for "
                f"{self.request.target.platform}. The host needs its own, or one on another host."
            )
        made = composition.compose(
            self.request,
            resolved,
            wheels,
            carried,
            files,
            python=self.python,
            resolver=self.resolver.tool,
            notes=self.notes,
            cache=self.cache,
        )
        with self.progress.progress(made.size, "Write the bundle") as advance:
            path, beside, written = assemble.write(
                self.request.output, made.manifest, made.members, made.moment, advance
            )
        return BundleResult(
            path, beside, written.size, written.sha256, written.manifest, tuple(self.warnings), self.seconds
        )

    def _fetch_carried(self, carried: Payload) -> dict[str, Path]:
        artifacts: tuple[Artifact, ...] = carried.artifacts
        if self.request.settings.index_url.rstrip("/") != PYPI and not self.request.settings.offline:
            artifacts = tuple(
                self._from_mirror(item.name, item.artifact) for item in (*carried.whole, *carried.runtime)
            )
        return self.fetcher.fetch(artifacts)

    def _from_mirror(self, name: str, artifact: Artifact) -> Artifact:
        """The same file at the index that was named; one that lacks it leaves the public address."""
        if artifact.path is not None or (self.cache.files / artifact.sha256).exists():
            return artifact
        found = [item.url for item in self.index.offered(name) if item.filename == artifact.filename]
        return replace(artifact, url=found[0]) if found else artifact

    def _note(self, text: str) -> None:
        """Tell it, and put it into the bundle: it must be the same on every machine."""
        self.notes.append(text)
        self._warn(text)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.progress.warning(text)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 3)
