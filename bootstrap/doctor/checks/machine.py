"""The machine and its C library, against the tag of every wheel."""

from __future__ import annotations

import re
from typing import Iterator

from bootstrap.airflow.differences import NEWEST
from bootstrap.airflow.release import release_for
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.libc import Libc
from bootstrap.postgres.programs import complete
from wheelhouse.tags import unfit

_NAMED = 8
_KERNEL = (3, 10)  # that of RHEL 7, the oldest that was tried


def release(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether what differs in this release of Airflow is known."""
    found = release_for(needs.airflow)
    if not found.known:
        yield Finding("airflow-unknown", WARNING, f"Airflow {needs.airflow}", f"{NEWEST} or older")


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Machine, kind of C library, then its version."""
    libc = facts.libc
    if libc is None:
        return
    yield from _kernel(libc)
    needed = f"{needs.machine}, {needs.libc_label} or newer"
    rebuild = "Have the bundle made for this host (outside: airferry bundle --platform {})."
    if libc.machine != needs.machine:
        yield Finding("machine-wrong", BLOCKER, libc.machine, needs.machine, rebuild.format(_tag(libc)))
        return
    if not libc.name or libc.numbers == (0, 0):
        yield Finding(
            "libc-unknown", WARNING, f"{libc.name or 'neither glibc nor musl'} {libc.version}", needed
        )
        return
    if libc.name != needs.libc:
        yield Finding(
            "libc-other", BLOCKER, f"{libc.name} {libc.version}", needs.libc_label, rebuild.format(_tag(libc))
        )
        return
    reasons = {name: unfit(name, libc.machine, libc.name, libc.numbers) for name in needs.wheels}
    yield from _postgres(facts, needs, reasons.pop(needs.postgres, ""))
    bad = [f"{name} {reason}" for name, reason in reasons.items() if reason]
    if bad:
        more = [f"and {len(bad) - _NAMED} more"] if len(bad) > _NAMED else []
        yield Finding(
            "libc-too-old",
            BLOCKER,
            "\n".join([f"{libc.name} {libc.version}", *bad[:_NAMED], *more]),
            needed,
            rebuild.format(_tag(libc)),
        )
        return
    fitting = f"{len(needs.wheels)} packages fit" if needs.wheels else "fits"
    kernel = f"Linux {libc.kernel.partition('-')[0]}"
    yield Finding("machine-ok", OK, f"{libc.machine}, {libc.name} {libc.version}, {kernel}: {fitting}")


def _kernel(libc: Libc) -> Iterator[Finding]:
    match = re.match(r"(\d+)\.(\d+)", libc.kernel)
    if match and (int(match.group(1)), int(match.group(2))) < _KERNEL:
        yield Finding(
            "kernel-old", WARNING, f"Linux {libc.kernel}", f"Linux {_KERNEL[0]}.{_KERNEL[1]} or newer",
            "Have the host brought to a newer release of its distribution.", needs_root=True,
        )  # fmt: skip


def _postgres(facts: Facts, needs: Needs, reason: str) -> Iterator[Finding]:
    """The carried server alone: a host that has its own can do without it."""
    if not reason or needs.programs:
        return
    there = facts.postgres and any(complete(item) for item in facts.postgres.installed)
    own = (
        "Use this host's own: install with --postgres host."
        if there
        else ("Install this distribution's PostgreSQL server, and take it with --postgres host.")
    )
    yield Finding(
        "postgres-unfit", BLOCKER, f"{needs.postgres} {reason}", "a carried PostgreSQL that runs here", own,
        () if there else remedies.install_postgres(facts.distribution), needs_root=not there,
    )  # fmt: skip


def _tag(libc: Libc) -> str:
    """The platform to ask a bundle for: the usual one, or an older one where this host needs it."""
    usual = {"musl": (1, 2)}.get(libc.name, (2, 28))
    major, minor = min(usual, libc.numbers) if libc.numbers != (0, 0) else usual
    return f"{'musllinux' if libc.name == 'musl' else 'manylinux'}_{major}_{minor}_{libc.machine}"
