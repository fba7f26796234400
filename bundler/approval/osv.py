"""A dump of the OSV database (osv.dev, ``all.zip`` or a folder of its files), searched without a network.

The format is the OSV schema 1.7: https://ossf.github.io/osv-schema/. A dump has hundreds of thousands of
advisories; only those about the packages that are asked for are kept.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.approval import severity
from bundler.approval.licences import shortened
from bundler.approval.vulnerabilities import Vulnerability
from bundler.base.digest import file_digest
from bundler.base.errors import InvalidRequest

PYPI, CARGO = "PyPI", "crates.io"
_NEEDLES = {PYPI: b'"PyPI"', CARGO: b'"crates.io"'}
_MOST = 1 << 25  # bytes of an advisory
_SEMVER = re.compile(r"v?(\d{1,18})\.(\d{1,18})\.(\d{1,18})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
Subject = tuple[str, str, str]  # ecosystem, name, version


@dataclass(frozen=True)
class OsvAnswer:
    """What a dump told: `found` by subject, how many advisories it has by ecosystem, and their newest day."""

    source: str
    date: str
    advisories: Mapping[str, int]
    found: Mapping[Subject, tuple[Vulnerability, ...]]


def search(path: Path, subjects: Iterable[Subject]) -> OsvAnswer:
    """Search a dump; raises :class:`InvalidRequest` for what is none, or has nothing about Python packages.

    An advisory that cannot be read is an error too: it could be the one that matters.
    """
    wanted: dict[tuple[str, str], list[Subject]] = {}
    for subject in subjects:
        wanted.setdefault((subject[0], _name(subject[0], subject[1])), []).append(subject)
    counts = dict.fromkeys(_NEEDLES, 0)
    newest = ""
    found: dict[Subject, dict[str, Vulnerability]] = {}
    for name, content in _files(path):
        about = [ecosystem for ecosystem, needle in _NEEDLES.items() if needle in content]
        if not about:
            continue
        try:
            advisory = json.loads(content)
            if advisory.get("withdrawn"):
                continue
            for ecosystem in about:
                counts[ecosystem] += 1
            newest = max(newest, str(advisory["modified"]))
            for subject in _hit(advisory, wanted):
                item = _vulnerability(advisory, subject)
                found.setdefault(subject, {})[item.id] = item
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _refused(path, f"{name} cannot be read: {shortened(repr(error))}") from error
    if not counts[PYPI]:
        raise _refused(path, f"{counts[PYPI]} advisories about Python packages")
    digest = f", sha256 {file_digest(path)}" if path.is_file() else ""
    told = {subject: _merged(items) for subject, items in found.items()}
    return OsvAnswer(f"OSV {path.name}{digest}", newest[:10], counts, told)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield str(file.relative_to(path)), file.read_bytes()
            return
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".json"):
                    if info.file_size > _MOST:
                        raise _refused(path, f"{shortened(info.filename)} has {info.file_size:,} bytes")
                    yield info.filename, archive.read(info)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise _refused(path, str(error)) from error


def _hit(advisory: Mapping[str, Any], wanted: Mapping[tuple[str, str], list[Subject]]) -> list[Subject]:
    hit = []
    for affected in advisory.get("affected", []):
        package = affected.get("package", {})
        ecosystem = str(package.get("ecosystem", "")).partition(":")[0]
        for subject in wanted.get((ecosystem, _name(ecosystem, str(package.get("name", "")))), ()):
            if _affects(affected, subject):
                hit.append(subject)
    return hit


def _name(ecosystem: str, name: str) -> str:
    return str(canonicalize_name(name)) if ecosystem == PYPI else name


def _affects(affected: Mapping[str, Any], subject: Subject) -> bool:
    ecosystem, _, version = subject
    versions = affected.get("versions") or []
    ranges = [item for item in affected.get("ranges") or [] if item.get("type") != "GIT"]
    if not versions and not ranges:
        return True  # of every version, or nobody said of which
    own = _key(ecosystem, version)
    if version in versions or own is None:
        return True
    if any(_key(ecosystem, str(item)) == own for item in versions):
        return True
    return any(_within(item.get("events", []), ecosystem, own) for item in ranges)


def _within(events: Sequence[Mapping[str, str]], ecosystem: str, own: Any) -> bool:
    """Whether a version is in a range: the last event at or before it decides."""
    placed = []
    for event in events:
        for kind, text in event.items():
            if kind == "limit":
                continue
            key = _key(ecosystem, "0" if text == "0" and ecosystem == PYPI else text)
            if text == "0":
                placed.append((0, None, kind))
            elif key is None:
                return True  # a bound that nobody can read excludes nothing
            else:
                placed.append((1, key, kind))
    placed.sort(key=lambda item: (item[0], item[1] if item[0] else 0))
    inside = False
    for rank, key, kind in placed:
        if rank and key > own:
            break
        if kind == "introduced":
            inside = True
        elif kind == "fixed" or (kind == "last_affected" and key != own):
            inside = False
    return inside


def _key(ecosystem: str, version: str) -> Any:
    """What versions are ordered by; None for a text that is no version there."""
    if ecosystem == PYPI:
        try:
            return Version(version)
        except InvalidVersion:
            return None
    match = _SEMVER.fullmatch(version)
    if match is None:
        return None
    early = match[4]
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in (early or "").split(".")]
    return (int(match[1]), int(match[2]), int(match[3]), early is None, parts if early else [])


def _vulnerability(advisory: Mapping[str, Any], subject: Subject) -> Vulnerability:
    fixed = {
        str(event["fixed"])
        for affected in advisory.get("affected", [])
        if _name(subject[0], str(affected.get("package", {}).get("name", ""))) == _name(*subject[:2])
        for item in affected.get("ranges") or []
        if item.get("type") != "GIT"
        for event in item.get("events", [])
        if "fixed" in event
    }
    text = str(advisory.get("summary") or advisory.get("details") or "")
    return Vulnerability(
        id=shortened(str(advisory["id"]), 80),
        aliases=tuple(sorted(shortened(str(item), 80) for item in advisory.get("aliases") or [])),
        summary=shortened(text, 200),
        severity=severity.of(advisory),
        fixed_in=tuple(sorted(shortened(item, 40) for item in fixed)),
    )


def _merged(items: Mapping[str, Vulnerability]) -> tuple[Vulnerability, ...]:
    """One entry for what several databases tell of the same, with the gravest severity that is rated."""
    kept: list[Vulnerability] = []
    for item in sorted(items.values(), key=lambda item: (not item.id.startswith("GHSA"), item.id)):
        names = {item.id, *item.aliases}
        same = next((other for other in kept if names & {other.id, *other.aliases}), None)
        if same is None:
            kept.append(item)
            continue
        rated = [other.severity for other in (same, item) if other.severity != "unknown"]
        gravest = max(rated, key=severity.ORDER.index) if rated else "unknown"
        aliases = tuple(sorted({*same.aliases, *names} - {same.id}))
        fixed = tuple(sorted({*same.fixed_in, *item.fixed_in}))
        joined = replace(same, aliases=aliases, severity=gravest, fixed_in=fixed)
        kept[kept.index(same)] = joined
    return tuple(sorted(kept, key=lambda item: item.id))


def _refused(path: Path, found: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path} cannot be used as a dump of OSV.",
        found=found,
        needed="all.zip of https://osv.dev (of all, or of PyPI alone), or a folder of the files in it",
        hint="Fetch it again: half a dump would say that nothing is known of what it lacks.",
    )
