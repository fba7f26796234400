"""What the code of an installation imports late, and must have before a process gives up root.

A bundle may be readable by root alone: nothing can be imported from it afterwards.
"""

from __future__ import annotations

import importlib

IMPORTED_LATE = (
    "bootstrap.installed.kerberos",
    "bootstrap.steps.worker",
    "bootstrap.services.systemd",
    "bootstrap.services.supervisor",
    "bootstrap.postgres.external",
)


def import_all() -> None:
    """Import all of it."""
    for name in IMPORTED_LATE:
        importlib.import_module(name)
