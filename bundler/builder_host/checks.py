"""Whether this machine can make bundles: pure functions from its facts to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bootstrap.base.console import size_text
from bootstrap.doctor.finding import Entry, Finding, Report, gathered, ordered
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.disk import DiskPlace
from bundler.build import buildneeds
from bundler.builder_host.facts import Outside

TOOLS_OK = Entry("tools-ok", OK, "The tools work")
UV_BROKEN = Entry(
    "uv-broken",
    BLOCKER,
    "uv does not run",
    "It resolves the packages, and builds those that exist only as source.",
)
PIP_TOOLS_BROKEN = Entry(
    "pip-tools-broken", NOTE, "pip-tools does not run", "It is pip's own resolver, used only on request."
)
CACHE_OK = Entry("cache-ok", OK, "The cache can be used")
CACHE_CLOSED = Entry(
    "cache-closed",
    BLOCKER,
    "The cache cannot be written",
    "Everything that is fetched and built goes there first.",
)
CACHE_FULL = Entry(
    "cache-full",
    BLOCKER,
    "Little disk space for the cache",
    "It holds every wheel that was fetched: see airferry cache.",
)
OUTPUT_OK = Entry("output-ok", OK, "The folder for the bundle can be used")
OUTPUT_CLOSED = Entry(
    "output-closed", BLOCKER, "The folder for the bundle cannot be written", "The bundle goes there."
)
OUTPUT_FULL = Entry(
    "output-full",
    BLOCKER,
    "Little disk space for the bundle",
    "A bundle takes about 110 MB, and as much again while an older one of the same name is there.",
)
INDEX_OK = Entry("index-ok", OK, "The package index answers")
INDEX_UNREACHABLE = Entry(
    "index-unreachable",
    BLOCKER,
    "The package index does not answer",
    "All packages come from there; only --offline, which makes an earlier bundle again, works without it.",
)
CONSTRAINTS_OK = Entry("constraints-ok", OK, "The Airflow project's constraint files can be reached")
CONSTRAINTS_UNREACHABLE = Entry(
    "constraints-unreachable",
    NOTE,
    "The Airflow project's constraint files cannot be reached",
    "--constraints auto resolves as of the day of the release instead, and warns.",
)
CERTIFICATES_MISSING = Entry(
    "certificates-missing",
    BLOCKER,
    "A file of certificates is missing",
    "No server can be verified without it, and nothing is fetched.",
)
PROXIES_USED = Entry(
    "proxies-used",
    NOTE,
    "Proxies and certificates are taken from the environment",
    "They are used for all downloads.",
)
OUTSIDE_CLOCK = Entry(
    "outside-clock",
    WARNING,
    "The clock of this machine is wrong",
    "Certificates count as expired or not yet valid, and nothing can be fetched.",
)
BUILD_OK = Entry("build-ok", OK, "Packages can be built from source")
BUILD_BASICS_MISSING = Entry(
    "build-basics-missing",
    WARNING,
    "Packages with native parts cannot be built here",
    "It matters only for those that have no wheel for the closed host; airferry bundle names them.",
)
BUILD_LIBRARIES_MISSING = Entry(
    "build-libraries-missing",
    NOTE,
    "Some build libraries are missing",
    "They matter only for packages that need them and have no wheel for the closed host.",
)

Check = Callable[[Outside], Iterator[Finding]]

# Wheels, the built ones and the resolver's own metadata; a bundle is about 110 MB.
_CACHE_LEAST, _CACHE_BEST = 300_000_000, 2_000_000_000
_OUTPUT_LEAST, _OUTPUT_BEST = 200_000_000, 1_000_000_000
_CLOCK = 300


def diagnose(facts: Outside) -> Report:
    """Judge the facts; never raises: a check that fails is itself a finding."""
    findings = gathered([(check, (facts,)) for check in CHECKS], facts.failures)
    name = facts.distribution.name if facts.distribution else ""
    host = ", ".join(filter(None, (name, facts.machine, f"Python {facts.python}")))
    return Report(f"can this machine make bundles? (airferry {facts.airferry})", host, ordered(findings))


def programs(facts: Outside) -> Iterator[Finding]:
    """The resolvers: uv is the usual one and builds too, pip-tools is there on request."""
    if facts.programs is None:
        return
    by_name = {item.name: item for item in facts.programs}
    again = "Install airferry again, into an environment of its own:"
    if by_name["uv"].error:
        yield UV_BROKEN.found(
            by_name["uv"].error,
            needed="uv, which is installed with airferry",
            remedy=again,
            commands=("pipx install --force airferry",),
        )
    if by_name["pip-tools"].error:
        yield PIP_TOOLS_BROKEN.found(by_name["pip-tools"].error, remedy="Only --resolver pip-tools needs it.")
    sound = [f"{item.name} {item.version}" for item in facts.programs if not item.error]
    if not by_name["uv"].error:
        yield TOOLS_OK.found(", ".join([f"Python {facts.python}", *sound]))


def folders(facts: Outside) -> Iterator[Finding]:
    """The cache and the folder for the bundle."""
    if facts.cache:
        yield from _folder(
            facts.cache, (CACHE_OK, CACHE_CLOSED, CACHE_FULL), _CACHE_LEAST, _CACHE_BEST,
            "Set XDG_CACHE_HOME to a folder on a larger disk.",
        )  # fmt: skip
    if facts.output:
        yield from _folder(
            facts.output, (OUTPUT_OK, OUTPUT_CLOSED, OUTPUT_FULL), _OUTPUT_LEAST, _OUTPUT_BEST,
            "Name another folder with --output.",
        )  # fmt: skip


def _folder(
    place: DiskPlace, entries: tuple[Entry, Entry, Entry], least: int, best: int, remedy: str
) -> Iterator[Finding]:
    usable, closed, full = entries
    if not place.writable or place.read_only or place.problem or place.kind in ("file", "other"):
        found = place.problem or f"{place.base} (mode {place.mode:04o}, owner {place.uid})"
        yield closed.found(found, needed=f"a folder {place.path} that can be written", remedy=remedy)
        return
    free = f"{size_text(place.free_bytes)} free at {place.path}"
    if place.free_bytes < best:
        severity = BLOCKER if place.free_bytes < least else WARNING
        yield full.found(free, needed=f"{size_text(best)} and more", remedy=remedy, severity=severity)
    else:
        yield usable.found(free)


def addresses(facts: Outside) -> Iterator[Finding]:
    """The package index, and the Airflow project's constraint files."""
    index, constraints = facts.index, facts.constraints
    if index and index.error:
        yield INDEX_UNREACHABLE.found(
            f"{index.url}: {index.error}",
            needed="a package index with apache-airflow",
            remedy="Set the proxy (HTTPS_PROXY) and its certificates (SSL_CERT_FILE), or name a mirror with"
            " --index-url.",
        )
    elif index:
        yield INDEX_OK.found(f"{index.url} has {index.found} ({index.seconds:.1f} s)")
    if index and index.clock is not None and abs(index.clock) > _CLOCK:
        ahead = "behind" if index.clock > 0 else "ahead of"
        yield OUTSIDE_CLOCK.found(
            f"{abs(index.clock):.0f} s {ahead} {index.url}",
            needed="the right time",
            remedy="Set the clock:",
            commands=("date -u -s 'YYYY-MM-DD HH:MM:SS'",),
            needs_root=True,
        )
    if constraints and constraints.error:
        yield CONSTRAINTS_UNREACHABLE.found(
            f"{constraints.url}: {constraints.error}",
            remedy="Name a copy of the file with --constraints FILE.",
        )
    elif constraints:
        yield CONSTRAINTS_OK.found(f"{constraints.url} ({constraints.seconds:.1f} s)")


