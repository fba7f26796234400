"""From a request to a lock: the release, its constraints, what is asked for, and what was resolved."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.airflow.release import release_for
from bootstrap.base.spelling import did_you_mean
from bundler.base.errors import DownloadFailed, HashMismatch, InvalidRequest, ResolutionFailed
from bundler.index import constraints, release
from bundler.index.cache import Cache
from bundler.index.constraints import ConstraintSet
from bundler.index.release import Release
from bundler.index.simple import Index
from bundler.lock import graph
from bundler.lock.lockfile import Artifact, Locked
from bundler.request.base_bundle import Base
from bundler.request.requirements import Wanted
from bundler.request.spec import BundleRequest, default_extras, worker_extras
from bundler.resolver import Question, Resolver, advisories, constraint_lines, dates, substitutes
from bundler.resolver.failures import CONSTRAINED
from bundler.resolver.resolution_cache import FRESH, CachedAnswer, ResolutionCache
from wheelhouse import timestamp
from wheelhouse.manifest import Constraints
from wheelhouse.target import Target

_PROVIDER = "apache-airflow-providers-"
# Parsing hundreds of requirements takes longer than looking for the few in question.
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)")
# A file that is so much older than its release was made for an earlier one.
_STALE = timedelta(days=60)


@dataclass(frozen=True)
class Resolution:
    """What was resolved. `requirements` are as the manifest records them; `warnings` are for the user."""

    release: Release
    constraints: Constraints
    extras: tuple[str, ...]
    requirements: tuple[str, ...]
    question: Question
    locked: tuple[Locked, ...]
    warnings: tuple[str, ...]


def resolve(
    request: BundleRequest, index: Index, further: Sequence[Index], resolver: Resolver, cache: Cache
) -> Resolution:
    """Resolve a request from an index and `further` ones, or recall how it was resolved minutes ago.

    Raises the errors of :mod:`bundler.base.errors`; offline, DownloadFailed for what was never resolved here.
    """
    memory = ResolutionCache(cache, request, resolver.tool)
    answer = memory.recall(math.inf if request.settings.offline else 0 if request.settings.refresh else FRESH)
    if answer is None:
        answer = _resolve(request, index, further, resolver)
        memory.keep(answer)
    version = answer.release.version
    wanted = _wanted(request, version)
    records = (*(item.record for item in wanted if item.name), *_projects(answer.locked))
    question = _question(request, wanted, exclude_newer=answer.exclude_newer)
    return Resolution(
        release=answer.release,
        constraints=answer.constraints,
        extras=_extras(request, version),
        requirements=records,
        question=question,
        locked=answer.locked,
        warnings=answer.warnings,
    )


def _resolve(
    request: BundleRequest, index: Index, further: Sequence[Index], resolver: Resolver
) -> CachedAnswer:
    if request.settings.offline:
        raise DownloadFailed(
            "This request is not in the cache.",
            needed="the same request once without --offline",
            hint="What depends on folders of this machine (--find-links, local wheels and projects) is never "
            "taken from the cache.",
        )
    base = request.base
    found = release.find(index, request.settings.airflow)
    release.check(found, request.target)
    constraint_set = constraints.find(
        base.constraints_choice
        if base and request.settings.constraints == "auto"
        else request.settings.constraints,
        found.version,
        request.target.python,
        index_url=request.settings.index_url,
        as_of=base.as_of(found.as_of) if base else found.as_of,
    )
    lines = constraint_lines.read(constraint_set.text, constraint_set.record.url)
    question = _question(
        request,
        _wanted(request, found.version),
        constraints=base.constrain(lines.text) if base else lines.text,
        exclude_newer=constraint_set.exclude_newer,
    )
    asked = [item.name for item in request.requirements if item.name]
    answered = partial(dates.resolve, resolver, asked=asked, index=index, further=further)
    if base:
        locked, told = _onto(base, answered, question)
    else:
        question = substitutes.put_in(question, request.requirements)
        question = advisories.exclude_broken(question, found.version)
        locked, told = answered(question)
    locked = lines.allowed(locked)
    record = constraint_set.record
    if not constraint_set.text:
        record = replace(record, sha256=constraints.pins_digest({item.name: item.version for item in locked}))
    else:
        _check_providers(locked, constraint_set, request.requirements)
    warnings = [*filter(None, [constraint_set.warning]), *lines.warnings]
    versions = {item.name: item.version for item in locked}
    _check_workers(request, found.version, versions)
    shown = advisories.kept_from if constraint_set.exclude_newer else advisories.broken
    warnings += [*told, *shown(found.version, versions)]
    if found.yanked:
        warnings.append(f"Airflow {found.version} was yanked from the index: choose another release.")
    warnings += _stale(constraint_set, found, request.target.python)
    return CachedAnswer(found, record, constraint_set.exclude_newer, tuple(warnings), locked)


def _onto(
    base: Base, answered: Callable[[Question], tuple[tuple[Locked, ...], tuple[str, ...]]], question: Question
) -> tuple[tuple[Locked, ...], tuple[str, ...]]:
    """What the base lacks of the answer, and Airflow itself if that is in it; and what is told."""
    with tempfile.TemporaryDirectory(prefix="airferry-") as name:
        base.unpack_unpublished(Path(name))
        links = (*question.find_links, name) if any(Path(name).iterdir()) else question.find_links
        try:
            locked, told = answered(replace(question, find_links=links))
        except ResolutionFailed as error:
            raise ResolutionFailed(
                f"This cannot be added to {base.identity}: every version there is fixed.",
                found=error.found,
                hint="Ask for versions that agree, or make a complete bundle with them and upgrade with that."
                if error.hint == CONSTRAINED
                else error.hint,
            ) from error
    missing = base.lacking(locked)
    return tuple(item for item in locked if item in missing or item.name == release.PROJECT), told


def _question(
    request: BundleRequest, wanted: tuple[Wanted, ...], *, constraints: str = "", exclude_newer: str = ""
) -> Question:
    return Question(
        requirements=tuple(item.text for item in wanted),
        target=request.target,
        index_url=request.settings.index_url,
        constraints=constraints,
        exclude_newer=exclude_newer,
        extra_index_urls=request.settings.extra_index_urls,
        find_links=request.settings.find_links,
        offline=request.settings.offline,
    )


def check_hashes(wanted: tuple[Wanted, ...], chosen: Mapping[str, Artifact | None]) -> None:
    """Raise :class:`HashMismatch` for a file that a requirement's ``--hash`` options do not allow."""
    for item in wanted:
        artifact = chosen.get(item.name)
        if item.hashes and artifact and artifact.sha256 not in item.hashes:
            raise HashMismatch(
                f"{artifact.filename} is not what the requirement file allows for {item.record}.",
                found=f"sha256 {artifact.sha256}",
                needed=" or ".join(f"sha256 {value}" for value in item.hashes),
                hint="The requirement file may name another platform's file, or a source distribution.",
            )


