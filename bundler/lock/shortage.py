"""Why no wheel of a package fits a target, and what would: said from the wheels that exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from bundler.lock import lockfile
from wheelhouse.target import OLDEST_PYTHON, Platform, Target, parse_platform

_TOO_OLD = tuple(f"3.{minor}" for minor in range(OLDEST_PYTHON[1]))


@dataclass(frozen=True)
class Shortage:
    """Which wheels of a package `exist`, and what would `help`, in sentences; `help` may be empty."""

    exist: str
    help: str


def explain(filenames: Iterable[str], target: Target) -> Shortage:
    """Compare the files of one version of a package with what the target accepts."""
    wheels = [parse_wheel_filename(name)[3] for name in filenames if name.endswith(".whl")]
    return Shortage(_existing(wheels), _help(wheels, target))


def _existing(wheels: Iterable[Iterable[Tag]]) -> str:
    by_platform: dict[str, set[str]] = {}
    for tags in wheels:
        for tag in tags:
            parsed = parse_platform(tag.platform)
            if parsed is not None:
                by_platform.setdefault(f"{parsed.machine}, {parsed.libc_label}", set()).add(_python(tag))
    lines = [
        f"{platform}: {', '.join(sorted(by_platform[platform], key=_order))}"
        for platform in sorted(by_platform)
    ]
    return (
        "\n".join(["Its wheels for Linux are for", *lines]) if lines else "It has no wheel for Linux at all."
    )


def _help(wheels: Iterable[Iterable[Tag]], target: Target) -> str:
    host = target.host
    pythons = {(tag.interpreter, tag.abi) for tag in lockfile.target_tags(target)}
    platforms = {tag.platform for tag in lockfile.target_tags(target)}
    newer: list[Platform] = []
    others: set[str] = set()
    for tags in wheels:
        for tag in tags:
            parsed = parse_platform(tag.platform)
            if parsed is None or (parsed.libc, parsed.machine) != (host.libc, host.machine):
                continue
            if (tag.interpreter, tag.abi) in pythons:
                newer.append(parsed)
            elif tag.platform in platforms and _python(tag) not in _TOO_OLD:
                others.add(_python(tag))
    helps = []
    if newer:
        least = min(newer, key=lambda item: item.version)
        helps.append(
            f"a host with {least.libc_label} or newer (--platform {_tag(least)}, or its system: --like NAME)"
        )
    if others:
        helps.append(f"another Python: {', '.join(sorted(others, key=_order))}")
    return f"What would help: {', or '.join(helps)}." if helps else ""


def _python(tag: Tag) -> str:
    if tag.interpreter.startswith("cp3"):
        newer = " and newer" if tag.abi == "abi3" else ""
        return f"3.{tag.interpreter[3:]}{newer}"
    return "any Python 3"


def _order(text: str) -> tuple[int, str]:
    digits = text.split(maxsplit=1)[0].partition(".")[2]
    return (int(digits) if digits.isdigit() else 0, text)


def _tag(platform: Platform) -> str:
    name = "manylinux" if platform.libc == "glibc" else "musllinux"
    return f"{name}_{platform.version[0]}_{platform.version[1]}_{platform.machine}"
