"""Facts of the machine that makes bundles: tools, folders, addresses; collected side by side, not judged."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.airflow.differences import NEWEST
from bootstrap.facts import disk, distribution, host
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.distribution import Distribution
from bootstrap.facts.host import Failure
from bootstrap.facts.network import PROXIES
from bundler.base.errors import DownloadFailed
from bundler.build import buildneeds
from bundler.build.buildneeds import BuildNeed
from bundler.index.cache import Cache
from bundler.index.constraints import OFFICIAL, fill
from bundler.index.release import PROJECT
from bundler.index.simple import Index, newest
from bundler.index.transport import NoAnswer, Session
from bundler.request.spec import default_python
from bundler.resolver.piptools import PipTools
from bundler.resolver.uv import Uv
from wheelhouse import __version__
from wheelhouse.errors import AirferryError

if TYPE_CHECKING:
    from requests import Response

SCHEMA = 1
# All collectors together; an address that swallows everything takes the longest.
SECONDS = 20.0
_TIMEOUT = (5.0, 10.0)
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT")


@dataclass(frozen=True)
class ResolverTool:
    """A program that is needed: its version, or why it does not answer."""

    name: str
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class Address:
    """An address that was asked: `found` is what it gave, `error` why it gave nothing; `seconds` it took.

    `clock` is how many seconds its clock is ahead of this machine's, None when it does not tell.
    """

    url: str
    found: str = ""
    error: str = ""
    seconds: float = 0.0
    clock: float | None = None


@dataclass(frozen=True)
class Variables:
    """Names of the proxy variables that are set, and files of certificates by the variable that names them.

    `missing` are those of the variables whose file is not there.
    """

    proxies: tuple[str, ...] = ()
    certificates: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outside:
    """What this machine is; a part is None when its collector failed, which then is in `failures`."""

    schema: int
    airferry: str
    python: str
    machine: str
    distribution: Distribution | None = None
    programs: tuple[ResolverTool, ...] | None = None
    cache: DiskPlace | None = None
    output: DiskPlace | None = None
    index: Address | None = None
    constraints: Address | None = None
    needs: tuple[BuildNeed, ...] | None = None
    variables: Variables | None = None
    failures: tuple[Failure, ...] = ()


def collect(index_url: str, output: Path, *, seconds: float = SECONDS) -> Outside:
    """Collect everything; never raises, and ends after `seconds` whatever hangs."""
    cache = Cache.default()
    here = Path(sys.executable)
    found, failures = host.run(
        {
            "distribution": distribution.collect,
            "programs": lambda: programs(cache),
            "cache": lambda: disk.collect(str(cache.root)),
            "output": lambda: disk.collect(str(output)),
            "index": lambda: index(index_url),
            "constraints": constraints,
            "needs": lambda: (
                buildneeds.ctypes_works(here),
                *buildneeds.collect(buildneeds.always(), here),
            ),
            "variables": variables,
        },
        seconds,
    )
    return Outside(
        SCHEMA, __version__, platform.python_version(), platform.machine(), **found, failures=failures
    )


def programs(cache: Cache) -> tuple[ResolverTool, ...]:
    """Ask the resolvers for their versions; uv is really started."""

    def ask(name: str, version: Callable[[], str]) -> ResolverTool:
        try:
            return ResolverTool(name, version())
        except (AirferryError, OSError, ImportError) as error:
            return ResolverTool(name, error=str(error))

    return (
        ask("uv", lambda: Uv(cache).tool.version),
        ask("pip-tools", lambda: PipTools(cache, ()).tool.version),
    )


def index(url: str) -> Address:
    """Ask the package index for Airflow, through the proxies and authorities that a bundle would use."""
    started = time.monotonic()
    session = _Clocked((url,), retries=0)
    with session:
        where = Index(url, session)
        try:
            version = newest(where.files(PROJECT))
        except DownloadFailed as error:
            return Address(where.url, error=error.found or error.message, seconds=_since(started))
    found = f"Airflow {version}" if version else ""
    error_text = "" if version else f"it has no wheel of {PROJECT}"
    return Address(where.url, found, error_text, _since(started), session.ahead)


def constraints() -> Address:
    """Ask the Airflow project's own address for a constraint file that it has."""
    url = fill(OFFICIAL, NEWEST, default_python())
    started = time.monotonic()
    with Session(retries=0) as session:
        try:
            answer = session.get(url, timeout=_TIMEOUT, stream=True)
        except NoAnswer as error:
            return Address(url, error=str(error), seconds=_since(started))
    # a file that is not there is an answer of the right server
    there = answer.status_code in (200, 404)
    said = f"HTTP {answer.status_code}"
    return Address(url, said if there else "", "" if there else said, _since(started))


def variables() -> Variables:
    """Read which proxies and certificates this environment asks for; no values of proxies."""
    named = {name: os.environ[name] for name in _AUTHORITIES if os.environ.get(name)}
    return Variables(
        tuple(sorted(name for name in os.environ if name.lower() in PROXIES and os.environ[name])),
        named,
        tuple(name for name, path in named.items() if not os.access(path, os.R_OK)),
    )


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


class _Clocked(Session):
    """Notes how many seconds the server's clock is `ahead` of this machine's."""

    ahead: float | None = None

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = _TIMEOUT,
        stream: bool = False,
    ) -> Response:
        answer = super().get(url, headers=headers, timeout=timeout, stream=stream)
        with suppress(TypeError, ValueError):
            theirs = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
            self.ahead = round(theirs - time.time(), 1)
        return answer
