"""A finished bundle, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.base.console import Console, size_text
from wheelhouse.manifest import CarriedPython, Constraints, MadeFor, Manifest

if TYPE_CHECKING:
    from bundler.bundle import BundleResult
    from bundler.host.host_choice import Choice


@dataclass(frozen=True)
class BundleMade:
    """A finished bundle.

    `size` is bytes, `packages` how many there are, `carried_python` the version of the interpreter in it or
    null, `built` what was built from source, `base` the bundle that an add-on adds to (else empty), `command`
    what to run inside, `seconds` by stage. `delta` is the file that makes it of an older bundle, of
    `delta_size` bytes, `shape` the same content as a folder or an archive (empty where not asked for).
    """

    file: str
    sha256_file: str
    size: int
    sha256: str
    bundle_id: str
    airflow: str
    python: str
    platform: str
    floor: str
    carried_python: str | None
    extras: tuple[str, ...]
    packages: int
    built: tuple[str, ...]
    constraints: Constraints
    created: str
    base: str
    made_for: MadeFor | None
    command: str
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    delta: str = ""
    delta_size: int = 0
    shape: str = ""


def summary(result: BundleResult, console: Console) -> None:
    """Print what was made, what it fits, where it came from, and the command to run inside."""
    manifest = result.manifest
    needs = f", its files need {manifest.floor}" if manifest.floor else ""
    rows = [
        ("File", str(result.path)),
        ("Size", f"{size_text(result.size)} ({result.size:,} bytes)"),
        *(_added(manifest) if manifest.base else _whole(manifest)),
        ("Fits", f"{manifest.target.label}{needs}"),
        *([("Made for", made_for_text(manifest.made_for))] if manifest.made_for else []),
        ("Constraints", constraints_text(manifest.constraints)),
        *([] if manifest.base else [("Python", python_text(manifest.python))]),
        ("sha256", result.sha256),
        ("Bundle id", manifest.bundle_id),
        ("Took", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items())),
    ]
    console.summary(rows)
    console.print()
    console.print(f"Carry it with {result.sha256_path.name} into the closed network, and run there:")
    console.command(f"sha256sum -c {result.sha256_path.name}")
    console.command(_command(result))


def choice(found: Choice, console: Console) -> None:
    """Tell what was chosen for a host and why, and what doctor warns of there."""
    for name, reason in found.reasons:
        console.note(f"{name} {reason}")
    for finding in found.report.warnings:
        console.warning(f"On that host: {finding.title}: {finding.found} [{finding.id}]")


def made_for_text(found: MadeFor) -> str:
    """The kind of host that a bundle was made for, in one line."""
    python = f"CPython {found.python}" if found.python else "the carried Python"
    libc = f"{found.libc} {found.libc_version}".strip()
    return ", ".join(part for part in (found.distribution, found.machine, libc, python) if part)


def _command(result: BundleResult) -> str:
    name = result.path.name
    return f"HOME/bin/airferry add {name}" if result.manifest.base else f"sh {name} install"


def _whole(manifest: Manifest) -> list[tuple[str, str]]:
    extras = ", ".join(manifest.extras)
    return [
        ("Airflow", f"{manifest.airflow} with {extras}; {len(manifest.packages)} packages"),
        ("PostgreSQL", manifest.postgres.version if manifest.postgres else "none: the host needs its own"),
    ]


def _added(manifest: Manifest) -> list[tuple[str, str]]:
    packages = ", ".join(f"{package.name} {package.version}" for package in manifest.packages)
    return [("Adds to", f"Airflow {manifest.airflow} ({manifest.base})"), ("Packages", packages)]


def python_text(python: CarriedPython | None) -> str:
    """The interpreter that is carried, in a line."""
    if python is None:
        return "none: the host needs its own"
    needs = f"; needs {python.floor}" if python.floor else ""
    return f"{python.version} from {python.path.rpartition('/')[2]}, {size_text(python.size)}{needs}"


def constraints_text(constraints: Constraints) -> str:
    """Where the versions come from, in a line or two."""
    if constraints.source == "release-date":
        return f"none; resolved as of the day of the release ({constraints.as_of}) from {constraints.url}"
    generated = f", generated on {constraints.generated_on}" if constraints.generated_on else ""
    return f"{constraints.source}: {constraints.url}{generated}, sha256 {constraints.sha256}"


def made(result: BundleResult) -> BundleMade:
    """The data of a finished bundle."""
    manifest = result.manifest
    return BundleMade(
        file=str(result.path),
        sha256_file=str(result.sha256_path),
        size=result.size,
        sha256=result.sha256,
        bundle_id=manifest.bundle_id,
        airflow=manifest.airflow,
        python=manifest.target.python,
        platform=manifest.target.platform,
        floor=manifest.floor,
        carried_python=manifest.python.version if manifest.python else None,
        extras=tuple(manifest.extras),
        packages=len(manifest.packages),
        built=tuple(package.name for package in manifest.packages if package.built_from),
        constraints=manifest.constraints,
        created=manifest.created,
        base=manifest.base,
        made_for=manifest.made_for,
        command=_command(result),
        warnings=result.warnings,
        seconds=result.seconds,
    )
