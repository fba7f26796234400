"""An Airflow of somebody else's that an install is to take over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Taking:
    """Its `home`, and a descriptor to the `archive` of it."""

    home: str
    archive: int
