"""What is asked for: one value, checked at the edge, with all problems told together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.base.errors import InvalidRequest
from bundler.base.text import NotText, decode
from bundler.index.simple import PYPI, from_environment
from bundler.request import platforms
from bundler.request.base_bundle import Base
from bundler.request.base_bundle import read as read_base
from bundler.request.requirements import Wanted, gather
from wheelhouse.errors import InvalidTarget
from wheelhouse.manifest import MadeFor
from wheelhouse.target import Target

_EXTRA = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# as the value of --with-python: the published interpreter that fits the target
PUBLISHED = "auto"
RESOLVERS = ("uv", "pip-tools")


@dataclass(frozen=True)
class BundleRequest:
    """A bundle to make. Make it with :meth:`parse`; the fields are then consistent.

    `airflow` empty means the newest final release, `extras` None the defaults for that release. URLs may
    hold credentials: they are used, and never shown or stored. `offline` takes everything from the cache,
    `refresh` does not trust what was resolved minutes ago. `build_constraints` is the text of a file. With a
    `base` an add-on is made, for the release and the target of that. `made_for` is the host whose facts it
    was chosen for. `with_python` is empty for none, ``auto`` for the published interpreter, or an archive's
    path or URL; `python_mirror` stands in for the published address.
    """

    target: Target
    airflow: str = ""
    extras: tuple[str, ...] | None = None
    constraints: str = "auto"
    output: Path = Path("dist")
    index_url: str = field(default=PYPI, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    requirements: tuple[Wanted, ...] = ()
    resolver: str = "uv"
    offline: bool = False
    refresh: bool = False
    build_constraints: str = ""
    base: Base | None = None
    made_for: MadeFor | None = None
    with_python: str = field(default="", repr=False)
    python_sha256: str = ""
    python_mirror: str = field(default="", repr=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls,
        *,
        airflow: str = "",
        python: str = "",
        platform: str = "",
        glibc: str = "",
        like: str = "",
        machine: str = "",
        extras: tuple[str, ...] | None = None,
        constraints: str = "auto",
        output: Path = Path("dist"),
        index_url: str = "",
        extra_index_urls: tuple[str, ...] = (),
        find_links: tuple[str, ...] = (),
        requirements: tuple[str, ...] = (),
        requirement_files: tuple[Path, ...] = (),
        resolver: str = "uv",
        offline: bool = False,
        refresh: bool = False,
        build_constraints: Path | None = None,
        onto: tuple[Path, ...] = (),
        made_for: MadeFor | None = None,
        with_python: str = "",
        python_sha256: str = "",
        python_mirror: str = "",
    ) -> BundleRequest:
        """Check everything; raises :class:`InvalidRequest` that lists every problem.

        `onto` are bundles to make an add-on for; see :mod:`bundler.request.base_bundle`, which raises too.

        An empty `python` means this interpreter's version, an empty `index_url` what requirement files or the
        environment name, else the public index; `platform`, `glibc`, `like` and `machine` are
        those of :func:`bundler.request.platforms.platform_tag`.
        """
        problems: list[str] = []
        base = read_base(onto) if onto else None
        target = base.target if base else Target("3.11", "manylinux_2_28_x86_64")
        try:
            named = base is None or platform or glibc or like or machine
            tag = platforms.platform_tag(tag=platform, glibc=glibc, like=like, machine=machine)
            python = python or (base.target.python if base else default_python())
            target = Target.parse(python, tag if named else target.platform)
        except InvalidTarget as error:
            problems.append(f"{error.message} Needed: {error.needed}." if error.needed else error.message)
        if airflow:
            problems += _version_problems(airflow)
        problems += [f"--extra {name}: not a name" for name in extras or () if not _EXTRA.fullmatch(name)]
        if not constraints:
            problems.append("--constraints is empty: auto, official, release-date, a path or a URL")
        gathered = gather(requirements, requirement_files)
        problems += gathered.problems
        index_url = index_url or gathered.index_url or from_environment()
        extra_index_urls = (*extra_index_urls, *gathered.extra_index_urls)
        find_links = (*find_links, *gathered.find_links)
        for url in (index_url, *extra_index_urls):
            if not url.startswith(("https://", "http://")):
                problems.append("an index URL must start with https:// or http://")
        problems += [f"--find-links {item}: no such folder" for item in find_links if not _exists(item)]
        if resolver not in RESOLVERS:
            problems.append(f"--resolver {resolver}: one of {', '.join(RESOLVERS)}")
        if output.exists() and not output.is_dir():
            problems.append(f"--output {output}: exists and is not a folder")
        problems += _python_problems(with_python, python_sha256, python_mirror)
        if with_python and onto:
            problems.append("--with-python: an add-on runs on the interpreter that is there")
        building = _text(build_constraints, problems)
        if base and not problems:
            problems += _base_problems(base, airflow, target)
            if with_python:
                problems.append("--with-python: an add-on runs on the Python that is there")
            if not gathered.wanted and not extras:
                problems.append("--onto: name what is to be added, as requirements, -r or --extra")
        if problems:
            raise InvalidRequest(
                "This bundle cannot be made as asked.",
                found="\n".join(problems),
                hint="airferry bundle --help lists every option.",
            )
        return cls(
            target=target,
            airflow=base.airflow if base else str(Version(airflow)) if airflow else "",
            extras=None if extras is None else tuple(sorted({canonicalize_name(name) for name in extras})),
            constraints=constraints,
            output=output,
            index_url=index_url,
            extra_index_urls=extra_index_urls,
            find_links=tuple(_absolute(item) for item in find_links),
            requirements=gathered.wanted,
            resolver=resolver,
            offline=offline,
            refresh=refresh,
            build_constraints=building,
            base=base,
            made_for=made_for,
            with_python=with_python,
            python_sha256=python_sha256.lower(),
            python_mirror=python_mirror,
            warnings=gathered.warnings,
        )


def default_python() -> str:
    """The minor version of the interpreter that runs this."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def default_extras(airflow: str) -> tuple[str, ...]:
    """PostgreSQL always, and from Airflow 3 on the FAB login with accounts and roles."""
    return ("fab", "postgres") if Version(airflow) >= Version("3.0a1") else ("postgres",)


