"""What there is to say about a finding, wherever it is found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """`severity` at its gravest, `title` in a few words, `why` it matters to Airflow, `more` to explain."""

    severity: str
    title: str
    why: str = ""
    more: str = ""
