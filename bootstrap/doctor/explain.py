"""What there is to know about a finding, for people."""

from __future__ import annotations

from bootstrap.base.console import Console
from bootstrap.doctor.catalogue import CATALOGUE, Catalogue


def render_entry(identifier: str, console: Console, catalogue: Catalogue = CATALOGUE) -> None:
    """Print what there is to know about a finding, or with no identifier a line for each that there is.

    Raises UnknownFinding for an id that there is not.
    """
    if not identifier:
        _list(console, catalogue)
        return
    entry = catalogue.explain(identifier)
    console.print(f"{identifier} ({entry.severity}): {entry.title}.", "bold")
    for text in (entry.why, entry.more):
        if text:
            console.print()
            console.print(text)


def _list(console: Console, catalogue: Catalogue) -> None:
    for subject, entries in catalogue.subjects.items():
        console.print(subject, "bold")
        for name, entry in entries.items():
            console.print(f"{name} ({entry.severity}): {entry.title}", indent=2)
        console.print()
