"""``airferry bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.commands.settings_options import takes_settings
from bundler.inspection import report
from bundler.inspection.report import BundleMade
from bundler.request import settings_file
from bundler.request.settings import PUBLISHED, Settings


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
    result = make_bundle(request, console)
    return Result(report.made(result), lambda console: None if quiet else report.summary(result, console))


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
