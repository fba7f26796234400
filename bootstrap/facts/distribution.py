"""The distribution: what it calls itself (os-release) and how it installs packages."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

MANAGERS = ("apt-get", "dnf", "yum", "zypper", "apk")


@dataclass(frozen=True)
class Distribution:
    """`id` and `like` as in os-release(5), lower case; `managers` are the package managers that are there."""

    id: str = ""
    like: Tuple[str, ...] = ()
    version: str = ""
    name: str = ""
    managers: Tuple[str, ...] = ()


def collect(paths: Tuple[str, ...] = ("/etc/os-release", "/usr/lib/os-release")) -> Distribution:
    """Read the first of `paths` that is there."""
    values = {}
    for path in map(Path, paths):
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                key, sign, value = line.partition("=")
                if sign and not key.startswith("#"):
                    values[key.strip()] = "".join(shlex.split(value))
            break
    return Distribution(
        values.get("ID", ""),
        tuple(values.get("ID_LIKE", "").split()),
        values.get("VERSION_ID", ""),
        values.get("PRETTY_NAME", ""),
        tuple(name for name in MANAGERS if shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")),
    )