def _version_problems(airflow: str) -> list[str]:
    try:
        Version(airflow)
    except InvalidVersion:
        return [f"--airflow {airflow}: not a version"]
    return []


def _base_problems(base: Base, airflow: str, target: Target) -> list[str]:
    asked = [("Airflow", airflow and str(Version(airflow)), base.airflow)]
    asked += [("", target.label, base.target.label)]
    return [
        f"--onto: {base.identity} is for {what} {inside}, not {wanted}".replace("  ", " ")
        for what, wanted, inside in asked
        if wanted and wanted != inside
    ]


def _python_problems(wanted: str, sha256: str, mirror: str) -> Iterator[str]:
    if not wanted and (sha256 or mirror):
        yield "--python-sha256 and --python-mirror go with --with-python"
    if wanted and wanted != PUBLISHED and "://" not in wanted and not Path(wanted).is_file():
        yield f"--with-python {wanted}: no such file"
    if sha256 and not _SHA256.fullmatch(sha256.lower()):
        yield "--python-sha256: 64 hexadecimal digits are needed"


def _exists(link: str) -> bool:
    return "://" in link or Path(link).expanduser().exists()


def _absolute(link: str) -> str:
    return link if "://" in link else str(Path(link).expanduser().resolve())


def _text(path: Path | None, problems: list[str]) -> str:
    if path is None:
        return ""
    try:
        return decode(path.read_bytes())
    except (OSError, NotText) as error:
        problems.append(f"{path}: {getattr(error, 'strerror', None) or error}")
        return ""
