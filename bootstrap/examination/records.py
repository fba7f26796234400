"""Installed files against the RECORD of their package: what was changed, removed or put between them.

RECORD (PEP 376, PEP 627) lies beside what it lists and is as easy to change: this finds what happened, not
who hides it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

# files that are named; the others are counted
_MOST = 50
_CHUNK = 1 << 20
# what Python writes, what the environment's maker and add-ons have beside the packages
_OWN = (".pyc", ".lock")
_BESIDE = ("_virtualenv.py", "_virtualenv.pth", "airferry-added.pth")


@dataclass(frozen=True)
class Recorded:
    """What was compared: `packages`, `files` with a digest, and paths below the folder that differ.

    `changed` have other bytes, `missing` are gone, `unlisted` belong to no package; `more` counts those that
    are not named.
    """

    packages: int = 0
    files: int = 0
    changed: Tuple[str, ...] = ()
    missing: Tuple[str, ...] = ()
    unlisted: Tuple[str, ...] = ()
    more: int = 0

    @property
    def sound(self) -> bool:
        """Whether every file is as it was installed, and there is no other."""
        return not (self.changed or self.missing or self.unlisted)


def compare(site: Path) -> Recorded:
    """Compare what is installed in a ``site-packages``; takes seconds for hundreds of megabytes."""
    listed: Set[str] = set()
    packages = files = 0
    changed: List[str] = []
    missing: List[str] = []
    for record in sorted(site.glob("*.dist-info/RECORD")):
        packages += 1
        for name, digest in _rows(record):
            path = os.path.normpath(str(site / name))
            listed.add(path)
            if not digest:
                continue
            files += 1
            found = _digest(path, digest.partition("=")[0])
            if found is None:
                missing.append(_below(path, site))
            elif found != digest:
                changed.append(_below(path, site))
    unlisted = [_below(path, site) for path in _there(site) if path not in listed]
    lists = {"changed": changed, "missing": missing, "unlisted": unlisted}
    named = {name: tuple(sorted(set(paths))[:_MOST]) for name, paths in lists.items()}
    more = sum(len(set(paths)) for paths in lists.values()) - sum(map(len, named.values()))
    return Recorded(packages, files, more=more, **named)


def _rows(record: Path) -> Iterator[Tuple[str, str]]:
    """Each path as it stands there, and its digest (``sha256=...``), empty where there is none."""
    try:
        with record.open(encoding="utf-8", errors="replace", newline="") as stream:
            for row in csv.reader(stream):
                if row and "\0" not in row[0]:
                    yield row[0], row[1] if len(row) > 1 else ""
    except (OSError, csv.Error):
        return  # what it lists shows as unlisted


def _digest(path: str, algorithm: str) -> Optional[str]:
    """The digest as RECORD has it; None where there is no such file."""
    try:
        hasher = hashlib.new(algorithm)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:  # noqa: PTH123
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                hasher.update(chunk)
    except OSError:
        return None
    except ValueError:
        return ""
    return f"{algorithm}={base64.urlsafe_b64encode(hasher.digest()).rstrip(b'=').decode()}"


def _there(site: Path) -> Iterator[str]:
    """Every file below the folder but what is nobody's."""
    for folder, names, files in os.walk(str(site)):
        names[:] = [name for name in names if name != "__pycache__"]
        for name in files:
            if not name.endswith(_OWN) and name not in _BESIDE:
                yield os.path.join(folder, name)  # noqa: PTH118 - tens of thousands


def _below(path: str, site: Path) -> str:
    return os.path.relpath(path, str(site))


def together(found: Dict[str, Recorded]) -> Recorded:
    """Several folders as one, each path behind the name of its folder but for the first."""
    names = list(found)

    def paths(kind: str) -> Tuple[str, ...]:
        return tuple(
            path if name == names[0] else f"{name}/{path}"
            for name, item in found.items()
            for path in getattr(item, kind)
        )

    return Recorded(
        sum(item.packages for item in found.values()), sum(item.files for item in found.values()),
        paths("changed"), paths("missing"), paths("unlisted"), sum(item.more for item in found.values()),
    )  # fmt: skip
