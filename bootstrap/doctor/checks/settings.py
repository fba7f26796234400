"""Settings of the host: variables, locale, clock, FIPS and guards."""

from __future__ import annotations

import re
from typing import Iterator, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.region import Region
from wheelhouse import timestamp

_MD5_UNTIL = (2, 7, 3)
_MAY_LEAD = 3600
_MAY_REST = 5 * 365 * 86400
_SHOWN = 8


def environment(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Variables and files that would reach into an installation."""
    found = facts.environment
    if found is None:
        return
    airflows = [name for name in found.names if name.startswith("AIRFLOW__")]
    others = [
        name for name in (*found.names, *found.files) if name not in airflows and name != "AIRFLOW_HOME"
    ]
    if airflows:
        yield Finding("airflow-variables", NOTE, _listed(airflows))
    if others:
        yield Finding("environment-ignored", NOTE, _listed(others))


def region(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Locale and clock."""
    found = facts.region
    if found is None:
        return
    set_ = ", ".join(f"{name}={value}" for name, value in found.locale.items())
    if found.charset != "utf-8":
        yield Finding("locale-other", NOTE, set_)
    yield from _zone(found)
    yield from _clock(found, needs)


def _zone(found: Region) -> Iterator[Finding]:
    if not found.zone_known:
        yield Finding(
            "timezone-unknown", WARNING, f"{found.zone} has no data below /usr/share/zoneinfo",
            "a zone that this host knows", "Install the package tzdata, or correct the variable TZ.",
            needs_root=True,
        )  # fmt: skip
    elif found.offset:
        hours, minutes = divmod(abs(found.offset) // 60, 60)
        sign = "-" if found.offset < 0 else "+"
        name = f"{found.zone} is " if found.zone else ""
        yield Finding("timezone-local", NOTE, f"{name}UTC{sign}{hours:02}:{minutes:02}")


def _clock(found: Region, needs: Needs) -> Iterator[Finding]:
    """Nobody here knows the time; the bundle and the system's own files say what it cannot be."""
    limits = (
        (needs.created, "when the newest file of the bundle was published"),
        (_later(found.newest, -_MAY_LEAD), "because this system has written files then"),
    )
    passed = max((limit for limit in limits if limit[0]), default=("", ""))
    set_it = ("date -u -s 'YYYY-MM-DD HH:MM:SS'",)
    if passed[0] and found.now < passed[0]:
        yield Finding(
            "clock-behind", WARNING, f"{found.now} (UTC)", f"after {passed[0]}, {passed[1]}",
            "Set the clock:", set_it, needs_root=True,
        )  # fmt: skip
    elif needs.created and found.now > _later(needs.created, _MAY_REST):
        yield Finding(
            "clock-ahead", WARNING, f"{found.now} (UTC)",
            f"not years after {needs.created}, when the bundle's newest file was published",
            "Set the clock, unless the file is really as old as that:", set_it, needs_root=True,
        )  # fmt: skip
    if found.synchronised is False:
        yield Finding("clock-unsynchronised", NOTE, "the kernel's clock is steered by nobody")


def _later(moment: str, seconds: int) -> str:
    """A moment (RFC 3339, UTC) moved; empty for one that is none."""
    try:
        return timestamp.at(timestamp.parse(moment).timestamp() + seconds)
    except ValueError:
        return ""


def security(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What may forbid things that are allowed elsewhere."""
    found = facts.security
    if found is None:
        return
    asked = [item for item in facts.pythons or () if item.asked and item.minor == needs.python]
    refused = next((item.md5 for item in asked if item.md5), "")
    if refused and _version(needs.airflow) < _MD5_UNTIL:
        yield Finding(
            "fips-md5", BLOCKER, refused, "Airflow 2.7.3 or newer, or a host without FIPS mode",
            "Have a bundle of a newer Airflow made (outside: airferry bundle --airflow 2.11.2).",
        )  # fmt: skip
    elif refused or found.fips:
        yield Finding("fips-on", NOTE, refused or "crypto.fips_enabled = 1")
    if found.fapolicyd:
        yield Finding(
            "fapolicyd-on", WARNING, "/run/fapolicyd/fapolicyd.fifo", "",
            "Have the home trusted once the install is done (and again after each upgrade):",
            (f"fapolicyd-cli --file add {remedies.quoted(needs.home)}/", "fapolicyd-cli --update"),
            needs_root=True,
        )  # fmt: skip
    if found.selinux == "enforcing":
        yield Finding("selinux-enforcing", NOTE, "enforcing")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
