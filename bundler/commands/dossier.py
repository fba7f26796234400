"""``airferry dossier``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.base import moments
from bundler.base.errors import InvalidRequest

if TYPE_CHECKING:
    from bundler.approval.application import Application
    from bundler.approval.dossier import Inquiry

_SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class DossierWritten:
    """The papers of a bundle; `sha256` is that of the file, `written` the time that they bear.

    `yanked`, `vulnerabilities` and `provenance` count for how many of all `packages` that was answered,
    `severities` what is known by how severe it is, null when nobody was asked. `outdated` are signatures that
    no longer fit the release list.
    """

    file: str
    sha256: str
    bundle_id: str
    written: str
    papers: tuple[str, ...]
    release: str
    packages: int
    yanked: int
    vulnerabilities: int
    provenance: int
    severities: Optional[dict[str, int]]
    outdated: tuple[str, ...]


def dossier(
    file: Path = typer.Argument(metavar="FILE", help="A bundle; the papers are written beside it."),
    against: Optional[Path] = typer.Option(
        None, metavar="OLD", help="List only what was added, changed or removed since this bundle."
    ),
    osv: Optional[Path] = typer.Option(
        None,
        metavar="PLACE",
        help="A dump of OSV to look for vulnerabilities in: all.zip, or a folder of its files.",
    ),
    index_url: str = typer.Option(
        "",
        metavar="URL",
        help="The package index that is asked what was withdrawn (default: $UV_DEFAULT_INDEX,"
        " $PIP_INDEX_URL, or https://pypi.org/simple).",
    ),
    offline: bool = typer.Option(False, "--offline", help="Ask no index: the papers then say so."),
    fail_on: str = typer.Option(
        "",
        metavar="SEVERITY",
        help="Refuse known vulnerabilities from this severity on (low, medium, high, critical), those that"
        " nobody rated, and packages that nobody was asked about.",
    ),
    accepted: Optional[Path] = typer.Option(
        None,
        metavar="FILE",
        help="What is carried all the same: a TOML file of [[accepted]] with id, reason, until and by.",
    ),
    allow_yanked: Optional[list[str]] = typer.Option(
        None, metavar="NAME", help="Carry this package although it was withdrawn (yanked), repeatable."
    ),
    builder: str = typer.Option("", metavar="TEXT", help="Who made the bundle (default: a line to fill in)."),
    json: bool = JSON,
) -> Result[DossierWritten]:
    """Write the papers of an import approval: a dossier for print, a table, SBOMs, and the list to sign."""
    # what the papers need takes as long to import as all else
    from bundler.approval import accepted as acceptances  # noqa: PLC0415
    from bundler.approval import application  # noqa: PLC0415
    from bundler.approval.known import Questions  # noqa: PLC0415
    from bundler.index import keyring, simple  # noqa: PLC0415
    from bundler.index.cache import Cache  # noqa: PLC0415

    if fail_on and fail_on not in _SEVERITIES:
        raise InvalidRequest(
            f"--fail-on {fail_on} is no severity.", needed=f"one of {', '.join(_SEVERITIES)}"
        )
    questions = Questions(
        index_url="" if offline else keyring.with_password(index_url or simple.from_environment()),
        osv=osv,
        fail_on=fail_on,
        allow_yanked=tuple(allow_yanked or ()),
        accepted=acceptances.read(accepted) if accepted else (),
    )
    console = Console(quiet=json)
    found = application.write(
        file,
        questions,
        Cache.default(),
        written=moments.stamp(),
        builder=builder,
        against=against,
        console=console,
    )
    return Result(_data(file, found), lambda console: _show(found, console))


def _data(file: Path, found: Application) -> DossierWritten:
    known = found.dossier.known
    return DossierWritten(
        file=str(file),
        sha256=found.dossier.sha256,
        bundle_id=found.dossier.bundle_id,
        written=found.dossier.written,
        papers=tuple(str(path) for path in found.papers),
        release=str(found.release.path),
        packages=known.yanked.total,
        yanked=known.yanked.answered,
        vulnerabilities=known.vulnerabilities.answered,
        provenance=known.provenance.answered,
        severities=known.severities,
        outdated=found.release.outdated,
    )


def _show(found: Application, console: Console) -> None:
    from bundler.approval.provenance import WRONG  # noqa: PLC0415
    from bundler.approval.words import ENGLISH  # noqa: PLC0415

    dossier = found.dossier
    known = dossier.known
    listed = ", ".join(f"{count} {name}" for name, count in (known.severities or {}).items())
    yanked = f"{known.yanked_found} yanked" if known.yanked_found else "none yanked"
    console.summary(
        [
            ("File", dossier.file),
            ("sha256", dossier.sha256),
            ("Bundle id", dossier.bundle_id),
            ("Withdrawn", _answer(known.yanked, yanked)),
            ("Vulnerabilities", _answer(known.vulnerabilities, listed or "none known")),
            ("Provenance", _answer(known.provenance, f"{known.signed} signed", silent="not checked")),
            *(("Note", ENGLISH(f"limit-{item.kind}", item.about)) for item in known.limits),
            *(("Note", note) for note in dossier.notes),
        ]
    )
    for item in dossier.packages:
        if item.provenance.startswith(WRONG):
            console.warning(f"The publisher's signature of {item.name} {item.version} {item.provenance}.")
    console.print()
    console.print("Written beside it:")
    for path in (*found.papers, found.release.path):
        console.print(path.name, indent=4)
    for name in found.release.outdated:
        console.warning(
            f"{name} was made for the list as it was before: sign {found.release.path.name} again."
        )


def _answer(inquiry: Inquiry, said: str, silent: str = "not asked") -> str:
    why = f" ({inquiry.why})" if inquiry.why else ""
    if not inquiry.answered:
        return f"{silent}{why}"
    missing = inquiry.total - inquiry.answered
    left = f"; {silent} for {missing} of {inquiry.total}{why}" if missing else f" of {inquiry.total} packages"
    return f"{said}{left}; {inquiry.source}, {inquiry.date}"
