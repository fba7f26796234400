"""Findings of the internet side: about a bundle that is not made yet, and about the machine that makes it."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, WARNING

OUTSIDE: Dict[str, Entry] = {
    # a bundle to be made for a host whose facts were saved
    "python-unsupported": Entry(
        BLOCKER,
        "This Airflow does not run on this Python",
        "Its packages refuse to be installed there, or fail when they are imported.",
    ),
    "platform-unsupported": Entry(
        BLOCKER,
        "A bundle cannot be made for this platform",
        "Every bundle carries uv and pip, which install the packages without a network.",
    ),
    "libc-rare": Entry(
        WARNING,
        "The C library of this host is older than what packages are published for",
        "Some packages may have no wheel for it: airferry bundle then says which, and what would help.",
    ),
    "postgres-not-carried": Entry(
        WARNING,
        "The bundle would carry no PostgreSQL, and the host has none",
        "Airflow keeps its state there; without a server the install stops.",
    ),
}
