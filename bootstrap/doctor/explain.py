"""What there is to know about a finding, for people."""

from __future__ import annotations

from bootstrap.base.console import Console
from bootstrap.doctor.catalogue import CATALOGUE, Catalogue
from bootstrap.doctor.finding import Entry


def render_entry(identifier: str, console: Console, catalogue: Catalogue = CATALOGUE) -> None:
    """Print what there is to know about a finding, or with no identifier a line for each that there is.

    Raises UnknownFinding for an id that there is not.
    """
    if not identifier:
        _list(console, catalogue)
        return
    entry = catalogue.explain(identifier)
    console.print(_line(identifier, entry, console) + ".", "bold")
    for text in (entry.why, entry.more):
        if text:
            console.print()
            console.print(text)


def _list(console: Console, catalogue: Catalogue) -> None:
    for subject, entries in catalogue.subjects.items():
        console.print(subject, "bold")
        for name, entry in entries.items():
            console.print(_line(name, entry, console), indent=2)
        console.print()


def _line(name: str, entry: Entry, console: Console) -> str:
    say = console.language
    return f"{name} ({say.word(entry.severity)}): {say.text(entry.title)}"
