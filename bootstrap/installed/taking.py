"""An Airflow that airferry did not install, which an install is to take over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Taking:
    """Its `place` (a home, or the address of a database), and a descriptor to the `archive` of it."""

    place: str
    archive: int
