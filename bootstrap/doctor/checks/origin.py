"""Whether this is the host that the bundle was made for."""

from __future__ import annotations

from typing import Iterator

from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import WARNING
from bootstrap.facts.host import Facts

HOST_OTHER = Entry(
    "host-other",
    WARNING,
    "The bundle was made for another host",
    "The host that was judged in advance was the one that it was made for.",
    "airferry bundle --for FACTS stamps a bundle with the host's machine, C library and Python, but with"
    " nothing that identifies one host. If the other findings say that it fits, it works here, too.",
)


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Compare machine, C library and Python; a part of the facts that is not known counts as the same."""
    made_for, libc = needs.made_for, facts.libc
    if made_for is None:
        return
    found, needed = [], []
    if libc and made_for.machine not in ("", libc.machine):
        found.append(libc.machine)
        needed.append(made_for.machine)
    if libc and made_for.libc and (made_for.libc, made_for.libc_version) != (libc.name, libc.version):
        found.append(f"{libc.name or 'neither glibc nor musl'} {libc.version}".strip())
        needed.append(f"{made_for.libc} {made_for.libc_version}")
    pythons = {item.minor for item in facts.pythons or ()}
    if facts.pythons is not None and made_for.python and made_for.python not in pythons:
        found.append(f"no Python {made_for.python}")
        needed.append(f"Python {made_for.python}")
    if found:
        named = f" ({made_for.distribution})" if made_for.distribution else ""
        yield HOST_OTHER.found(
            ", ".join(found),
            needed=", ".join(needed) + named,
            remedy="Make sure that the right file was carried to the right host.",
        )