def variables(facts: Outside) -> Iterator[Finding]:
    """Proxies and certificates of this environment."""
    found = facts.variables
    if found is None:
        return
    for name in found.missing:
        yield CERTIFICATES_MISSING.found(
            f"{name} names {found.certificates[name]}",
            needed="a file of certificates that can be read",
            remedy=f"Correct the variable, or remove it: unset {name}",
        )
    used = [*found.proxies, *(name for name in found.certificates if name not in found.missing)]
    if used:
        yield PROXIES_USED.found(", ".join(used))


def building(facts: Outside) -> Iterator[Finding]:
    """What packages that exist only as source may need; nearly all have wheels."""
    if facts.needs is None:
        return
    missing = [need for need in facts.needs if not need.there]
    basic = [need for need in missing if need.name in buildneeds.BASIC]
    if basic:
        yield BUILD_BASICS_MISSING.found(
            "\n".join(f"{need.name}: {need.found}" for need in basic),
            needed="a C compiler, Python's headers, and a Python with _ctypes",
            remedy="Install what is missing:",
            commands=_commands(basic),
            needs_root=True,
        )
    rest = [need for need in missing if need not in basic]
    if rest:
        remedy = buildneeds.remedy(rest)
        yield BUILD_LIBRARIES_MISSING.found(
            ", ".join(need.name for need in rest), remedy=f"As root: {remedy}" if remedy else ""
        )
    if not missing:
        yield BUILD_OK.found(", ".join(need.name for need in facts.needs))


def _commands(missing: list[buildneeds.BuildNeed]) -> tuple[str, ...]:
    text = buildneeds.remedy(missing)
    return (text,) if text else ()


CHECKS: tuple[Check, ...] = (programs, folders, addresses, variables, building)
