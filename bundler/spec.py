"""What is asked for: one value, checked at the edge, with all problems told together."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.errors import InvalidRequest
from bundler.index import PYPI
from wheelhouse.errors import InvalidTarget
from wheelhouse.target import Target

_EXTRA = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
RESOLVERS = ("uv", "pip-tools")


@dataclass(frozen=True)
class BundleRequest:
    """A bundle to make. Make it with :meth:`parse`; the fields are then consistent.

    `airflow` empty means the newest final release, `extras` None the defaults for that release. URLs may
    hold credentials: they are used, and never shown or stored.
    """

    target: Target
    airflow: str = ""
    extras: tuple[str, ...] | None = None
    constraints: str = "auto"
    output: Path = Path("dist")
    index_url: str = field(default=PYPI, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    requirements: tuple[str, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    resolver: str = "uv"
    offline: bool = False

    @classmethod
    def parse(
        cls,
        *,
        airflow: str = "",
        python: str = "",
        platform: str = "",
        extras: tuple[str, ...] | None = None,
        constraints: str = "auto",
        output: Path = Path("dist"),
        index_url: str = PYPI,
        extra_index_urls: tuple[str, ...] = (),
        find_links: tuple[str, ...] = (),
        requirements: tuple[str, ...] = (),
        requirement_files: tuple[Path, ...] = (),
        resolver: str = "uv",
        offline: bool = False,
    ) -> BundleRequest:
        """Check everything; raises :class:`InvalidRequest` that lists every problem.

        Empty `python` and `platform` mean this interpreter's version and :func:`default_platform`.
        """
        problems: list[str] = []
        target = Target("3.11", "manylinux_2_28_x86_64")
        try:
            target = Target.parse(python or default_python(), platform or default_platform())
        except InvalidTarget as error:
            problems.append(f"{error.message} Needed: {error.needed}.")
        if airflow:
            problems += _version_problems(airflow)
        problems += [f"--extra {name}: not a name" for name in extras or () if not _EXTRA.fullmatch(name)]
        if not constraints:
            problems.append("--constraints is empty: auto, official, release-date, a path or a URL")
        for text in requirements:
            try:
                Requirement(text)
            except InvalidRequirement as error:
                if not text.endswith(".whl") and not Path(text).is_dir():
                    problems.append(f"requirement {text!r}: {str(error).splitlines()[0]}")
        problems += [f"-r {path}: no such file" for path in requirement_files if not path.is_file()]
        for url in (index_url, *extra_index_urls):
            if not url.startswith(("https://", "http://")):
                problems.append("an index URL must start with https:// or http://")
        if resolver not in RESOLVERS:
            problems.append(f"--resolver {resolver}: one of {', '.join(RESOLVERS)}")
        if output.exists() and not output.is_dir():
            problems.append(f"--output {output}: exists and is not a folder")
        if problems:
            raise InvalidRequest(
                "This bundle cannot be made as asked.",
                found="\n".join(problems),
                hint="airferry bundle --help lists every option.",
            )
        return cls(
            target=target,
            airflow=str(Version(airflow)) if airflow else "",
            extras=None if extras is None else tuple(sorted({canonicalize_name(name) for name in extras})),
            constraints=constraints,
            output=output,
            index_url=index_url,
            extra_index_urls=extra_index_urls,
            find_links=find_links,
            requirements=requirements,
            requirement_files=requirement_files,
            resolver=resolver,
            offline=offline,
        )


def default_python() -> str:
    """The minor version of the interpreter that runs this."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def default_platform() -> str:
    """Linux with glibc 2.28 (RHEL 8, Debian 10 and everything newer) on this machine's architecture."""
    machine = platform.machine().lower()
    return f"manylinux_2_28_{ {'amd64': 'x86_64', 'arm64': 'aarch64'}.get(machine, machine) }"


def default_extras(airflow: str) -> tuple[str, ...]:
    """PostgreSQL always, and from Airflow 3 on the FAB login with accounts and roles."""
    return ("fab", "postgres") if Version(airflow) >= Version("3.0a1") else ("postgres",)


def drivers(airflow: str) -> tuple[str, ...]:
    """The PostgreSQL drivers that Airflow needs without a compiler; 3.x derives an async URL as well."""
    if Version(airflow) >= Version("3.0a1"):
        return ("asyncpg", "psycopg2-binary")
    return ("psycopg2-binary",)


def _version_problems(airflow: str) -> list[str]:
    try:
        Version(airflow)
    except InvalidVersion:
        return [f"--airflow {airflow}: not a version"]
    return []
