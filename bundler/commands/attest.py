"""``airferry attest``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.base.errors import InvalidRequest
from wheelhouse.text import is_plain

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


@dataclass(frozen=True)
class Attested:
    """The statement on a bundle and where it lies; `outdated` are signatures that no longer fit the list."""

    file: str
    sha256: str
    bundle_id: str
    statement: str
    release: str
    outdated: tuple[str, ...]


def attest(
    file: Path = typer.Argument(metavar="FILE", help="A bundle; FILE.intoto.json is written beside it."),
    builder: str = typer.Option(
        "", metavar="URI", help="Who made the bundle, as in mailto:kim@example.com (default: not named)."
    ),
    json: bool = JSON,
) -> Result[Attested]:
    """State what a bundle was made from, as an in-toto statement: for a second builder to compare with."""
    from bundler.approval import papers, release_list, statement  # noqa: PLC0415
    from bundler.base.digest import file_digest  # noqa: PLC0415
    from bundler.inspection import whole  # noqa: PLC0415

    if builder and not (_URI.fullmatch(builder) and is_plain(builder)):
        raise InvalidRequest(
            "The builder's name is no URI.", found=builder, needed="for example mailto:kim@example.com"
        )
    console = Console(quiet=json)
    papers.check_name(file)
    with (
        console.progress(file.stat().st_size, f"Verify {file.name}") as advance,
        whole.opened(file, advance) as found,
    ):
        manifest, sha256 = found.bundle.manifest, file_digest(file)
    text = statement.render(file.name, sha256, manifest, builder)
    (path,) = papers.write(file, {papers.STATEMENT: text}).values()
    listed = release_list.update(file, sha256)
    data = Attested(str(file), sha256, manifest.bundle_id, str(path), str(listed.path), listed.outdated)
    return Result(data, lambda console: _show(data, console))


def _show(data: Attested, console: Console) -> None:
    console.print(
        f"{data.statement} states what {data.file} was made from; it is in {data.release}, which is signed."
    )
    for name in data.outdated:
        console.warning(f"{name} was made for the list as it was before: sign {data.release} again.")
