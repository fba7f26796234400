"""The table of results: for the terminal, and as docs/reference/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "reliability.md"
PLAIN, BOOTS = "A host that does not boot", "A host that boots, with systemd"
_HEAD = """# Faults, and what is left after them

Written by `make faults` with its `--write` option, a table for each kind of host; do not edit.

Each line is one real fault on a real installation: install, upgrade and rollback were struck at their steps
and at random moments, then the **same command was given again**. A *power cut* ends every process at once
and takes with it what had not been written through to the disk (ext4, its journal not flushed); after a
*power cut, and boot* a machine with systemd comes up with whatever starts at boot before the command is given
again. *First* is the exit status of the struck command (-9: killed), *again* that of each further try. In the
end the installation named under *state* was there and whole: its components healthy, `doctor` without
blockers, every earlier run of a DAG and the encrypted password of a connection still readable, the link on a
complete release, no process and no temporary file left over, the lock free.
"""
_TABLE = "| command | struck at | fault | first | again | state | result |\n|---|---|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """One case and its outcome."""

    operation: str
    moment: str
    kind: str
    first: int
    again: tuple[int, ...]
    state: str
    problems: tuple[str, ...]
    said: tuple[str, ...]
    seconds: float
    running: bool

    @classmethod
    def of(cls, data: dict[str, Any]) -> Row:
        """From what a worker answers."""
        case = data["case"]
        moment = f"{case['step']} + {case['delay']:.2f} s" if case["step"] else f"{case['delay']:.1f} s"
        return cls(
            case["operation"],
            moment,
            case["kind"],
            data["first"],
            tuple(data["again"]),
            data["state"],
            tuple(data["problems"]),
            tuple(data["said"]),
            data["seconds"],
            case["running"],
        )

    def order(self, names: tuple[str, ...]) -> tuple[int, str, str]:
        """Operations as they follow each other, then by moment."""
        return names.index(self.operation), self.moment, self.kind

    def cells(self) -> tuple[str, ...]:
        """The texts of the table."""
        again = ", ".join(map(str, self.again))
        return (
            self.operation, self.moment, self.kind, str(self.first), again, self.state,
            "FAILED" if self.problems else "ok",
        )  # fmt: skip

    def line(self) -> str:
        """One line for the terminal, with all that is wrong below it."""
        widths = (9, 28, 31, 6, 8, 6, 7)
        text = " ".join(cell.ljust(width) for cell, width in zip(self.cells(), widths, strict=True))
        more = (*self.problems, *self.said)
        return "\n".join([f"{text} {self.seconds:6.1f} s", *(f"    {item}" for item in more)])


def render(rows: list[Row]) -> str:
    """The whole table for the terminal, with a count at its end."""
    passed = sum(not row.problems for row in rows)
    return "\n".join(["", *(row.line() for row in rows), "", f"{passed} passed, {len(rows) - passed} failed"])


def write(tables: Mapping[str, Sequence[Row]], command: str) -> None:
    """Write the tables that have rows, by the kind of host, into the page; others stay as they were.

    `command` has made them.
    """
    parts = _parts()
    for title, rows in tables.items():
        if rows:
            parts[title] = _part(title, rows, command)
    text = "".join(parts[title] for title in (PLAIN, BOOTS) if title in parts)
    PAGE.write_text(_HEAD + text, encoding="utf-8")


def _part(title: str, rows: Sequence[Row], command: str) -> str:
    struck = [row for row in rows if row.first != 0 or row.problems]
    passed = sum(not row.problems for row in struck)
    late = len(rows) - len(struck)
    lines = "".join(f"| {' | '.join(row.cells())} |\n" for row in struck)
    told = f"`{command}`: {passed} of {len(struck)} cases passed."
    told += f" {late} more came after the end of their command." if late else ""
    return f"\n## {title}\n\n{told}\n\n{_TABLE}{lines}"


def _parts() -> dict[str, str]:
    """The tables that the page has, by their titles."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    _, *parts = text.split("\n## ")
    return {part.partition("\n")[0]: f"\n## {part}" for part in parts}
