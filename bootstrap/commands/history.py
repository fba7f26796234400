"""``HOME/bin/airferry history``: what was done to this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import typer

from bootstrap.base.console import Console
from bootstrap.base.language import Wording
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.state import journal, receipt
from bootstrap.state.journal import History, JournalEntry
from wheelhouse import timestamp

# details of an import that are numbers of connections or variables
_COUNTED = ("added", "replaced", "kept")


def history(
    home: Optional[Path] = HOME,
    lines: int = typer.Option(
        20,
        "--lines",
        "-n",
        min=0,
        show_default=False,
        help="The number of newest entries (default: 20; 0: all).",
    ),
    steps: bool = typer.Option(False, "--steps", help="Show the steps of each command, too."),
    json: bool = JSON,
) -> Result[History]:
    """Show what was done to this installation: when, by whom, and how it ended. The newest comes last."""
    place = home_of(home)
    receipt.load(place.receipt)
    found = journal.read(place.journal)

    def show(console: Console) -> None:
        columns = ["time", "command", "outcome", "seconds", "by", ""]
        console.table(columns, _rows(found, lines, console.language, steps=steps), words=("outcome",))
        if found.unreadable:
            console.note(
                f"{found.unreadable} lines of {place.journal} are not valid events and were skipped."
            )

    return Result(found, show)


def _rows(found: History, lines: int, say: Wording, *, steps: bool) -> List[List[str]]:
    rows: List[List[str]] = []
    for entry in found.entries[-lines:]:
        rows.append(_row(entry, say))
        for step in entry.steps if steps else ():
            rows.append(["", f"  {step.name}", step.state, _seconds(step.seconds), "", ""])
    return rows


def _row(entry: JournalEntry, say: Wording) -> List[str]:
    details = dict(entry.details)
    command = f"{entry.command} --remove" if entry.command == "add" and "remove" in details else entry.command
    note = ", ".join(filter(None, [entry.error, *_about(details, say)]))
    return [_local(entry.time), command, entry.outcome, _seconds(entry.seconds), entry.by, note]


def _about(details: Dict[str, Any], say: Wording) -> Iterator[str]:
    """What was particular to it, in words."""
    before, airflow = details.pop("before", None), details.pop("airflow", None)
    if airflow:
        yield f"{before} -> {airflow}" if before else str(airflow)
    if "set" in details:
        option, value, was = (details.pop(name, None) for name in ("set", "to", "was"))
        yield f"{option} = {value}" if value is not None else f"{option} unset"
        yield f"was {was}" if was is not None else ""
    for name, value in details.items():
        if name in _COUNTED:
            yield f"{say.word(name)}: {value}" if value else ""
        elif isinstance(value, bool):
            yield say.word(name) if value else ""
        elif name != "bundle" and value is not None:
            yield _text(value)


def _local(moment: str) -> str:
    """A time of the journal (UTC) as this host's clock shows it, to the minute."""
    try:
        return timestamp.local(moment)[: len("YYYY-MM-DD HH:MM")]
    except ValueError:
        return moment


def _seconds(number: Optional[float]) -> str:
    return "" if number is None else f"{number:.1f}"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
