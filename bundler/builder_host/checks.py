"""Whether this machine can make bundles: pure functions from its facts to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bootstrap.base.console import size_text
from bootstrap.doctor.finding import Finding, Report, gathered, ordered
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.disk import DiskPlace
from bundler.build import buildneeds
from bundler.builder_host.facts import Outside

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
        yield Finding(
            "uv-broken", BLOCKER, by_name["uv"].error, "uv, which airferry brings along", again,
            ("pipx install --force airferry",),
        )  # fmt: skip
    if by_name["pip-tools"].error:
        yield Finding(
            "pip-tools-broken", NOTE, by_name["pip-tools"].error, "", "Only --resolver pip-tools needs it."
        )
    sound = [f"{item.name} {item.version}" for item in facts.programs if not item.error]
    if not by_name["uv"].error:
        yield Finding("tools-ok", OK, ", ".join([f"Python {facts.python}", *sound]))


def folders(facts: Outside) -> Iterator[Finding]:
    """The cache and the folder for the bundle."""
    if facts.cache:
        yield from _folder(
            facts.cache, ("cache-ok", "cache-closed", "cache-full"), _CACHE_LEAST, _CACHE_BEST,
            "Set XDG_CACHE_HOME to a folder on a larger disk.",
        )  # fmt: skip
    if facts.output:
        yield from _folder(
            facts.output, ("output-ok", "output-closed", "output-full"), _OUTPUT_LEAST, _OUTPUT_BEST,
            "Name another folder with --output.",
        )  # fmt: skip


def _folder(
    place: DiskPlace, ids: tuple[str, str, str], least: int, best: int, remedy: str
) -> Iterator[Finding]:
    usable, closed, full = ids
    if not place.writable or place.read_only or place.problem or place.kind in ("file", "other"):
        found = place.problem or f"{place.base} (mode {place.mode:04o}, owner {place.uid})"
        yield Finding(closed, BLOCKER, found, f"a folder {place.path} that can be written", remedy)
        return
    free = f"{size_text(place.free_bytes)} free at {place.path}"
    if place.free_bytes < best:
        severity = BLOCKER if place.free_bytes < least else WARNING
        yield Finding(full, severity, free, f"{size_text(best)} and more", remedy)
    else:
        yield Finding(usable, OK, free)


def addresses(facts: Outside) -> Iterator[Finding]:
    """The package index, and the Airflow project's constraint files."""
    index, constraints = facts.index, facts.constraints
    if index and index.error:
        yield Finding(
            "index-unreachable", BLOCKER, f"{index.url}: {index.error}",
            "a package index with apache-airflow",
            "Set the proxy (HTTPS_PROXY) and its certificates (SSL_CERT_FILE), or name a mirror with"
            " --index-url.",
        )  # fmt: skip
    elif index:
        yield Finding("index-ok", OK, f"{index.url} has {index.found} ({index.seconds:.1f} s)")
    if index and index.clock is not None and abs(index.clock) > _CLOCK:
        ahead = "behind" if index.clock > 0 else "ahead of"
        yield Finding(
            "outside-clock", WARNING, f"{abs(index.clock):.0f} s {ahead} {index.url}", "the right time",
            "Set the clock:", ("date -u -s 'YYYY-MM-DD HH:MM:SS'",), needs_root=True,
        )  # fmt: skip
    if constraints and constraints.error:
        yield Finding(
            "constraints-unreachable", NOTE, f"{constraints.url}: {constraints.error}", "",
            "A copy of the file is taken with --constraints FILE.",
        )  # fmt: skip
    elif constraints:
        yield Finding("constraints-ok", OK, f"{constraints.url} ({constraints.seconds:.1f} s)")


def variables(facts: Outside) -> Iterator[Finding]:
    """Proxies and certificates of this environment."""
    found = facts.variables
    if found is None:
        return
    for name in found.missing:
        yield Finding(
            "certificates-missing", BLOCKER, f"{name} names {found.certificates[name]}",
            "a file of certificates that can be read", f"Correct the variable, or take it away: unset {name}",
        )  # fmt: skip
    used = [*found.proxies, *(name for name in found.certificates if name not in found.missing)]
    if used:
        yield Finding("proxies-used", NOTE, ", ".join(used))


def building(facts: Outside) -> Iterator[Finding]:
    """What packages that exist only as source may need; nearly all have wheels."""
    if facts.needs is None:
        return
    missing = [need for need in facts.needs if not need.there]
    basic = [need for need in missing if need.name in buildneeds.BASIC]
    if basic:
        yield Finding(
            "build-basics-missing", WARNING, "\n".join(f"{need.name}: {need.found}" for need in basic),
            "a C compiler, Python's headers, and a Python with _ctypes", "Install what is missing:",
            _commands(basic), needs_root=True,
        )  # fmt: skip
    rest = [need for need in missing if need not in basic]
    if rest:
        remedy = buildneeds.remedy(rest)
        yield Finding(
            "build-libraries-missing", NOTE, ", ".join(need.name for need in rest), "",
            f"As root: {remedy}" if remedy else "",
        )  # fmt: skip
    if not missing:
        yield Finding("build-ok", OK, ", ".join(need.name for need in facts.needs))


def _commands(missing: list[buildneeds.BuildNeed]) -> tuple[str, ...]:
    text = buildneeds.remedy(missing)
    return (text,) if text else ()


CHECKS: tuple[Check, ...] = (programs, folders, addresses, variables, building)
