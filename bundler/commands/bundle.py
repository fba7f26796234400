"""``airferry bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from bootstrap.base.console import Console
from bundler.bundle import make_bundle
from bundler.commands import JSON, envelope
from bundler.index.simple import PYPI, VARIABLES, from_environment
from bundler.inspection import report
from bundler.request import platforms, settings
from bundler.request.settings import Settings
from bundler.request.spec import PUBLISHED, BundleRequest


def bundle(
    airflow: str = typer.Option(
        "", metavar="VERSION", help="The Airflow release (default: the newest final one)."
    ),
    requirement: list[str] = typer.Argument(
        None,
        metavar="REQUIREMENT",
        help="What else comes along, resolved together with Airflow: requirements, wheels, project folders.",
        show_default=False,
    ),
    file: Optional[Path] = typer.Option(
        None, "--file", "-f", metavar="FILE", help="An airferry.toml; what is given here wins over it."
    ),
    host: Optional[Path] = typer.Option(
        None,
        "--for",
        metavar="FACTS",
        help="The closed host's facts (airferry probe, sh FILE doctor --save): Python and platform are "
        "chosen for it, and what cannot work there is refused.",
    ),
    ignore: list[str] = typer.Option(
        [], metavar="ID", help="With --for: go on in spite of this finding about the host, repeatable."
    ),
    python: str = typer.Option("", metavar="X.Y", help="The host's Python (default: this one's version)."),
    platform: str = typer.Option(
        "", metavar="TAG", help="The host's platform tag (default: manylinux_2_28 on this architecture)."
    ),
    glibc: str = typer.Option("", metavar="2.X", help="Instead of --platform: the host's glibc."),
    like: str = typer.Option(
        "", metavar="NAME", help=f"Instead of --platform: a distribution ({', '.join(platforms.names())})."
    ),
    machine: str = typer.Option(
        "",
        metavar="ARCH",
        help="The architecture for --glibc and --like (default: this one).",
    ),
    extra: list[str] = typer.Option(
        [], metavar="NAME", help="An extra of Airflow, repeatable (default: postgres, and fab for 3.x)."
    ),
    constraints: str = typer.Option(
        "",
        metavar="SOURCE",
        help="auto (the default), official, release-date, a path or a URL; {airflow} and {python} in it are "
        "replaced.",
    ),
    output: Optional[Path] = typer.Option(
        None, metavar="FOLDER", help="Where the bundle goes (default: dist)."
    ),
    index_url: str = typer.Option(
        "",
        metavar="URL",
        help="The package index (default: what a requirement file names, "
        f"${VARIABLES[0]}, ${VARIABLES[2]}, or {PYPI}).",
    ),
    extra_index_url: list[str] = typer.Option(
        [], metavar="URL", help="A further index, asked first, repeatable. Credentials: netrc, or in the URL."
    ),
    find_links: list[str] = typer.Option(
        [], metavar="PLACE", help="A folder or page with further wheels, repeatable."
    ),
    requirements: list[Path] = typer.Option(
        [], "--requirements", "-r", metavar="FILE", help="A requirement file, repeatable."
    ),
    build_constraints: Optional[Path] = typer.Option(
        None, metavar="FILE", help="Constraints for what builds packages that exist only as source."
    ),
    resolver: str = typer.Option(
        "",
        metavar="NAME",
        help="uv (the default), or pip-tools: pip's resolver, for this Python alone.",
    ),
    onto: list[Path] = typer.Option(
        [],
        metavar="BUNDLE",
        help="Make an add-on: only what this bundle, or the installation with this manifest.json, lacks. "
        "Repeatable: add-ons that it has already.",
    ),
    with_python: str = typer.Option(
        "",
        "--with-python",
        metavar="[ARCHIVE]",
        help="Carry an interpreter for hosts without a usable one: the published one that fits, or a file or "
        "URL in the layout of python-build-standalone (install_only, .tar.gz).",
    ),
    python_sha256: str = typer.Option(
        "",
        metavar="HEX",
        help="The checksum of that archive (default: the published one; a file is taken as it is).",
    ),
    python_mirror: str = typer.Option(
        "", metavar="URL", help="A mirror of the published ones (default: $UV_PYTHON_INSTALL_MIRROR)."
    ),
    offline: bool = typer.Option(
        False, "--offline", help="Make it again from the cache alone; nothing is asked over the network."
    ),
    refresh: bool = typer.Option(False, "--refresh", help="Resolve anew, even if it was done minutes ago."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Show neither progress nor summary."),
    json: bool = JSON,
) -> int:
    """Make the one file: resolve, download, build, write."""
    console = Console(quiet=quiet or json)
    given = Settings(
        airflow=airflow,
        python=python,
        platform=platform,
        glibc=glibc,
        like=like,
        machine=machine,
        extras=tuple(extra),
        constraints=constraints,
        requirements=tuple(requirement or ()),
        requirement_files=tuple(requirements),
        index_url=index_url,
        extra_index_urls=tuple(extra_index_url),
        find_links=tuple(find_links),
        resolver=resolver,
        build_constraints=build_constraints,
        with_python=with_python,
        python_sha256=python_sha256,
        python_mirror=python_mirror,
        output=output,
        onto=tuple(onto),
        host=host,
    )
    effective = given.over(settings.read(file)) if file else given
    made_for = None
    if effective.host:
        # doctor takes as long to import as all else, and only facts of a host need it
        from bundler.host.fit_to_host import tailor  # noqa: PLC0415

        index = effective.index_url or from_environment()
        found = tailor(effective, effective.host, index_url=index, offline=offline, ignored=ignore)
        effective, made_for = found.settings, found.choice.made_for
        report.choice(found.choice, console)
    request = BundleRequest.parse(
        airflow=effective.airflow,
        python=effective.python,
        platform=effective.platform,
        glibc=effective.glibc,
        like=effective.like,
        machine=effective.machine,
        extras=effective.extras or None,
        constraints=effective.constraints or "auto",
        output=effective.output or Path("dist"),
        index_url=effective.index_url,
        extra_index_urls=effective.extra_index_urls,
        find_links=effective.find_links,
        requirements=effective.requirements,
        requirement_files=effective.requirement_files,
        resolver=effective.resolver or "uv",
        build_constraints=effective.build_constraints,
        onto=effective.onto,
        made_for=made_for,
        with_python=effective.with_python,
        python_sha256=effective.python_sha256,
        python_mirror=effective.python_mirror,
        offline=offline,
        refresh=refresh,
    )
    result = make_bundle(request, console)
    if json:
        console.json(envelope(report.as_dict(result)))
    elif not quiet:
        report.summary(result, console)
    return 0


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
