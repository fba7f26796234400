"""Who needs whom, from the wheels' own metadata, for the target and not for this machine."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelhouse.target import Target

_MOST = 2**24  # bytes of METADATA; long descriptions have some 100,000
_SHOWN = 200  # characters of a licence, or of what is wrong
_MINOR = re.compile(r"Programming Language :: Python :: 3\.([0-9]{1,3})")


@dataclass(frozen=True)
class WheelMetadata:
    """What a wheel says about itself; `unpacked` is in bytes, `pythons` the minor versions it names."""

    name: str
    version: str
    requires: tuple[str, ...]
    requires_python: str
    extras: tuple[str, ...]
    licence: str
    unpacked: int
    pythons: tuple[str, ...] = ()


def read_metadata(wheel: Path | IO[bytes]) -> WheelMetadata:
    """Read ``METADATA`` and the directory of a wheel; raises OSError, ValueError or zipfile.BadZipFile."""
    try:
        return _read_metadata(wheel)
    except (OSError, ValueError, zipfile.BadZipFile):
        raise
    except Exception as error:  # what zipfile lets through: of its decompressors, "encrypted", ...
        raise ValueError(f"it cannot be read: {error!r}"[:_SHOWN]) from error


def _read_metadata(wheel: Path | IO[bytes]) -> WheelMetadata:
    import email.parser  # noqa: PLC0415 - what has been read once comes from the cache

    with zipfile.ZipFile(wheel) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        ]
        if len(names) != 1:
            raise ValueError(f"{len(names)} METADATA files in a wheel")
        if archive.getinfo(names[0]).file_size > _MOST:
            raise ValueError("its METADATA is too large")
        message = email.parser.BytesParser().parsebytes(archive.read(names[0]), headersonly=True)
        unpacked = sum(info.file_size for info in archive.infolist())

    def every(name: str) -> list[str]:
        # what is no UTF-8 comes as a Header, which is no str
        return [str(value) for value in message.get_all(name, [])]

    def first(name: str) -> str:
        return every(name)[0] if every(name) else ""

    classifiers = every("Classifier")
    licence = first("License-Expression") or "; ".join(
        value.rsplit(" :: ", 1)[-1] for value in classifiers if value.startswith("License ::")
    )
    if not licence:
        # A License field is free text, at times the whole licence.
        licence = first("License").strip().split("\n", 1)[0][:80]
    return WheelMetadata(
        first("Name"),
        first("Version"),
        tuple(every("Requires-Dist")),
        first("Requires-Python"),
        tuple(canonicalize_name(value) for value in every("Provides-Extra")),
        licence[:_SHOWN],
        unpacked,
        _pythons(classifiers),
    )


def _pythons(classifiers: list[str]) -> tuple[str, ...]:
    found = [_MINOR.fullmatch(text) for text in classifiers]
    return tuple(f"3.{minor}" for minor in sorted(int(match[1]) for match in found if match))


# The last patch release of each Python (devguide.python.org/versions); any real one later than .0 would do.
_LAST_PATCH = {"3.8": 20, "3.9": 25, "3.10": 21, "3.11": 16, "3.12": 14, "3.13": 12, "3.14": 3}


def full_version(python: str) -> str:
    """A real patch release of a minor version, its last: many packages refuse ``.0`` (``>=3.8.1``)."""
    return f"{python}.{_LAST_PATCH.get(python, 0)}"


def environment(target: Target) -> dict[str, str]:
    """The target's marker environment (PEP 508)."""
    return {
        "implementation_name": "cpython",
        "implementation_version": full_version(target.python),
        "os_name": "posix",
        "platform_machine": target.host.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full_version(target.python),
        "python_version": target.python,
        "sys_platform": "linux",
    }


def required_by(
    roots: Iterable[Requirement], metadata: Mapping[str, WheelMetadata], target: Target
) -> dict[str, tuple[str, ...]]:
    """Which packages ask for which, following only the extras that are really asked for.

    Keys of `metadata` and of the result are normalised names, of the result also those that are asked for
    and not in `metadata`; a package that only the request asks for has nobody. The base of an add-on is not
    in `metadata`: what leads through it is not followed.
    """
    fixed = environment(target)
    askers: dict[str, set[str]] = defaultdict(set)
    waiting = [(canonicalize_name(root.name), extra) for root in roots for extra in ("", *root.extras)]
    waiting += [(canonicalize_name(name), "") for name in metadata]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in metadata:
            continue
        seen.add((name, extra))
        for text in metadata[name].requires:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue  # old metadata may hold what PEP 508 does not know; it only explains here
            if requirement.marker and not requirement.marker.evaluate({**fixed, "extra": extra}):
                continue
            child = canonicalize_name(requirement.name)
            if child != name:
                askers[child].add(name)
            waiting += [
                (child, canonicalize_name(wanted) if wanted else "") for wanted in ("", *requirement.extras)
            ]
    return {name: tuple(sorted(askers.get(name, ()))) for name in {**metadata, **askers}}
