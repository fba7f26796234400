"""What to type on this very distribution; packages come from its own mirror or medium, never an address."""

from __future__ import annotations

import re
import shlex
from typing import Dict, Optional, Tuple

from bootstrap.facts.distribution import Distribution

_INSTALL = {
    "apt": "apt-get install",
    "dnf": "dnf install",
    "yum": "yum install",
    "zypper": "zypper install",
    "apk": "apk add",
}
_BY_ID = {
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "suse": "zypper",
    "opensuse": "zypper",
    "sles": "zypper",
    "alpine": "apk",
}
# the headers that a Python compiled by hand needs for a module
HEADERS: Dict[str, Dict[str, str]] = {
    "ctypes": {"apt": "libffi-dev", "rpm": "libffi-devel", "zypper": "libffi-devel", "apk": "libffi-dev"},
    "ssl": {"apt": "libssl-dev", "rpm": "openssl-devel", "zypper": "libopenssl-devel", "apk": "openssl-dev"},
    "zlib": {"apt": "zlib1g-dev", "rpm": "zlib-devel", "zypper": "zlib-devel", "apk": "zlib-dev"},
    "sqlite3": {
        "apt": "libsqlite3-dev", "rpm": "sqlite-devel", "zypper": "sqlite3-devel", "apk": "sqlite-dev",
    },
    "bz2": {"apt": "libbz2-dev", "rpm": "bzip2-devel", "zypper": "libbz2-devel", "apk": "bzip2-dev"},
    "lzma": {"apt": "liblzma-dev", "rpm": "xz-devel", "zypper": "xz-devel", "apk": "xz-dev"},
}  # fmt: skip


# RHEL and its kin: the version behind the package python3
_SYSTEM = {"7": "3.6", "8": "3.6", "9": "3.9", "10": "3.12"}
# The Pythons that releases offer as packages of their own; what is not listed is not known.
OFFERED: Dict[Tuple[str, str], Tuple[str, ...]] = {
    ("debian", "10"): ("3.7",),
    ("debian", "11"): ("3.9",),
    ("debian", "12"): ("3.11",),
    ("debian", "13"): ("3.13",),
    ("ubuntu", "20.04"): ("3.8", "3.9"),
    ("ubuntu", "22.04"): ("3.10", "3.11"),
    ("ubuntu", "24.04"): ("3.12",),
    ("el", "7"): ("3.6",),
    ("el", "8"): ("3.6", "3.8", "3.9", "3.11", "3.12"),
    ("el", "9"): ("3.9", "3.11", "3.12"),
    ("el", "10"): ("3.12",),
    ("alpine", "3.18"): ("3.11",),
    ("alpine", "3.19"): ("3.11",),
    ("alpine", "3.20"): ("3.12",),
    ("alpine", "3.21"): ("3.12",),
    ("alpine", "3.22"): ("3.12",),
}


def family(distribution: Optional[Distribution]) -> str:
    """How this distribution installs packages: apt, dnf, yum, zypper, apk, or empty when unknown."""
    if distribution is None:
        return ""
    for manager in distribution.managers:
        kind = {"apt-get": "apt"}.get(manager, manager)
        if kind in _INSTALL:
            return kind
    for name in (distribution.id, *distribution.like):
        if name.partition("-")[0] in _BY_ID:
            return _BY_ID[name.partition("-")[0]]
    return ""


def install(distribution: Optional[Distribution], *packages: str) -> Tuple[str, ...]:
    """The command that installs `packages`; nothing when the distribution is unknown."""
    kind = family(distribution)
    return (f"{_INSTALL[kind]} {' '.join(packages)}",) if kind else ()


def headers(distribution: Optional[Distribution], *modules: str) -> Tuple[str, ...]:
    """The packages with the headers for `modules`; Debian's names when the distribution is unknown."""
    kind = {"dnf": "rpm", "yum": "rpm"}.get(family(distribution), family(distribution)) or "apt"
    return tuple(HEADERS[module][kind] for module in modules)


def offers(distribution: Optional[Distribution], minor: str) -> bool:
    """Whether this release may have packages of Python `minor` (``3.11``); true when that is not known."""
    return minor in OFFERED.get(_release(distribution), (minor,))


def install_python(distribution: Optional[Distribution], minor: str) -> Tuple[str, ...]:
    """The command that installs the whole Python `minor`; nothing where there is no such package."""
    if distribution is None or not offers(distribution, minor):
        return ()
    kind, release = family(distribution), _release(distribution)
    short = "python" + minor.replace(".", "")
    package = f"python{minor}"
    if kind == "zypper" or (release == ("el", "8") and minor in ("3.8", "3.9")):
        package = short
    if kind == "apk" or (release[0] == "el" and minor == _SYSTEM.get(release[1])):
        package = "python3"
    return install(distribution, package)


def install_distutils(distribution: Optional[Distribution], minor: str) -> Tuple[str, ...]:
    """The command that brings distutils, which Debian and its kin keep apart from Python itself."""
    if family(distribution) == "apt":
        return install(distribution, "python3-distutils")
    return install_python(distribution, minor)


def install_postgres(distribution: Optional[Distribution]) -> Tuple[str, ...]:
    """The command that installs the distribution's PostgreSQL server; nothing when it is unknown."""
    kind = family(distribution)
    package = {"apt": "postgresql", "apk": "postgresql16"}.get(kind, "postgresql-server")
    return install(distribution, package)


def _release(distribution: Optional[Distribution]) -> Tuple[str, str]:
    if distribution is None:
        return "", ""
    if {"rhel", "centos", "fedora"} & {distribution.id, *distribution.like} and distribution.id != "fedora":
        return "el", distribution.version.split(".")[0]
    if distribution.id == "alpine":
        return "alpine", ".".join(distribution.version.split(".")[:2])
    return distribution.id, distribution.version


def library(distribution: Optional[Distribution], error: str) -> Tuple[str, Tuple[str, ...]]:
    """The shared library that `error` misses, and how to find the package that holds it."""
    match = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", error)
    if not match:
        return "", ()
    name = match.group(1)
    commands = {
        "dnf": (f"dnf install '*/{name}'",),
        "yum": (f"yum install '*/{name}'",),
        "zypper": (f"zypper search --provides '{name}()(64bit)'",),
        "apk": (f"apk add so:{name}",),
    }
    return name, commands.get(family(distribution), ())


def quoted(path: str) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(path)
