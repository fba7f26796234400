"""A bundle that is not made yet: what to choose for a host by its facts, and whether it would work there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bootstrap.airflow.differences import PYTHONS, Row, numbers
from bootstrap.doctor import remedies
from bootstrap.doctor.catalogue import entries_of
from bootstrap.doctor.checks import carried as carried_python
from bootstrap.doctor.checks import interpreter as python_checks
from bootstrap.doctor.checks import interpreters, machine, modules
from bootstrap.doctor.checks.interpreter import judge
from bootstrap.doctor.finding import Entry, Finding, Report
from bootstrap.doctor.needs import Needs, WantedPort, needs_of
from bootstrap.doctor.run import diagnose
from bootstrap.doctor.severity import BLOCKER, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.libc import Libc
from bootstrap.facts.python import Interpreter
from bootstrap.facts.resources import Resources
from bootstrap.installed.options import WEB_PORT
from bootstrap.postgres.programs import complete
from bundler.assembly import payload
from bundler.base.errors import NoFittingWheel
from bundler.request import platforms
from bundler.request.spec import default_python
from wheelhouse import __version__
from wheelhouse.manifest import SCHEMA, CarriedPostgres, Constraints, MadeFor, Manifest, Package, Tool
from wheelhouse.target import OLDEST_PYTHON, Target

PYTHON_UNSUPPORTED = Entry(
    "python-unsupported",
    BLOCKER,
    "This Airflow does not run on this Python",
    "Its packages refuse to be installed there, or fail when they are imported.",
)
PLATFORM_UNSUPPORTED = Entry(
    "platform-unsupported",
    BLOCKER,
    "A bundle cannot be made for this platform",
    "Every bundle carries uv and pip, which install the packages without a network.",
)
LIBC_RARE = Entry(
    "libc-rare",
    WARNING,
    "The C library of this host is older than what packages are published for",
    "Some packages may have no wheel for it: airferry bundle then says which, and what would help.",
)
POSTGRES_NOT_CARRIED = Entry(
    "postgres-not-carried",
    WARNING,
    "The bundle would carry no PostgreSQL, and the host has none",
    "Airflow keeps its state there; without a server the install stops.",
)

# Measured on bundles with the default extras: megabytes of all wheels, and of what is unpacked from them.
SIZES: Row[tuple[int, int]] = Row(
    "wheels and what they unpack to, MB",
    (
        ("2.2.2", (76, 215)),
        ("2.6.0", (87, 252)),
        ("2.10.0", (96, 271)),
        ("3.0.0", (96, 271)),
        ("3.1.0", (108, 320)),
    ),
)
# what a carried Python is the answer to
PYTHON = entries_of(python_checks, interpreters, modules, carried_python)
_MB = 1_000_000
_PYTHON_UNPACKED = 120 * _MB
# What wheels of today ask for; for an older C library some packages have none.
_USUAL_GLIBC = (2, 28)


@dataclass(frozen=True)
class Choice:
    """What a bundle for a host would be, and doctor's `report` on it there.

    `interpreter` is the one on that host that Airflow would run on, None when none fits there or the bundle
    carries its own. `postgres` is the version of the carried server, empty for none. `reasons` say by
    name (Python, Platform, PostgreSQL) what was chosen and why.
    """

    airflow: str
    target: Target
    interpreter: Interpreter | None
    postgres: str
    reasons: tuple[tuple[str, str], ...]
    report: Report
    made_for: MadeFor


def choose(
    facts: Facts,
    airflow: str,
    *,
    pythons: Sequence[str] = (),
    platform: str = "",
    carried: bool = False,
) -> Choice:
    """Choose Python, platform and PostgreSQL for the host of `facts`.

    `pythons` (``3.11``) and `platform` (a tag) are what the user wants, and are judged like a choice of ours;
    `carried` says that the bundle brings an interpreter. Raises UnsupportedAirflow and InvalidTarget; a host
    that does not fit is a matter of the report.
    """
    supported = tuple(item for item in PYTHONS.at(numbers(airflow)) if _minor(item) >= OLDEST_PYTHON)
    wanted = tuple(pythons) or supported
    tag = platform or host_platform(facts)
    fitting = sorted(
        (_weighed(item, facts, airflow, tag) for item in _candidates(facts, wanted)), key=lambda pair: pair[0]
    )
    best = fitting[0] if fitting else None
    sound = best is not None and best[0][0] == 0
    interpreter = best[1] if best and (sound or not carried) else None
    python = interpreter.minor if interpreter else _substitute(facts, wanted, carried=carried)
    target = Target.parse(python, tag)
    needs, server = _needs(facts, airflow, target, carried=carried and not sound)
    report = diagnose(facts, needs)
    if carried and not sound:
        replaced = [item.id for item in report.blockers if item.entry in PYTHON]
        report = report.plus([], without=replaced)
    report = report.plus(_unsupported(airflow, python, supported))
    report = report.plus([*_platform_problems(facts, target), *_server_problems(facts, server, target)])
    reasons = (
        ("Python", _python_reason(python, interpreter, facts, carried=carried and not sound)),
        ("Platform", f"{target.platform}: {_platform_reason(facts, target, named=bool(platform))}"),
        ("PostgreSQL", _server_reason(facts, server)),
    )
    made_for = origin(facts, interpreter.minor if interpreter else "")
    return Choice(airflow, target, interpreter, server, reasons, report, made_for)


def host_platform(facts: Facts) -> str:
    """The platform tag of that very host: its own C library is what wheels may need at most."""
    libc = facts.libc
    if libc is None or not libc.name or libc.numbers == (0, 0):
        return platforms.default_platform()
    name = "musllinux" if libc.name == "musl" else "manylinux"
    return f"{name}_{libc.numbers[0]}_{libc.numbers[1]}_{libc.machine}"


def origin(facts: Facts, python: str) -> MadeFor:
    """What the bundle is stamped with: the kind of host, and nothing that singles one out."""
    libc = facts.libc or Libc("", "")
    name = facts.distribution.name if facts.distribution else ""
    return MadeFor(python, libc.machine, libc.name, libc.version, name)


def needs_of_bundle(manifest: Manifest, facts: Facts) -> Needs:
    """What a bundle needs on the host of `facts`, with the home, account and ports that were asked about."""
    request = facts.request
    return needs_of(
        manifest,
        home=request.home,
        ports=tuple(
            WantedPort(number, "web server" if number == WEB_PORT else "PostgreSQL")
            for number in request.ports
        ),
        parallelism=_parallelism(facts.resources),
        account=request.account,
        carried=manifest.python,
    )


def _needs(facts: Facts, airflow: str, target: Target, *, carried: bool) -> tuple[Needs, str]:
    """The needs of a bundle of the usual size, and the version of the server that it would carry."""
    packed, unpacked = SIZES.at(numbers(airflow))
    postgres = None
    try:
        found = payload.choose(target)
        if found.postgres:
            artifact = found.postgres.artifact
            path = f"postgres/{artifact.filename}"
            package = Package(found.postgres.name, found.postgres.version, path, 0, artifact.sha256, "")
            postgres = CarriedPostgres(found.postgres_version, package)
    except NoFittingWheel:
        pass  # told by _platform_problems
    whole = Package(
        "apache-airflow", airflow, f"wheels/apache_airflow-{airflow}-py3-none-any.whl", packed * _MB, "", "",
        unpacked * _MB,
    )  # fmt: skip
    manifest = Manifest(
        SCHEMA, __version__, airflow, target, "", (), (), Constraints("auto", "", ""), Tool("uv", ""), "",
        packages=(whole,), tools=(), services=(), postgres=postgres, files=(),
    )  # fmt: skip
    room = _PYTHON_UNPACKED if carried else 0
    needs = needs_of_bundle(manifest, facts)
    # which wheels it will hold is not known yet: the index is asked when it is made
    needs = replace(needs, wheels=(), room=needs.room + room)
    return needs, postgres.version if postgres else ""


def _parallelism(found: Resources | None) -> int:
    """Tasks at once that an install there would choose; see bootstrap.installed.options."""
    return found.default_parallelism if found else 4


def _candidates(facts: Facts, wanted: Sequence[str]) -> list[Interpreter]:
    return [
        item
        for item in facts.pythons or ()
        if item.asked and not item.error and item.implementation == "cpython" and item.minor in wanted
    ]


Weight = tuple[int, int, bool, tuple[int, ...]]


def _weighed(python: Interpreter, facts: Facts, airflow: str, tag: str) -> tuple[Weight, Interpreter]:
    """Fewest problems first, then the distribution's own, which it keeps secure, then the newest."""
    needs, _ = _needs(facts, airflow, Target.parse(python.minor, tag), carried=False)
    problems = [item.severity for item in judge(python, facts, needs)]
    newest_first = tuple(-number for number in _minor(python.minor))
    return (problems.count(BLOCKER), problems.count(WARNING), not _own(python), newest_first), python


