"""Settings of the host: variables, locale, clock, FIPS and guards."""

from __future__ import annotations

import re
from typing import Iterator, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts

_MD5_UNTIL = (2, 7, 3)
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
    if needs.created and found.now < needs.created:
        yield Finding(
            "clock-behind", WARNING, f"{found.now} (UTC)",
            f"after {needs.created}, when the newest file of the bundle was published",
            "Set the clock:", ("date -u -s 'YYYY-MM-DD HH:MM:SS'",), needs_root=True,
        )  # fmt: skip


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
