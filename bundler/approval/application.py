"""The use case: a bundle becomes an application for its import, papers and release list beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.console import Console
from bundler.approval import cyclonedx, gathering, page, papers, release_list, sheet, spdx
from bundler.approval.dossier import Dossier
from bundler.approval.known import Questions
from bundler.approval.release_list import ReleaseList
from bundler.approval.words import ENGLISH, KOREAN
from bundler.index.cache import Cache
from wheelhouse import codec


@dataclass(frozen=True)
class Application:
    """What was written: the `dossier`, its `papers`, and the list of all that lies beside the bundle."""

    dossier: Dossier
    papers: tuple[Path, ...]
    release: ReleaseList


def write(
    file: Path,
    questions: Questions,
    cache: Cache,
    *,
    written: str,
    builder: str = "",
    against: Path | None = None,
    console: Console | None = None,
) -> Application:
    """Verify the bundle, ask the questions, write the papers of that day; on a refusal write nothing.

    Raises as :func:`bundler.approval.gathering.gather`, and OutputFailed.
    """
    papers.check_name(file)
    found = gathering.gather(
        file, questions, cache, written=written, builder=builder, against=against, console=console
    )
    dossier = found.dossier
    contents = {
        papers.DOSSIER_KOREAN: page.render(dossier, KOREAN),
        papers.DOSSIER_ENGLISH: page.render(dossier, ENGLISH),
        papers.DOSSIER_SHEET: sheet.render(dossier),
        papers.DOSSIER_DATA: codec.dumps(dossier).encode(),
        papers.CYCLONEDX: cyclonedx.render(dossier, found.components),
        papers.SPDX: spdx.render(dossier, found.components),
    }
    paths = papers.write(file, contents)
    return Application(dossier, tuple(paths.values()), release_list.update(file, dossier.sha256))