def check_extras(resolution: Resolution, airflow: graph.WheelMetadata) -> tuple[str, ...]:
    """The extras that bring nothing on the target; raises InvalidRequest for one that does not exist.

    Resolvers only warn of an extra that a package does not have, and a marker may switch off all that an
    extra stands for: both would leave out without a word what was asked for.
    """
    unknown = [name for name in resolution.extras if name not in airflow.extras]
    if unknown:
        raise InvalidRequest(
            f"Airflow {resolution.release.version} has no extra {', '.join(unknown)}.",
            needed="one of " + ", ".join(sorted(airflow.extras)),
            hint=" ".join(filter(None, (did_you_mean(name, airflow.extras) for name in unknown))),
        )
    return tuple(
        extra for extra in resolution.extras if _is_empty(extra, airflow, resolution.question.target)
    )


def _is_empty(extra: str, airflow: graph.WheelMetadata, target: Target) -> bool:
    likely = [
        text
        for text in airflow.requires
        if extra in [str(canonicalize_name(name)) for name in _EXTRA.findall(text)]
    ]
    # Markers print with the extra's name normalised.
    asked = [item for item in map(Requirement, likely) if f'extra == "{extra}"' in str(item.marker)]
    where = {**graph.environment(target), "extra": extra}
    return bool(asked) and not any(item.marker and item.marker.evaluate(where) for item in asked)


