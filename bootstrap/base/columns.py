"""Text in a window of so many columns: wrapped between words, and side by side in a table."""

# ruff: noqa: PLC0415  (rich is imported at the first use, see console.py)

from __future__ import annotations

from typing import Callable, List, Sequence

GAP = "  "
# How many lines of a list are shown.
SHOWN = 6


def listed(lines: Sequence[str], most: int = SHOWN, between: str = "\n") -> str:
    """The first lines, and how many there are beyond them."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return between.join([*lines[:most], *more])


def cells(text: str) -> int:
    """The cells that a text takes on a terminal: a Korean letter has two."""
    from rich.cells import cell_len

    return cell_len(text)


def wrap(text: str, width: int) -> List[str]:
    """Lines of at most `width` cells (a Korean letter has two); a longer word stays whole."""
    lines: List[str] = []
    for line in text.expandtabs(4).split("\n"):
        if cells(line) <= width:
            lines.append(line.rstrip())
            continue
        words = line.split()
        indent = " " * (len(line) - len(line.lstrip()))
        current = indent + "".join(words[:1])
        for word in words[1:]:
            if cells(current) + 1 + cells(word) > width:
                lines.append(current)
                current = indent + word
            else:
                current += " " + word
        lines.append(current)
    return lines


def fitted(text: str, width: int) -> str:
    """The text in one line of `width` cells, with dots for the words that have no room."""
    lines = wrap(text, width)
    return lines[0] if len(lines) == 1 else (wrap(text, width - 4) or [""])[0] + " ..."


def laid_out(rows: Sequence[Sequence[str]], room: int, rule: str) -> List[str]:
    """The lines of a table of `room` cells; the first row is its head, `rule` draws the line under it.

    The head is one line, unless words have to be wrapped in it. Where words have no room beside
    each other, the cells of the last column stand below their rows.
    """
    below: Sequence[str] = ()
    widths = _widths(rows, room)
    if _too_wide(widths, room) and len(rows[0]) > 2:
        below = [row[-1] for row in rows]
        rows = [row[:-1] for row in rows]
        widths = _widths(rows, room)
    lines = []
    for number, row in enumerate(rows):
        wrapped = [wrap(cell, width) for cell, width in zip(row, widths)]
        for line in range(max(map(len, wrapped))):
            texts = (cell[line] if line < len(cell) else "" for cell in wrapped)
            lines.append(GAP.join(_padded(text, width) for text, width in zip(texts, widths)).rstrip())
        if below and below[number]:
            lines += [f"{GAP}{line}" for line in wrap(below[number], room - len(GAP))]
        if number == 0:
            lines.append(rule * min(room, _whole(widths)))
    return lines


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _too_wide(widths: Sequence[int], room: int) -> bool:
    return _whole(widths) > room


def _widths(rows: Sequence[Sequence[str]], room: int) -> List[int]:
    """The cells that each column gets of `room`: the widest give way, down to their longest word."""

    def widest(column: int, pieces: Callable[[str], Sequence[str]]) -> int:
        return max((cells(piece) for row in rows for piece in pieces(row[column])), default=0)

    columns = range(len(rows[0]))
    widths = [widest(column, str.splitlines) for column in columns]
    least = [widest(column, str.split) for column in columns]
    while _too_wide(widths, room):
        yielding = [column for column in columns if widths[column] > least[column]]
        if not yielding:
            break  # a line that is too long can still be copied
        widths[max(yielding, key=widths.__getitem__)] -= 1
    return widths


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
