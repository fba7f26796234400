"""Every finding that there is, by its id."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Dict

from bootstrap.doctor.entries.database import DATABASE
from bootstrap.doctor.entries.host import HOST
from bootstrap.doctor.entries.installed import INSTALLED
from bootstrap.doctor.entries.outside import OUTSIDE
from bootstrap.doctor.entries.python import PYTHON
from bootstrap.doctor.entries.running import RUNNING
from bootstrap.doctor.entries.system import SYSTEM
from bootstrap.doctor.entry import Entry
from wheelhouse.errors import AirferryError

SUBJECTS: Dict[str, Dict[str, Entry]] = {
    "Python": PYTHON,
    "The host": HOST,
    "What else is on the host": SYSTEM,
    "An external PostgreSQL server": DATABASE,
    "An installation: its files and settings": INSTALLED,
    "An installation at work": RUNNING,
    "The internet side": OUTSIDE,
}
CATALOGUE: Dict[str, Entry] = {
    identifier: entry for entries in SUBJECTS.values() for identifier, entry in entries.items()
}


class UnknownFinding(AirferryError):
    """An id that no finding has."""

    reference = "unknown-finding"
    exit_code = 2


def explain(identifier: str) -> Entry:
    """The entry of a finding; raises :class:`UnknownFinding`."""
    if identifier in CATALOGUE:
        return CATALOGUE[identifier]
    near = get_close_matches(identifier, CATALOGUE, n=3, cutoff=0.4)
    raise UnknownFinding(
        f"There is no finding {identifier!r}.",
        hint=f"Near it: {', '.join(near)}." if near else "All of them are listed by doctor --explain.",
    )
