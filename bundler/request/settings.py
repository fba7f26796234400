"""What the command line, airferry.toml or the facts of a host ask for: one value, with gaps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer import Argument, Option

from bundler.index.simple import PYPI, VARIABLES
from bundler.request import platforms
from wheelhouse.manifest import MadeFor

# as the value of --with-python: the published interpreter that fits the target
PUBLISHED = "auto"
# of an option that holds for one run alone
NOT_IN_FILE = "not in airferry.toml"
# as the value of --airflow: the same as no value, but it wins over what a file has
LATEST = "latest"


@dataclass(frozen=True)
class FromFolder:
    """Marks a text that may be a path: if `is_path`, airferry.toml means it from its own folder."""

    is_path: Callable[[str], bool]


def _no_url(text: str) -> bool:
    return "://" not in text


def _is_archive(text: str) -> bool:
    return text != PUBLISHED and _no_url(text)


def _is_constraint_file(text: str) -> bool:
    return text not in ("auto", "official", "release-date") and _no_url(text)


def _is_local_requirement(text: str) -> bool:
    return "@" not in text and (text.startswith(".") or text.endswith((".whl", ".tar.gz", ".zip")))


# what people write for a release and for a Python: as requirements, tags, programs
_RELEASE = re.compile(r"(?:apache[-_]airflow\s*)?(?P<kind>==|~=)?\s*(?P<release>[\w.+]+?)(?:\.\*|\.x)?")
_PYTHON = re.compile(
    r"(?:.*/)?(?:(?:cp|py)3(?P<tag>\d\d?)|(?:python\s?)?3\.(?P<minor>\d+)(?:\.(?:\d+|x|\*))?)", re.IGNORECASE
)


@dataclass(frozen=True)
class Settings:
    """What one source says; an empty value says nothing. Paths are absolute or as typed.

    An annotation is all there is to an option: its words on the command line, and how airferry.toml reads it.
    A field without one is set by the program: `made_for` is the host whose facts were asked.
    """

    airflow: Annotated[
        str,
        Option(metavar="VERSION", help="The Airflow release, or latest: the newest final one (the default)."),
    ] = ""
    requirements: Annotated[
        tuple[str, ...],
        Argument(
            metavar="REQUIREMENT",
            help="Additional packages, resolved together with Airflow: requirements, wheels, project "
            "folders.",
            show_default=False,
        ),
        FromFolder(_is_local_requirement),
    ] = ()
    host: Annotated[
        Path | None,
        Option(
            "--for",
            metavar="FACTS",
            help="The closed host's facts (airferry probe, sh FILE doctor --save): Python and platform are "
            "chosen for it, and what cannot work there is refused.",
        ),
    ] = None
    ignore: Annotated[
        tuple[str, ...],
        Option(metavar="ID", help="With --for: continue despite this finding about the host, repeatable."),
        NOT_IN_FILE,
    ] = ()
    python: Annotated[str, Option(metavar="X.Y", help="The host's Python (default: this one's version).")] = (
        ""
    )
    platform: Annotated[
        str,
        Option(metavar="TAG", help="The host's platform tag (default: manylinux_2_28 on this architecture)."),
    ] = ""
    glibc: Annotated[str, Option(metavar="2.X", help="Instead of --platform: the host's glibc.")] = ""
    like: Annotated[
        str,
        Option(
            metavar="NAME", help=f"Instead of --platform: a distribution ({', '.join(platforms.names())})."
        ),
    ] = ""
    machine: Annotated[
        str, Option(metavar="ARCH", help="The architecture for --glibc and --like (default: this one).")
    ] = ""
    extras: Annotated[
        tuple[str, ...],
        Option(
            "--extra",
            metavar="NAME",
            help="An extra of Airflow, repeatable; added to the defaults: postgres, and fab for 3.x.",
        ),
    ] = ()
    no_default_extras: Annotated[
        bool, Option("--no-default-extras", help="Take only the extras that --extra names.")
    ] = False
    workers: Annotated[
        str,
        Option(
            metavar="ENGINE",
            help="Carry what tasks on further hosts need: edge (Airflow 3: one port, no broker) or celery "
            "(a broker of the site's). A version that is known not to work is refused.",
        ),
    ] = ""
    constraints: Annotated[
        str,
        Option(
            metavar="SOURCE",
            help="auto (the default), official, release-date, a path or a URL; {airflow} and {python} in it "
            "are replaced.",
        ),
        FromFolder(_is_constraint_file),
    ] = ""
    output: Annotated[
        Path | None, Option(metavar="FOLDER", help="The folder for the bundle (default: dist).")
    ] = None
    index_url: Annotated[
        str,
        Option(
            metavar="URL",
            help="The package index (default: what a requirement file names, "
            f"${VARIABLES[0]}, ${VARIABLES[2]}, or {PYPI}).",
        ),
    ] = field(default="", repr=False)
    extra_index_urls: Annotated[
        tuple[str, ...],
        Option(
            "--extra-index-url",
            metavar="URL",
            help="A further index, asked first, repeatable. Credentials: netrc, keyring, or in the URL.",
        ),
    ] = field(default=(), repr=False)
    find_links: Annotated[
        tuple[str, ...],
        Option(metavar="PLACE", help="A folder or page with further wheels, repeatable."),
        FromFolder(_no_url),
    ] = field(default=(), repr=False)
    requirement_files: Annotated[
        tuple[Path, ...],
        Option("--requirements", "-r", metavar="FILE", help="A requirement file, repeatable."),
    ] = ()
    build_constraints: Annotated[
        Path | None,
        Option(metavar="FILE", help="Constraints for the builds of packages that exist only as source."),
    ] = None
    resolver: Annotated[
        str,
        Option(metavar="NAME", help="uv (the default), or pip-tools: pip's resolver, for this Python alone."),
    ] = ""
    onto: Annotated[
        tuple[Path, ...],
        Option(
            metavar="BUNDLE",
            help="Make an add-on: only what this bundle, or the installation with this manifest.json, lacks. "
            "Repeatable: add-ons that it has already.",
        ),
    ] = ()
    with_python: Annotated[
        str,
        Option(
            metavar="[ARCHIVE]",
            help="Carry an interpreter for hosts without a usable one: the published one that fits, or a "
            "file or URL in the layout of python-build-standalone (install_only, .tar.gz).",
        ),
        FromFolder(_is_archive),
    ] = field(default="", repr=False)
    python_sha256: Annotated[
        str,
        Option(
            metavar="HEX",
            help="The checksum of that archive (default: the published one; a file is taken as it is).",
        ),
    ] = ""
    python_mirror: Annotated[
        str,
        Option(metavar="URL", help="A mirror of the published ones (default: $UV_PYTHON_INSTALL_MIRROR)."),
    ] = field(default="", repr=False)
    offline: Annotated[
        bool,
        Option("--offline", help="Make the bundle again from the cache only, without the network."),
        NOT_IN_FILE,
    ] = False
    refresh: Annotated[
        bool,
        Option("--refresh", help="Resolve again, even if there is a recent result in the cache."),
        NOT_IN_FILE,
    ] = False
    made_for: MadeFor | None = None

    def over(self, below: Settings) -> Settings:
        """These settings, and those `below` where these say nothing."""
        values = {item.name: getattr(self, item.name) or getattr(below, item.name) for item in fields(self)}
        if self.platform or self.glibc or self.like:
            # They say the same thing in three ways: one of them replaces whichever the file has.
            values.update({name: getattr(self, name) for name in ("platform", "glibc", "like")})
        if self.with_python:
            values["python_sha256"] = self.python_sha256  # the file's belongs to another archive
        return Settings(**values)

    def plain(self) -> Settings:
        """The same without other spellings.

        ``latest`` is no release, ``==3.3.2`` one, ``3.3.*`` and ``~=3.3.0`` are ``3.3``; ``python3.11``,
        ``cp311`` and ``/usr/bin/python3.11`` are ``3.11``.
        """
        airflow = _RELEASE.fullmatch(self.airflow.strip())
        release = airflow["release"] if airflow else self.airflow
        if airflow and airflow["kind"] == "~=":
            release = release.rpartition(".")[0] or release
        python = _PYTHON.fullmatch(self.python.strip())
        minor = f"3.{python['tag'] or python['minor']}" if python else self.python.removeprefix("python")
        return replace(self, airflow="" if release.lower() == LATEST else release, python=minor)


@dataclass(frozen=True)
class Declared:
    """A field of :class:`Settings` as its annotation declares it; `kind` is of one of `many`."""

    name: str
    kind: type
    many: bool
    option: Any
    in_file: bool
    is_path: Callable[[str], bool]


@cache
def declared() -> tuple[Declared, ...]:
    """The fields that are options, in order."""
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(_declared(name, *get_args(hint)) for name, hint in hints.items() if _is_option(hint))


def _is_option(hint: object) -> bool:
    return get_origin(hint) is Annotated


def _declared(name: str, value: Any, option: Any, *markers: object) -> Declared:
    kind = next(iter(get_args(value)), value)  # of ``tuple[str, ...]``, ``Path | None``, ``str``
    tests = [marker.is_path for marker in markers if isinstance(marker, FromFolder)]
    return Declared(
        name,
        kind,
        get_origin(value) is tuple,
        option,
        NOT_IN_FILE not in markers,
        tests[0] if tests else lambda _: kind is Path,
    )
