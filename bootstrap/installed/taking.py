"""An Airflow that airferry did not install, which an install is to take over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Taking:
    """Its `home`, and a descriptor to the `archive` of it."""

    home: str
    archive: int
