"""What the values of a manifest may be: nothing in it can name a place outside of the bundle, or act on it.

A manifest comes from a stranger, on both sides of the gap. Types are the codec's matter.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List

from wheelhouse import codec, layout, text
from wheelhouse.errors import InvalidTarget
from wheelhouse.names import is_name, is_version, normal_name
from wheelhouse.tags import parse_wheel_name
from wheelhouse.target import Target

if TYPE_CHECKING:
    from wheelhouse.manifest import CarriedPython, Manifest, Package, Source

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]+\.whl")
_PYTHON = re.compile(r"3\.[0-9]{1,3}\.[0-9]{1,3}([a-z0-9]{1,8})?")
_ID = re.compile(r"[A-Za-z0-9.!+]+-cp3[0-9]{1,3}-[0-9a-f]{10}")
_SOURCES = ("official", "release-date", "file", "url")
_MOST = 2**63


def problems(manifest: Manifest) -> List[str]:
    """Everything that is wrong, a line each."""
    found = [f"{where}: not plain text: {text.shown(item)}" for where, item in _texts(manifest)]
    # what is no plain text is told once
    return found or list(_problems(manifest))


def _problems(manifest: Manifest) -> Iterator[str]:
    for name in ("airferry", "airflow"):
        if not is_version(getattr(manifest, name)):
            yield f"manifest.{name}: not a version (PEP 440): {text.shown(getattr(manifest, name))}"
    yield from _target(manifest.target)
    for extra in manifest.extras:
        if not is_name(extra):
            yield f"manifest.extras: not a name (PEP 503): {text.shown(extra)}"
    if manifest.base and not _ID.fullmatch(manifest.base):
        yield f"manifest.base: not a bundle id: {text.shown(manifest.base)}"
    constraints = manifest.constraints
    if constraints.source not in _SOURCES:
        yield f"manifest.constraints.source: unknown: {text.shown(constraints.source)}"
    if constraints.sha256 and not _SHA256.fullmatch(constraints.sha256):
        yield "manifest.constraints.sha256: not a sha256"
    times = (("created", manifest.created), ("constraints.as_of", constraints.as_of or manifest.created))
    for name, value in times:
        if not _TIME.fullmatch(value):
            yield f"manifest.{name}: not a time (RFC 3339): {text.shown(value)}"
    yield from _members(manifest)
    roles = [("packages", layout.WHEELS, manifest.packages), ("tools", layout.TOOLS, manifest.tools)]
    roles.append(("services", layout.SERVICES, manifest.services))
    if manifest.postgres:
        roles.append(("postgres", layout.POSTGRES, (manifest.postgres.package,)))
        if not is_version(manifest.postgres.version):
            yield f"manifest.postgres.version: not a version: {text.shown(manifest.postgres.version)}"
    for role, folder, packages in roles:
        yield from _twice(f"manifest.{role}", [package.name for package in packages])
        for index, package in enumerate(packages):
            yield from _package(f"manifest.{role}[{index}]", folder, package)
    if manifest.python:
        yield from _carried(manifest.python, manifest.target)


def _texts(manifest: Manifest) -> Iterator[Any]:
    def walk(value: Any, where: str) -> Iterator[Any]:
        if isinstance(value, str):
            if not text.is_plain(value):
                yield where, value
        elif isinstance(value, dict):
            for name, item in value.items():
                yield from walk(item, f"{where}.{name}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, f"{where}[{index}]")

    return walk(codec.encode(manifest), "manifest")


def _target(target: Target) -> Iterator[str]:
    try:
        if Target.parse(target.python, target.platform) == target:
            return
    except InvalidTarget:
        pass
    yield f"manifest.target: not a target: {text.shown(f'{target.python}, {target.platform}')}"


def _members(manifest: Manifest) -> Iterator[str]:
    yield from _twice("manifest.files", [file.path for file in manifest.files])
    for index, file in enumerate(manifest.files):
        if not layout.is_safe(file.path) or file.path == layout.MANIFEST:
            yield f"manifest.files[{index}].path: unsafe: {text.shown(file.path)}"
        yield from _bytes(f"manifest.files[{index}]", {"size": file.size}, file.sha256)


def _package(where: str, folder: str, package: Package) -> Iterator[str]:
    if not is_name(package.name):
        yield f"{where}.name: not a name (PEP 503): {text.shown(package.name)}"
    if not is_version(package.version):
        yield f"{where}.version: not a version (PEP 440): {text.shown(package.version)}"
    if not _is_wheel_of(package, folder):
        yield f"{where}.path: not a wheel of that name in {folder}: {text.shown(package.path)}"
    yield from _bytes(where, {"size": package.size, "unpacked": package.unpacked}, package.sha256)
    yield from _url(f"{where}.url", package.url)
    if not all(map(is_name, package.required_by)):
        yield f"{where}.required_by: not names (PEP 503)"
    if package.built_from:
        yield from _source(f"{where}.built_from", package.built_from)


def _is_wheel_of(package: Package, folder: str) -> bool:
    filename = package.filename
    if package.path != folder + filename or not _WHEEL.fullmatch(filename):
        return False
    try:
        wheel = parse_wheel_name(filename)
    except ValueError:
        return False
    return normal_name(wheel.name) == package.name


def _source(where: str, source: Source) -> Iterator[str]:
    yield from _bytes(where, {}, source.sha256)
    yield from _url(f"{where}.url", source.url)


def _carried(python: CarriedPython, target: Target) -> Iterator[str]:
    where = "manifest.python"
    if not _PYTHON.fullmatch(python.version) or not python.version.startswith(f"{target.python}."):
        yield f"{where}.version: not a Python {target.python}: {text.shown(python.version)}"
    name = python.path[len(layout.PYTHON) :]
    if python.path != layout.PYTHON + name or "/" in name or not layout.is_safe(python.path):
        yield f"{where}.path: not a file in {layout.PYTHON}: {text.shown(python.path)}"
    yield from _bytes(where, {"size": python.size, "unpacked": python.unpacked}, python.sha256)
    yield from _url(f"{where}.url", python.url)


def _bytes(where: str, numbers: Dict[str, int], sha256: str) -> Iterator[str]:
    for name, value in numbers.items():
        if not 0 <= value < _MOST:
            yield f"{where}.{name}: not a number of bytes"
    if not _SHA256.fullmatch(sha256):
        yield f"{where}.sha256: not a sha256"


def _url(where: str, url: str) -> Iterator[str]:
    host = url.partition("://")[2].partition("/")[0]
    if url and (not url.startswith(("https://", "http://")) or "@" in host):
        yield f"{where}: not an address without credentials"


def _twice(where: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in sorted(Counter(names).items()):
        if count > 1:
            yield f"{where}: {text.shown(name)} is listed twice"
