"""The interpreter that a bundle carries, as the way out where the host has none that passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, Sequence

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts
from wheelhouse.manifest import CarriedPython

PYTHON_CARRIED = Entry(
    "python-carried",
    OK,
    "The carried Python is used",
    "The host's own Pythons are not used: updating them cannot break the installation.",
    "A bundle may carry an interpreter (airferry bundle --with-python). It is used where no Python of"
    " the host passes, or with --python carried; it is in HOME/python/.",
)
AUTHORITIES_MISSING = Entry(
    "authorities-missing",
    NOTE,
    "This host has no file of trusted certificates",
    "The carried Python uses the host's trusted certificates; without them a DAG that opens a"
    " TLS connection cannot verify the server. Airflow itself runs.",
    "The usual files of Debian, RHEL, SUSE and Alpine are checked; their package is ca-certificates.",
)
PYTHON_CARRIED_UNFIT = Entry(
    "python-carried-unfit",
    BLOCKER,
    "The carried Python does not run here",
    "It was built against a newer C library than this host has.",
)


def starts(carried: CarriedPython, facts: Facts) -> bool:
    """Whether this host's C library is new enough for it, as far as both are known."""
    kind, _, version = carried.floor.partition(" ")
    libc = facts.libc
    if libc is None or not version or libc.numbers == (0, 0):
        return True
    return libc.name == kind and libc.numbers >= tuple(map(int, version.split(".")))


def used(carried: CarriedPython, facts: Facts, problems: Sequence[Finding]) -> Iterator[Finding]:
    """Say that it is taken; the `problems` of the host's own are no obstacle any more."""
    remedy = f"No action is needed: the carried Python {carried.version} is used."
    for problem in problems:
        if problem.severity == BLOCKER:
            yield replace(problem, severity=NOTE, remedy=remedy, commands=(), needs_root=False)
    floor = f" and needs {carried.floor}" if carried.floor else ""
    yield PYTHON_CARRIED.found(f"CPython {carried.version}, which comes with the bundle{floor}")
    if facts.security and facts.security.authorities == "":
        yield AUTHORITIES_MISSING.found(
            "no file of trusted certificates in a usual place",
            needed="one, for DAGs that open TLS connections",
            remedy="Put the host's own there before the install, or name a file later as SSL_CERT_FILE and"
            " REQUESTS_CA_BUNDLE in HOME/etc/local.env.",
            commands=remedies.install(facts.distribution, "ca-certificates"),
            needs_root=True,
        )


def unfit(carried: CarriedPython, facts: Facts, needs: Needs) -> Finding:
    """Say that it does not start here; that blocks where no other will do."""
    here = f"{facts.libc.name} {facts.libc.version}" if facts.libc else ""
    return PYTHON_CARRIED_UNFIT.found(
        here,
        needed=f"{carried.floor} or newer, for the carried Python {carried.version}",
        remedy="Use a Python of this host (--python host), or have the bundle made with an older"
        f" one for {here}"
        " (outside: airferry bundle --with-python).",
        severity=BLOCKER if needs.carried_only else NOTE,
    )
