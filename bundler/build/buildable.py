"""Whether what has no fitting wheel can be built here: judged for all packages at once, before any build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bundler.base.errors import BuildFailed, NoFittingWheel
from bundler.build import buildneeds
from bundler.lock.lockfile import Locked
from bundler.lock.shortage import Shortage
from wheelhouse.target import Target

Explain = Callable[[Locked], Shortage]


def check(packages: Sequence[Locked], interpreter: Path, target: Target, explain: Explain) -> None:
    """Raise :class:`NoFittingWheel` for packages that nobody should build, :class:`BuildFailed` for needs.

    `explain` tells which wheels a package has, and what would help. Only packages that are known to need
    more than a C compiler are refused beforehand: the others may do without.
    """
    impossible = [package for package in packages if _reason(package)]
    if impossible:
        found = {package.name: explain(package) for package in impossible}
        raise NoFittingWheel(
            f"{_names(impossible)} {_has(impossible)} no wheel for {target.label}.",
            found="\n".join(_found(package, found[package.name]) for package in impossible),
            needed=f"wheels for {target.label}",
            hint=" ".join(f"{_reason(package)} {found[package.name].help}".strip() for package in impossible),
        )
    known = [package for package in packages if buildneeds.known(package.name)]
    needs = {need for package in known for need in buildneeds.known(package.name)}
    missing = [need for need in buildneeds.collect(sorted(needs), interpreter) if not need.there]
    lacking = [item for item in known if {need.name for need in missing} & set(buildneeds.known(item.name))]
    if lacking:
        found = {package.name: explain(package) for package in lacking}
        helps = [text for package in lacking if (text := found[package.name].help)]
        raise BuildFailed(
            f"{_names(lacking)} {_has(lacking)} to be built from source, and this machine cannot.",
            found="\n".join(
                [
                    *(f"{need.name}: {need.found}" for need in missing),
                    *(_found(package, found[package.name]) for package in lacking),
                ]
            ),
            needed=", ".join(need.name for need in missing),
            hint=" ".join([f"{buildneeds.remedy(missing)}.", *helps]),
        )


def _reason(package: Locked) -> str:
    if package.directory is not None:
        return ""
    never = buildneeds.why_never(package.name)
    if never:
        return f"{package.name} is never built from source: {never}"
    return "" if package.sdist else f"{package.name} has no source."


def _found(package: Locked, shortage: Shortage) -> str:
    return f"{package.name} {package.version}: {shortage.exist}"


def _names(packages: Sequence[Locked]) -> str:
    return ", ".join(f"{package.name} {package.version}".rstrip() for package in packages)


def _has(packages: Sequence[Locked]) -> str:
    return "has" if len(packages) == 1 else "have"
