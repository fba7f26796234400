"""Settings of the host: variables, locale, clock, FIPS and guards."""

from __future__ import annotations

import re
from typing import Iterator, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.region import Region
from wheelhouse import timestamp

ENVIRONMENT_IGNORED = Entry(
    "environment-ignored",
    NOTE,
    "Settings in the environment are ignored",
    "They would change the installation, with a different result on each host.",
)
AIRFLOW_VARIABLES = Entry(
    "airflow-variables",
    NOTE,
    "AIRFLOW variables are set",
    "They override airflow.cfg. airferry starts Airflow without them: put what you need into that file.",
)
LOCALE_OTHER = Entry(
    "locale-other",
    NOTE,
    "The locale is not UTF-8",
    "Airflow and PostgreSQL are started with UTF-8 anyway.",
)
CLOCK_BEHIND = Entry(
    "clock-behind",
    WARNING,
    "The clock is behind",
    "Schedules, tokens and certificates depend on it; when it is corrected later, Airflow runs everything"
    " that seems to have been missed.",
)
FIPS_MD5 = Entry(
    "fips-md5",
    BLOCKER,
    "MD5 is refused on this host (FIPS)",
    "Airflow before 2.7.3 needs it for serialised DAGs and fails.",
)
FIPS_ON = Entry(
    "fips-on", NOTE, "FIPS mode is on", "This Airflow does not need MD5; DAGs or providers of your own may."
)
FAPOLICYD_ON = Entry(
    "fapolicyd-on",
    WARNING,
    "fapolicyd is running",
    "It refuses to execute programs that it does not know, and the home will contain many of"
    " them ('Operation not permitted').",
)
SELINUX_ENFORCING = Entry(
    "selinux-enforcing", NOTE, "SELinux is on", "Its default policy allows an installation like this one."
)
TIMEZONE_LOCAL = Entry(
    "timezone-local",
    NOTE,
    "The time zone is not UTC",
    "An install takes it over: @daily then starts at midnight here, where a DAG names no zone. For UTC:"
    " install --timezone UTC. An Airflow that is there already keeps its [core] default_timezone.",
)
TIMEZONE_UNKNOWN = Entry(
    "timezone-unknown",
    WARNING,
    "The time zone has no data",
    "Programs silently use UTC instead; DAGs that name such a zone do not import.",
)
CLOCK_AHEAD = Entry(
    "clock-ahead",
    WARNING,
    "The clock is far ahead",
    "Runs get dates in the future; when the clock is corrected later, Airflow waits until then.",
)
CLOCK_UNSYNCHRONISED = Entry(
    "clock-unsynchronised",
    NOTE,
    "No time service synchronizes the clock",
    "It drifts by seconds a week. On one host this is harmless, but logs of several hosts show "
    "different times.",
)

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
        yield AIRFLOW_VARIABLES.found(_listed(airflows))
    if others:
        yield ENVIRONMENT_IGNORED.found(_listed(others))


def region(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Locale and clock."""
    found = facts.region
    if found is None:
        return
    set_ = ", ".join(f"{name}={value}" for name, value in found.locale.items())
    if found.charset != "utf-8":
        yield LOCALE_OTHER.found(set_)
    yield from _zone(found)
    yield from _clock(found, needs)


def _zone(found: Region) -> Iterator[Finding]:
    if not found.zone_known:
        yield TIMEZONE_UNKNOWN.found(
            f"{found.zone} has no data below /usr/share/zoneinfo",
            needed="a zone that this host knows",
            remedy="Install the package tzdata, or correct the variable TZ.",
            needs_root=True,
        )
    elif found.offset:
        hours, minutes = divmod(abs(found.offset) // 60, 60)
        sign = "-" if found.offset < 0 else "+"
        name = f"{found.zone} is " if found.zone else ""
        yield TIMEZONE_LOCAL.found(f"{name}UTC{sign}{hours:02}:{minutes:02}")


def _clock(found: Region, needs: Needs) -> Iterator[Finding]:
    """Nobody here knows the time; the bundle and the system's own files say what it cannot be."""
    limits = (
        (needs.created, "when the newest file of the bundle was published"),
        (_later(found.newest, -_MAY_LEAD), "because this system wrote files at that time"),
    )
    passed = max((limit for limit in limits if limit[0]), default=("", ""))
    set_it = ("date -u -s 'YYYY-MM-DD HH:MM:SS'",)
    if passed[0] and found.now < passed[0]:
        yield CLOCK_BEHIND.found(
            f"{found.now} (UTC)",
            needed=f"after {passed[0]}, {passed[1]}",
            remedy="Set the clock:",
            commands=set_it,
            needs_root=True,
        )
    elif needs.created and found.now > _later(needs.created, _MAY_REST):
        yield CLOCK_AHEAD.found(
            f"{found.now} (UTC)",
            needed=f"not years after {needs.created}, when the bundle's newest file was published",
            remedy="Set the clock, unless the file really is that old:",
            commands=set_it,
            needs_root=True,
        )
    if found.synchronised is False:
        yield CLOCK_UNSYNCHRONISED.found("the kernel's clock is not synchronized")


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
        yield FIPS_MD5.found(
            refused,
            needed="Airflow 2.7.3 or newer, or a host without FIPS mode",
            remedy="Have a bundle of a newer Airflow made (outside: airferry bundle --airflow 2.11.2).",
        )
    elif refused or found.fips:
        yield FIPS_ON.found(refused or "crypto.fips_enabled = 1")
    if found.fapolicyd:
        yield FAPOLICYD_ON.found(
            "/run/fapolicyd/fapolicyd.fifo",
            remedy="Have the home trusted after the install (and again after each upgrade):",
            commands=(f"fapolicyd-cli --file add {remedies.quoted(needs.home)}/", "fapolicyd-cli --update"),
            needs_root=True,
        )
    if found.selinux == "enforcing":
        yield SELINUX_ENFORCING.found("enforcing")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
