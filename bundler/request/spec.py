"""What is asked for: one value, checked at the edge, with all problems told together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.base.errors import InvalidRequest
from bundler.base.text import NotText, decode
from bundler.index.keyring import with_password
from bundler.index.simple import from_environment
from bundler.request import platforms
from bundler.request.base_bundle import Base
from bundler.request.base_bundle import read as read_base
from bundler.request.requirements import Wanted, gather
from bundler.request.settings import PUBLISHED, Settings
from wheelhouse.errors import InvalidTarget
from wheelhouse.target import Target

_EXTRA = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
RESOLVERS = ("uv", "pip-tools")
# What runs tasks on further hosts, and the releases that are offered it.
WORKERS = {"edge": ">=3.0a1,!=3.1.0", "celery": ""}


@dataclass(frozen=True)
class BundleRequest:
    """A bundle to make. Make it with :meth:`parse`; the fields are then consistent.

    `settings` are those that hold: with the defaults, what requirement files and the environment name, and
    the release of a `base`. An empty `airflow` there is the newest final release, `extras` come to the
    defaults for it; URLs may hold credentials: they are used, and never shown or stored. `target`,
    `requirements` and `build_constraints` (the text of a file) are what they mean. With a `base` an add-on
    is made, for the release and the target of that.
    """

    settings: Settings
    target: Target
    requirements: tuple[Wanted, ...] = ()
    build_constraints: str = ""
    base: Base | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Settings) -> BundleRequest:
        """Check everything; raises :class:`InvalidRequest` that lists every problem.

        See :mod:`bundler.request.base_bundle`, which raises too, for what `onto` names. An empty `python`
        means this interpreter's version, an empty `index_url` what requirement files or the environment name,
        else the public index; `platform`, `glibc`, `like` and `machine` are those of
        :func:`bundler.request.platforms.platform_tag`.
        """
        problems: list[str] = []
        given = given.plain()
        base = read_base(given.onto) if given.onto else None
        target = _target(given, base, problems)
        gathered = gather(given.requirements, given.requirement_files)
        problems += gathered.problems
        login = str if given.offline else with_password
        settings = replace(
            given,
            constraints=given.constraints or "auto",
            resolver=given.resolver or "uv",
            output=given.output or Path("dist"),
            index_url=login(given.index_url or gathered.index_url or from_environment()),
            extra_index_urls=tuple(map(login, (*given.extra_index_urls, *gathered.extra_index_urls))),
            find_links=(*given.find_links, *gathered.find_links),
            python_sha256=given.python_sha256.lower(),
        )
        problems += _problems(settings)
        building = _text(given.build_constraints, problems)
        if base and target and not problems:
            problems += _base_problems(base, given.airflow, target)
            if not gathered.wanted and not given.extras:
                problems.append("--onto: name what is to be added, as requirements, -r or --extra")
        if problems or target is None:
            raise InvalidRequest(
                "This bundle cannot be made as requested.",
                found="\n".join(problems),
                hint="airferry bundle --help lists every option.",
            )
        airflow = base.airflow if base else given.airflow
        settings = replace(
            settings,
            airflow=str(Version(airflow)) if airflow else "",
            extras=tuple(sorted({canonicalize_name(name) for name in given.extras})),
            find_links=tuple(map(_absolute, settings.find_links)),
        )
        return cls(settings, target, gathered.wanted, building, base, gathered.warnings)

    @property
    def output(self) -> Path:
        """The folder that the bundle goes to."""
        return self.settings.output or Path("dist")


def default_python() -> str:
    """The minor version of the interpreter that runs this."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def default_extras(airflow: str) -> tuple[str, ...]:
    """PostgreSQL always, and from Airflow 3 on the FAB login with accounts and roles."""
    return ("fab", "postgres") if Version(airflow) >= Version("3.0a1") else ("postgres",)


def worker_extras(engine: str, airflow: str) -> tuple[str, ...]:
    """What `engine` adds; the client of the broker is an extra of its own before Airflow 3.

    Raises :class:`InvalidRequest` for a release that the engine is not offered for.
    """
    if not engine:
        return ()
    if not SpecifierSet(WORKERS[engine]).contains(airflow, prereleases=True):
        raise InvalidRequest(
            f"--workers {engine} cannot be had with Airflow {airflow}.",
            needed=f"Airflow {WORKERS[engine].replace('3.0a1', '3.0.0')}",
            hint="Take a release of Airflow 3 that has it.",
        )
    if engine == "edge":
        return ("edge3",)
    return ("celery",) if Version(airflow) >= Version("3.0a1") else ("celery", "redis")


def _target(given: Settings, base: Base | None, problems: list[str]) -> Target | None:
    """The target that is named, or else that of the base; None, and a problem, for one that is none."""
    named = base is None or given.platform or given.glibc or given.like or given.machine
    try:
        tag = platforms.platform_tag(
            tag=given.platform, glibc=given.glibc, like=given.like, machine=given.machine
        )
        python = given.python or (base.target.python if base else default_python())
        return Target.parse(python, tag if named or base is None else base.target.platform)
    except InvalidTarget as error:
        problems.append(f"{error.message} Needed: {error.needed}." if error.needed else error.message)
        return None


def _problems(settings: Settings) -> Iterator[str]:
    yield from _version_problems(settings.airflow)
    yield from (f"--extra {name}: not a name" for name in settings.extras if not _EXTRA.fullmatch(name))
    for url in (settings.index_url, *settings.extra_index_urls):
        if not url.startswith(("https://", "http://")):
            yield "an index URL must start with https:// or http://"
    for link in settings.find_links:
        if "://" not in link and not Path(_absolute(link)).exists():
            yield f"--find-links {link}: no such folder"
    if settings.workers and settings.workers not in WORKERS:
        yield f"--workers {settings.workers}: one of {', '.join(WORKERS)}"
    if settings.resolver not in RESOLVERS:
        yield f"--resolver {settings.resolver}: one of {', '.join(RESOLVERS)}"
    if settings.resolver == "pip-tools" and settings.extra_index_urls:
        # pip takes the highest version of all: a public package could take the place of a private one
        yield "--resolver pip-tools knows no order of indexes: leave --extra-index-url out, or take uv"
    if settings.output and settings.output.exists() and not settings.output.is_dir():
        yield f"--output {settings.output}: exists and is not a folder"
    yield from _python_problems(settings)


def _version_problems(airflow: str) -> Iterator[str]:
    try:
        Version(airflow or "0")
    except InvalidVersion:
        yield f"--airflow {airflow}: not a version such as 3.3.2, 3.3 (its newest) or latest"


def _base_problems(base: Base, airflow: str, target: Target) -> list[str]:
    asked = [("Airflow", airflow and str(Version(airflow)), base.airflow)]
    asked += [("", target.label, base.target.label)]
    return [
        f"--onto: {base.identity} is for {what} {inside}, not {wanted}".replace("  ", " ")
        for what, wanted, inside in asked
        if wanted and wanted != inside
    ]


def _python_problems(settings: Settings) -> Iterator[str]:
    wanted, sha256 = settings.with_python, settings.python_sha256
    if not wanted and (sha256 or settings.python_mirror):
        yield "--python-sha256 and --python-mirror go with --with-python"
    if wanted and wanted != PUBLISHED and "://" not in wanted and not Path(wanted).is_file():
        yield f"--with-python {wanted}: no such file"
    if sha256 and not _SHA256.fullmatch(sha256):
        yield "--python-sha256: 64 hexadecimal digits are needed"
    if wanted and settings.onto:
        yield "--with-python: an add-on runs on the interpreter that is there"


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
