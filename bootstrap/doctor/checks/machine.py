"""The machine and its C library, against the tag of every wheel."""

from __future__ import annotations

import re
from typing import Iterator

from bootstrap.airflow.differences import NEWEST
from bootstrap.airflow.release import release_for
from bootstrap.base.columns import listed
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.libc import Libc
from bootstrap.postgres.programs import complete
from wheelhouse.tags import unfit

AIRFLOW_UNKNOWN = Entry(
    "airflow-unknown",
    WARNING,
    "This Airflow is newer than the airferry that carries it",
    "Changes since the newest release that it knows are not taken into account; the example"
    " pipeline at the end of the install shows whether that matters.",
)
MACHINE_OK = Entry("machine-ok", OK, "The machine and its C library fit")
MACHINE_WRONG = Entry(
    "machine-wrong",
    BLOCKER,
    "The bundle is for another kind of machine",
    "The programs in the bundle cannot be executed here.",
)
LIBC_OTHER = Entry(
    "libc-other",
    BLOCKER,
    "The bundle is for another C library",
    "Compiled packages for glibc do not run on musl (Alpine), nor the other way round.",
)
LIBC_TOO_OLD = Entry(
    "libc-too-old",
    BLOCKER,
    "The C library of this host is too old",
    "These packages were built against a newer one and cannot be loaded.",
    "The platform in the bundle's name (manylinux_2_28) says which glibc it was made for. A bundle for"
    " an older one is made outside with --platform, for example manylinux_2_17.",
)
LIBC_UNKNOWN = Entry(
    "libc-unknown",
    WARNING,
    "The C library of this host is unknown",
    "Whether the compiled packages can be loaded here shows only when they are.",
)
KERNEL_OLD = Entry(
    "kernel-old",
    WARNING,
    "The kernel is old",
    "airferry, uv and PostgreSQL were not tested on kernels this old.",
)
POSTGRES_UNFIT = Entry(
    "postgres-unfit",
    BLOCKER,
    "The carried PostgreSQL does not run here",
    "Airflow's metadata are in PostgreSQL: without a server nothing starts.",
)

_NAMED = 8
_KERNEL = (3, 10)  # that of RHEL 7, the oldest that was tried


def release(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether what differs in this release of Airflow is known."""
    found = release_for(needs.airflow)
    if not found.known:
        yield AIRFLOW_UNKNOWN.found(f"Airflow {needs.airflow}", needed=f"{NEWEST} or older")


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Machine, kind of C library, then its version."""
    libc = facts.libc
    if libc is None:
        return
    yield from _kernel(libc)
    needed = f"{needs.machine}, {needs.libc_label} or newer"
    rebuild = "Have the bundle made for this host (outside: airferry bundle --platform {})."
    if libc.machine != needs.machine:
        yield MACHINE_WRONG.found(libc.machine, needed=needs.machine, remedy=rebuild.format(_tag(libc)))
        return
    if not libc.name or libc.numbers == (0, 0):
        yield LIBC_UNKNOWN.found(f"{libc.name or 'neither glibc nor musl'} {libc.version}", needed=needed)
        return
    if libc.name != needs.libc:
        yield LIBC_OTHER.found(
            f"{libc.name} {libc.version}",
            needed=needs.libc_label,
            remedy=rebuild.format(_tag(libc)),
        )
        return
    reasons = {name: unfit(name, libc.machine, libc.name, libc.numbers) for name in needs.wheels}
    yield from _postgres(facts, needs, reasons.pop(needs.postgres, ""))
    bad = [f"{name} {reason}" for name, reason in reasons.items() if reason]
    if bad:
        yield LIBC_TOO_OLD.found(
            f"{libc.name} {libc.version}\n{listed(bad, _NAMED)}",
            needed=needed,
            remedy=rebuild.format(_tag(libc)),
        )
        return
    fitting = f"{len(needs.wheels)} packages fit" if needs.wheels else "fits"
    kernel = f"Linux {libc.kernel.partition('-')[0]}"
    yield MACHINE_OK.found(f"{libc.machine}, {libc.name} {libc.version}, {kernel}: {fitting}")


def _kernel(libc: Libc) -> Iterator[Finding]:
    match = re.match(r"(\d+)\.(\d+)", libc.kernel)
    if match and (int(match.group(1)), int(match.group(2))) < _KERNEL:
        yield KERNEL_OLD.found(
            f"Linux {libc.kernel}",
            needed=f"Linux {_KERNEL[0]}.{_KERNEL[1]} or newer",
            remedy="Have the host upgraded to a newer release of its distribution.",
            needs_root=True,
        )


def _postgres(facts: Facts, needs: Needs, reason: str) -> Iterator[Finding]:
    """The carried server alone: a host that has its own can do without it."""
    if not reason or needs.programs:
        return
    there = facts.postgres and any(complete(item) for item in facts.postgres.installed)
    own = (
        "Use this host's own: install with --postgres host."
        if there
        else ("Install this distribution's PostgreSQL server, and use it with --postgres host.")
    )
    yield POSTGRES_UNFIT.found(
        f"{needs.postgres} {reason}",
        needed="a carried PostgreSQL that runs here",
        remedy=own,
        commands=() if there else remedies.install_postgres(facts.distribution),
        needs_root=not there,
    )


def _tag(libc: Libc) -> str:
    """The platform to ask a bundle for: the usual one, or an older one where this host needs it."""
    usual = {"musl": (1, 2)}.get(libc.name, (2, 28))
    major, minor = min(usual, libc.numbers) if libc.numbers != (0, 0) else usual
    return f"{'musllinux' if libc.name == 'musl' else 'manylinux'}_{major}_{minor}_{libc.machine}"
