"""From chosen files to the bundle: packages as the manifest lists them, members, and the file itself."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from bundler.assembly.payload import PayloadFile
from bundler.base.errors import DownloadFailed, InvalidRequest, OutputFailed
from bundler.index.cache import Cache
from bundler.index.wheel import Wheel
from bundler.lock import graph, lockfile
from bundler.lock.lockfile import Artifact
from wheelhouse import layout, timestamp, writer
from wheelhouse.manifest import Manifest, Package
from wheelhouse.tags import floor
from wheelhouse.target import Target
from wheelhouse.writer import Member, Prepared, Written

# What is in the cache was worked out by these rules, of each kind; another number leaves it alone.
_METADATA, _PACKAGES, _PYLOCK = "metadata 3", "packages 3", "pylock 3"
# The first second that a ZIP member can bear.
_EARLIEST = datetime(1980, 1, 1, tzinfo=timezone.utc)


def metadata(name: str, artifact: Artifact, path: Path, cache: Cache) -> graph.WheelMetadata:
    """What a fetched wheel says about itself; raises DownloadFailed for one that cannot be read."""
    wheel = Wheel.of(name, "", artifact, path)
    found = cache.answer([_METADATA, wheel.sha256], lambda: asdict(_metadata(wheel)))
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return graph.WheelMetadata(**{**found, **lists})


def packages(
    wheels: Sequence[Wheel], requirements: Sequence[str], target: Target, cache: Cache
) -> tuple[Package, ...]:
    """Describe the wheels for the manifest, each with who needs it; raises DownloadFailed."""
    wheels = sorted(wheels, key=lambda wheel: wheel.name)
    found = _askers(wheels, requirements, target, cache)
    return tuple(
        _package(wheel, layout.WHEELS, unpacked, tuple(askers))
        for wheel in wheels
        for unpacked, askers in (found[wheel.name],)
    )


def asking_for(
    name: str, wheels: Sequence[Wheel], requirements: Sequence[str], target: Target, cache: Cache
) -> tuple[str, ...]:
    """Which of the wheels ask for a package, be it among them or not; raises DownloadFailed."""
    wheels = sorted(wheels, key=lambda wheel: wheel.name)
    return tuple(_askers(wheels, requirements, target, cache).get(name, (0, ()))[1])


def _askers(
    wheels: Sequence[Wheel], requirements: Sequence[str], target: Target, cache: Cache
) -> Mapping[str, tuple[int, Sequence[str]]]:
    """By name of what is there or asked for: its unpacked bytes (0 when not there), and who asks for it."""
    parts = [
        target.python,
        target.platform,
        *requirements,
        *(f"{item.name} {item.sha256}" for item in wheels),
    ]

    def work_out() -> dict[str, Any]:
        known = {wheel.name: _metadata(wheel) for wheel in wheels}
        askers = graph.required_by([Requirement(text) for text in requirements], known, target)
        return {name: (known[name].unpacked if name in known else 0, who) for name, who in askers.items()}

    found: Mapping[str, tuple[int, Sequence[str]]] = cache.answer([_PACKAGES, *parts], work_out)
    return found


def carried(
    items: Sequence[PayloadFile], files: Mapping[str, Path], folder: str, cache: Cache
) -> tuple[Package, ...]:
    """Describe what goes in whole below `folder` (``tools/`` and the like)."""
    paths = [files[item.artifact.sha256] for item in items]
    return tuple(
        _package(
            Wheel.of(item.name, item.version, item.artifact, path),
            folder,
            metadata(item.name, item.artifact, path, cache).unpacked,
        )
        for item, path in zip(items, paths, strict=True)
    )


def members(described: Iterable[Package], files: Mapping[str, Path]) -> list[Member]:
    """The members of packages, from the files by sha256, with which they were just compared."""
    return [Member(package.path, files[package.sha256], package.sha256) for package in described]


def pylock(described: Sequence[Package], target: Target, cache: Cache) -> Member:
    """The member that is the bundle's lock."""
    parts = [target.python, *(f"{item.version} {item.size} {item.sha256} {item.path}" for item in described)]
    return Member(
        layout.LOCK,
        str(cache.answer([_PYLOCK, *parts], lambda: lockfile.write(described, target))).encode(),
    )


def highest_floor(described: Iterable[Package], target: Target) -> str:
    """The C library that all files together need, e.g. ``glibc 2.28``; empty when none needs any."""
    needs = [floor(package.filename, target.host.libc) for package in described]
    return (
        max((need for need in needs if need), key=lambda need: need.version).libc_label if any(needs) else ""
    )


def created(uploaded: Iterable[str]) -> datetime:
    """The time that the bundle bears: SOURCE_DATE_EPOCH, else the newest upload time of what is in it."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text:
        if not text.isdigit():
            raise InvalidRequest("SOURCE_DATE_EPOCH is not a number of seconds.", found=text)
        moment = datetime.fromtimestamp(int(text), timezone.utc)
    else:
        times = [timestamp.parse(item) for item in uploaded if item]
        moment = max(times, default=_EARLIEST)
    return max(moment.replace(microsecond=0), _EARLIEST)


def write(
    folder: Path,
    manifest: Manifest,
    content: Sequence[Member | Prepared],
    moment: datetime,
    progress: Callable[[int], None],
) -> tuple[Path, Path, Written]:
    """Write the bundle and its ``.sha256`` into `folder`; returns both paths, and what was written.

    Raises :class:`OutputFailed`; nothing half-made stays.
    """
    target = manifest.target
    path = folder / layout.bundle_name(manifest.airflow, target.tag, target.platform, _added(manifest))
    beside = path.with_name(path.name + ".sha256")
    stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(path)
        written = writer.write(path, manifest, content, timestamp=stamp, progress=progress)
        temporary = beside.with_name(f"{beside.name}.{os.getpid()}.part")
        temporary.write_text(f"{written.sha256}  {path.name}\n", encoding="utf-8")
        temporary.replace(beside)
    except OSError as error:
        raise OutputFailed(
            f"The bundle cannot be written to {folder}: {error.strerror}.",
            found=str(error),
            hint="Name another folder with --output.",
        ) from error
    return path, beside, written


def _added(manifest: Manifest) -> str:
    """What tells an add-on from others by its name: the same for the same packages on the same base."""
    if not manifest.base:
        return ""
    parts = [manifest.base, *(package.sha256 for package in manifest.packages)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _clear(path: Path) -> None:
    """Remove what runs that were killed have left of this bundle; one that still runs keeps its own."""
    for part in path.parent.glob(f"{path.name}.*.part"):
        pid = part.name.split(".")[-2]
        if not (pid.isdigit() and Path(f"/proc/{pid}").exists()):
            part.unlink(missing_ok=True)


def _metadata(wheel: Wheel) -> graph.WheelMetadata:
    try:
        return graph.read_metadata(wheel.path)
    except (ValueError, zipfile.BadZipFile) as error:
        raise DownloadFailed(
            f"{wheel.filename} is not a wheel that can be read.", found=str(error)
        ) from error


def _package(wheel: Wheel, folder: str, unpacked: int, askers: tuple[str, ...] = ()) -> Package:
    return Package(
        name=wheel.name,
        version=wheel.version,
        path=folder + wheel.filename,
        size=wheel.path.stat().st_size,
        sha256=wheel.sha256,
        url=wheel.url,
        unpacked=unpacked,
        required_by=askers,
        built_from=wheel.built_from,
    )
