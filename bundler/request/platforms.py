"""The closed host's platform tag, from a tag, a glibc version, or the name of a distribution."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from bundler.base import toml
from wheelhouse.errors import InvalidTarget

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def this_machine() -> str:
    """This machine's architecture, as platform tags name it."""
    machine = platform.machine().lower()
    return _MACHINES.get(machine, machine)


def default_platform() -> str:
    """Linux with glibc 2.28 (RHEL 8, Debian 10 and everything newer) on this machine's architecture."""
    return f"manylinux_2_28_{this_machine()}"


def platform_tag(*, tag: str = "", glibc: str = "", like: str = "", machine: str = "") -> str:
    """The platform tag that is meant: `tag` itself, or `glibc` (2.28) or `like` (rhel8) on `machine`.

    At most one of the three may be given; raises :class:`InvalidTarget`.
    """
    if sum(map(bool, (tag, glibc, like))) > 1:
        raise InvalidTarget("--platform, --glibc and --like exclude each other: give one.")
    if tag:
        if machine and not tag.endswith(f"_{machine}"):
            raise InvalidTarget(f"--platform {tag} is not for --machine {machine}.")
        return tag
    machine = _MACHINES.get(machine, machine) or this_machine()
    if glibc:
        match = re.fullmatch(r"2\.(\d+)", glibc)
        if not match:
            raise InvalidTarget(
                f"--glibc {glibc} is not a version.", needed="a version such as 2.28 (ldd --version)"
            )
        return f"manylinux_2_{match.group(1)}_{machine}"
    if like:
        return f"{_library(like)}_{machine}"
    return f"manylinux_2_28_{machine}"


def names() -> tuple[str, ...]:
    """Every name that ``--like`` takes, rebuilds aside."""
    return (*_data()["glibc"], *_data()["musl"])


def _library(like: str) -> str:
    name = like.lower().replace(":", "").replace("-", "").replace(" ", "")
    for rebuild, original in _data()["same"].items():
        if name.startswith(rebuild):
            name = original + name[len(rebuild) :]
    # RHEL 8.10 has what RHEL 8 has; Ubuntu's 22.04 is one name.
    for candidate in (name, name.split(".")[0]):
        for library, prefix in (("glibc", "manylinux"), ("musl", "musllinux")):
            version = _data()[library].get(candidate)
            if version:
                return f"{prefix}_{version.replace('.', '_')}"
    raise InvalidTarget(f"--like {like} is not a known distribution.", needed=", ".join(names()))


@cache
def _data() -> Mapping[str, Any]:
    return toml.loads(files("bundler.resources").joinpath("hosts.toml").read_text(encoding="utf-8"))