def _extras(request: BundleRequest, version: str) -> tuple[str, ...]:
    said = request.settings
    asked = tuple(sorted({*said.extras, *worker_extras(said.workers, version)}))
    if said.no_default_extras or request.base:
        return asked
    return tuple(sorted({*default_extras(version), *asked}))


def _wanted(request: BundleRequest, version: str) -> tuple[Wanted, ...]:
    extras = _extras(request, version)
    bracket = f"[{','.join(extras)}]" if extras else ""
    texts = [f"{release.PROJECT}{bracket}=={version}", *sorted(release_for(version).drivers)]
    if request.base:
        # Airflow and its drivers are inside: only an extra has to be asked of it.
        texts = texts[:1] if extras else []
    if request.settings.workers == "celery" and request.target.python == "3.11":
        # redis asks for it below 3.11.3 alone: the bundle is for every 3.11, and Debian 12 has 3.11.2
        texts.append("async-timeout")
    own = (Wanted(text, text, canonicalize_name(Requirement(text).name)) for text in texts)
    return (*own, *request.requirements)


def _projects(locked: tuple[Locked, ...]) -> list[str]:
    # A project's folder has no place in a bundle; its name is enough, the wheel's hash is recorded.
    return [item.name for item in locked if item.directory is not None]


def _check_providers(locked: tuple[Locked, ...], found: ConstraintSet, wanted: tuple[Wanted, ...]) -> None:
    pinned = found.names
    chosen = {item.name for item in wanted if Requirement(item.record or "x").specifier}
    missing = [
        f"{item.name} {item.version}"
        for item in locked
        if item.name.startswith(_PROVIDER) and item.name not in pinned | chosen
    ]
    if missing:
        raise ResolutionFailed(
            f"The constraints do not pin {', '.join(missing)}: this release was not tested with it.",
            found=f"{found.record.source}: {found.record.url}",
            needed="a constraint file that pins every provider that is asked for",
            hint="Leave the extra out, or name a version of the provider yourself, as a requirement: "
            f"{missing[0].replace(' ', '==')}",
        )


def _check_workers(request: BundleRequest, airflow: str, versions: Mapping[str, str]) -> None:
    """Raise :class:`ResolutionFailed` for an engine of a version that runs no task under this release."""
    engine = request.settings.workers
    provider = _PROVIDER + {"edge": "edge3"}.get(engine, engine)
    broken = list(advisories.broken(airflow, {provider: versions.get(provider, "")})) if engine else []
    if broken:
        raise ResolutionFailed(
            f"--workers {engine} would carry a version that does not work.",
            found="\n".join(broken),
            needed="a version that works, as a requirement beside --workers",
            hint=f'For example: "{provider}!={versions[provider]}", or without constraints of that release: '
            "--constraints release-date",
        )


def _stale(found: ConstraintSet, known: Release, python: str) -> list[str]:
    warnings = []
    if found.says_release and not known.version.startswith(found.says_release):
        warnings.append(
            f"The constraint file says that it is for Airflow {found.says_release}, not {known.version}."
        )
    if found.says_python and found.says_python != python:
        warnings.append(f"The constraint file says that it is for Python {found.says_python}, not {python}.")
    if found.record.generated_on and known.as_of:
        generated = datetime.fromisoformat(found.record.generated_on[:19]).replace(tzinfo=timezone.utc)
        released = timestamp.parse(known.as_of)
        if released - generated > _STALE:
            warnings.append(
                f"The constraint file was generated on {generated:%Y-%m-%d}, {(released - generated).days} "
                f"days before Airflow {known.version} came out: it may be left over from an earlier release, "
                "as the project leaves files for a Python that it no longer supports."
            )
    return warnings
