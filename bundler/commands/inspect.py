"""``airferry inspect``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.inspection import contents, report
from bundler.inspection.contents import BundleMember, Contents
from wheelhouse.manifest import CarriedPython, Manifest


@dataclass(frozen=True)
class Inspected:
    """What is inside a bundle; sizes are bytes, `licences` the packages by licence."""

    file: str
    size: int
    unpacked: int
    bundle_id: str
    packages: tuple[BundleMember, ...]
    licences: dict[str, tuple[str, ...]]
    manifest: Manifest
    notes: tuple[str, ...] = ()


def inspect(
    file: Path = typer.Argument(metavar="FILE", help="A bundle."),
    licences: bool = typer.Option(False, "--licences", help="List the packages by licence instead."),
    json: bool = JSON,
) -> Result[Inspected]:
    """Show what is inside a bundle, why each package is there, and where everything came from."""
    found = contents.read(file)
    console = Console(quiet=json)
    for note in found.notes:
        console.warning(note)
    manifest = found.manifest
    data = Inspected(
        str(found.path), found.size, manifest.unpacked, manifest.bundle_id, found.entries, found.licences,
        manifest, found.notes,
    )  # fmt: skip
    return Result(data, lambda console: (_show_licences if licences else _show)(found, console))


def _show_licences(found: Contents, console: Console) -> None:
    for licence, names in found.licences.items():
        console.print(licence, "bold")
        console.print(", ".join(names), indent=4)


def _show(found: Contents, console: Console) -> None:
    manifest = found.manifest
    console.summary(
        [
            ("File", str(found.path)),
            ("Size", f"{size_text(found.size)}, {size_text(manifest.unpacked)} unpacked"),
            ("Airflow", manifest.airflow),
            ("Fits", manifest.target.label),
            ("Needs", manifest.floor or "no particular C library"),
            *([("Made for", report.made_for_text(manifest.made_for))] if manifest.made_for else []),
            ("Requested", ", ".join(manifest.requirements)),
            ("Constraints", report.constraints_text(manifest.constraints)),
            ("Resolved by", f"{manifest.resolver.name} {manifest.resolver.version}"),
            ("PostgreSQL", manifest.postgres.version if manifest.postgres else "none"),
            ("Python", _python(manifest.python)),
            ("Made by", f"airferry {manifest.airferry}, dated {manifest.created}"),
            ("Bundle id", manifest.bundle_id),
            *([("Adds to", manifest.base)] if manifest.base else []),
            *(("Note", note) for note in manifest.notes),
        ]
    )
    console.print()
    console.summary([(f"{entry.name} {entry.version}", _described(entry)) for entry in found.entries])


def _python(python: CarriedPython | None) -> str:
    text = report.python_text(python)
    return f"{text}; sha256 {python.sha256}{f', from {python.url}' if python.url else ''}" if python else text


def _described(entry: BundleMember) -> str:
    parts = [size_text(entry.size), entry.licence or "licence not named"]
    parts += [f"needs {entry.needs}"] if entry.needs else []
    parts += ["built from source"] if entry.built else []
    reason = "requested" if entry.role == "airflow" else entry.role
    parts.append(f"for {', '.join(entry.required_by)}" if entry.required_by else reason)
    return "; ".join(parts)
