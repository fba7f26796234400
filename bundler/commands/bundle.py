"""``airferry bundle``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

from bootstrap.base.console import Console, size_text
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.approval.kinds import Shape
from bundler.commands.settings_options import takes_settings
from bundler.inspection import report
from bundler.inspection.report import BundleMade
from bundler.request import settings_file
from bundler.request.settings import PUBLISHED, Settings

if TYPE_CHECKING:
    from bundler.approval.delta import Delta
    from bundler.inspection.whole import Whole


@takes_settings
def bundle(
    file: Optional[Path] = typer.Option(
        None,
        "--file",
        "-f",
        metavar="FILE",
        help="An airferry.toml; the command line overrides it.",
    ),
    *,
    given: Settings,
    older: Optional[Path] = typer.Option(
        None,
        "--from",
        metavar="OLD",
        help="Also write NEW.delta.run, which makes the bundle of this older one that is inside already.",
    ),
    shape: Optional[Shape] = typer.Option(
        None, "--shape", help="Also write the same content for a gate that refuses programs."
    ),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Show neither progress nor summary."),
    json: bool = JSON,
) -> Result[BundleMade]:
    """Make the one file: resolve, download, build, write."""
    console = Console(quiet=quiet or json)
    settings = given.over(settings_file.read(file)) if file else given
    if settings.host:
        # doctor takes as long to import as all else, and only facts of a host need it
        from bundler.host.fit_to_host import fit_settings  # noqa: PLC0415

        fitted = fit_settings(settings, settings.host)
        settings = fitted.settings
        report.choice(fitted.choice, console)
    # the resolver, the index and the writer take as long to import as all else, and other commands do without
    from bundler.bundle import make_bundle  # noqa: PLC0415
    from bundler.request.spec import BundleRequest  # noqa: PLC0415

    request = BundleRequest.parse(settings)
    # what is made beside the file does not change it
    with _opened(older, console) if older else nullcontext() as base:
        result = make_bundle(request, console)
        change = _delta(base, result.path) if base else None
    other = _shaped(result.path, shape) if shape else None

    def show(console: Console) -> None:
        if quiet:
            return
        report.summary(result, console)
        if change:
            share = f"{size_text(change.size)}, {change.size / result.size:.0%} of the bundle"
            console.print(f"Or carry {change.path.name} ({share}), and run where {change.base} is:")
            console.command(f"sh {change.path.name} join {change.base}")
        if other:
            console.print(f"The same content as a {shape and shape.value}, with a README.txt: {other}")

    return Result(
        replace(
            report.made(result),
            delta=str(change.path) if change else "",
            delta_size=change.size if change else 0,
            shape=str(other or ""),
        ),
        show,
    )


@contextmanager
def _opened(older: Path, console: Console) -> Iterator[Whole]:
    """The older bundle, verified: one that is damaged is told before minutes of work."""
    # few ask for these: to import them takes as long as all else that the command line needs
    from bundler.approval import papers  # noqa: PLC0415
    from bundler.inspection import whole  # noqa: PLC0415

    papers.check_name(older)
    with ExitStack() as stack:
        with console.progress(older.stat().st_size, f"Verify {older.name}") as advance:
            found = stack.enter_context(whole.opened(older, advance))
        yield found


def _delta(base: Whole, path: Path) -> Delta:
    from bundler.approval import delta  # noqa: PLC0415  (as above)

    return delta.make(base, path)


def _shaped(path: Path, shape: Shape) -> Path:
    from bundler.approval.shape import make  # noqa: PLC0415  (as above)

    return make(path, shape)


def spelled_out(arguments: list[str]) -> list[str]:
    """The command line with ``--with-python`` given its value where it stands alone.

    A word behind it is its value only when it looks like a path or a URL of an archive.
    """
    words = []
    for position, word in enumerate(arguments):
        following = arguments[position + 1 : position + 2]
        named = following and not following[0].startswith("-") and _is_archive(following[0])
        words.append(f"{word}={PUBLISHED}" if word == "--with-python" and not named else word)
    return words


def _is_archive(word: str) -> bool:
    return "/" in word or word.endswith((".tar.gz", ".tgz")) or word == PUBLISHED