def _own(python: Interpreter) -> bool:
    return python.base_prefix == "/usr"


def _minor(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _substitute(facts: Facts, wanted: Sequence[str], *, carried: bool) -> str:
    """The Python to make a bundle for when none there fits.

    The newest that the host's distribution has as a package, else what is taken without facts: this
    machine's own version where the release runs on it.
    """
    by_age = sorted((item for item in wanted if re.fullmatch(r"3\.\d+", item)), key=_minor)
    if not by_age:
        return wanted[0]
    offered = [item for item in by_age if remedies.offers(facts.distribution, item)]
    if offered and len(offered) < len(by_age) and not carried:
        return offered[-1]
    return default_python() if default_python() in by_age else by_age[-1]


def _unsupported(airflow: str, python: str, supported: Sequence[str]) -> Iterator[Finding]:
    if python not in supported:
        yield PYTHON_UNSUPPORTED.found(
            f"Airflow {airflow} for CPython {python}",
            needed=f"CPython {', '.join(supported)}",
            remedy="Choose another --python, or another --airflow.",
        )


def _platform_problems(facts: Facts, target: Target) -> Iterator[Finding]:
    libc, host = facts.libc, target.host
    try:
        payload.choose(target)
    except NoFittingWheel as error:
        yield PLATFORM_UNSUPPORTED.found(target.label, needed=error.needed, remedy=error.message)
    if libc is None or libc.name != host.libc or libc.machine != host.machine or libc.numbers == (0, 0):
        return
    found = f"{libc.name} {libc.version}"
    if host.version > libc.numbers:
        yield machine.LIBC_TOO_OLD.found(
            found,
            needed=f"{host.libc_label}, as {target.platform} says",
            remedy=f"Leave --platform, --glibc and --like out, or take --platform {host_platform(facts)}.",
        )
    elif libc.name == "glibc" and libc.numbers < _USUAL_GLIBC:
        yield LIBC_RARE.found(found, needed="glibc 2.28, for which nearly all packages have wheels")


def _server_problems(facts: Facts, server: str, target: Target) -> Iterator[Finding]:
    if not server and not _host_servers(facts):
        yield POSTGRES_NOT_CARRIED.found(
            f"none is published for {target.platform}, and none is there",
            needed="a PostgreSQL server",
            remedy="Install this distribution's PostgreSQL server and client there:",
            commands=remedies.install_postgres(facts.distribution),
            needs_root=True,
        )


def _host_servers(facts: Facts) -> list[str]:
    return [item.folder for item in (facts.postgres.installed if facts.postgres else ()) if complete(item)]


def _python_reason(python: str, found: Interpreter | None, facts: Facts, *, carried: bool) -> str:
    if carried:
        return f"{python}, carried in the bundle: no interpreter there fits"
    if found is None:
        how = "which has to be installed there, or carried with --with-python"
        return f"{python}, {how}: no interpreter there fits{_older(facts)}"
    others = len({item.minor for item in facts.pythons or () if item.minor} - {found.minor})
    why = "the distribution's own" if _own(found) else "the best one there"
    return f"{python}: {found.path}, {why}" + (f" ({others} other versions looked at)" if others else "")


def _older(facts: Facts) -> str:
    """Which releases run on the newest whole Python that is there."""
    there = [item.minor for item in facts.pythons or () if item.asked and not any(item.modules.values())]
    minor = max((item for item in there if _minor(item) >= OLDEST_PYTHON), key=_minor, default="")
    lines = [
        (since, following)
        for (since, pythons), following in zip(
            PYTHONS.since, [*(version for version, _ in PYTHONS.since[1:]), ""], strict=True
        )
        if minor in pythons
    ]
    if not lines:
        return ""
    until = f" until before {lines[-1][1]}" if lines[-1][1] else ""
    return f" (Airflow from {lines[0][0]}{until} runs on the {minor} that is there)"


def _platform_reason(facts: Facts, target: Target, *, named: bool) -> str:
    libc = facts.libc
    if libc is None or not libc.name:
        return "the default, as the C library there is not known"
    if named:
        return f"as asked for; the host has {libc.name} {libc.version}"
    return f"what the host has, {libc.name} {libc.version} on {libc.machine}"


def _server_reason(facts: Facts, server: str) -> str:
    there = _host_servers(facts)
    if server:
        also = f" (that of the host is in {there[0]})" if there else ""
        return f"{server}, carried{also}"
    return f"the host's own in {there[0]}: --postgres host" if there else "none is carried"
