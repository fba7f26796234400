"""The packages of an environment against the manifest that it was made from: what was changed by hand."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

from bootstrap.state.home import ReleaseFolder
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest, Package

# What an environment has beside its packages: of the venv's maker, of add-ons, and what Python writes.
_OWN = re.compile(r"_virtualenv\.(py|pth)|airferry-added\.pth(\.new)?|__pycache__|.*\.pyc|\.lock")


@dataclass(frozen=True)
class Handmade:
    """What differs from the manifest, a line each.

    `changed` are packages of another version, `added` packages and files that no package lists, `removed`
    packages that are gone.
    """

    changed: Tuple[str, ...] = ()
    added: Tuple[str, ...] = ()
    removed: Tuple[str, ...] = ()


def compare(release: ReleaseFolder) -> Handmade:
    """What is in the environment of a release, against its manifest; nothing where that cannot be read."""
    site = next(iter(sorted(release.venv.glob("lib/python3*/site-packages"))), None)
    try:
        manifest = Manifest.loads(release.manifest.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, AirferryError):
        return Handmade()  # a finding of its own
    if site is None:
        return Handmade()
    wanted = {_normal(package.name): package for package in manifest.packages}
    found = _installed(site)
    changed, added = [], []
    for name, (shown, version, folder) in sorted(found.items()):
        package = wanted.get(name)
        if package is None:
            added.append(f"{shown} {version}")
        elif not _same(package, version, folder):
            changed.append(f"{name} {version}, in the bundle {package.version}")
    return Handmade(
        tuple(changed),
        (*added, *(str(path) for path in _unlisted(site))),
        tuple(f"{name} {wanted[name].version}" for name in sorted(set(wanted) - set(found))),
    )


def _installed(site: Path) -> Dict[str, Tuple[str, str, str]]:
    """By normal name: the name as it is written, the version, and the folder with the metadata."""
    found = {}
    for path in sorted([*site.glob("*.dist-info"), *site.glob("*.egg-info"), *site.glob("*.egg-link")]):
        name, version = _described(path)
        if name:
            found[_normal(name)] = (name, version, path.name)
    return found


def _described(path: Path) -> Tuple[str, str]:
    """Name and version by the metadata (core metadata, PEP 566), else by the name of the folder."""
    stem = path.name.rpartition(".")[0]
    name, _, version = stem.partition("-")
    for file in (path / "METADATA", path / "PKG-INFO", path):
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                headers = HeaderParser().parsestr("".join(_head(stream)))
        except OSError:
            continue
        return headers.get("Name", name), headers.get("Version", version)
    return name, version


def _head(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            return
        yield line


def _same(package: Package, version: str, folder: str) -> bool:
    """Whether it is that package: a version may be written in several ways, and its wheel knows its own."""
    carried = package.filename.split("-")[1]
    return version in (package.version, carried) or folder.rpartition(".")[0].partition("-")[2] == carried


def _unlisted(site: Path) -> List[Path]:
    """What lies in the folder itself and belongs to no package."""
    listed: Set[str] = set()
    for record in site.glob("*.dist-info/RECORD"):
        listed.add(record.parent.name)
        with record.open(encoding="utf-8", errors="replace", newline="") as stream:
            listed.update(row[0].split("/", 1)[0] for row in csv.reader(stream) if row)
    return [
        path
        for path in sorted(site.iterdir())
        if path.name not in listed
        and not _OWN.fullmatch(path.name)
        and not path.name.endswith((".dist-info", ".egg-info", ".egg-link"))
    ]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
