"""The moving line of a terminal: a spinner, a bar, what it is about, and how long it takes."""

# ruff: noqa: PLC0415  (rich is imported at the first use, see console.py)

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Sequence

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, ProgressColumn

BAR = 20  # cells


def moving(columns: Sequence[str], console: RichConsole, *, symbols: bool) -> Progress:
    """A line of these columns that goes when it ends; `symbols` beyond ASCII where the terminal has them."""
    from rich import progress

    makers: Dict[str, Callable[[], ProgressColumn]] = {
        "spinner": lambda: progress.SpinnerColumn("dots" if symbols else "line"),
        "text": lambda: progress.TextColumn("{task.description}", markup=False),
        "bar": lambda: progress.BarColumn(BAR),
        "bytes": progress.DownloadColumn,
        "speed": progress.TransferSpeedColumn,
        "elapsed": progress.TimeElapsedColumn,
    }
    return progress.Progress(
        *[makers[name]() for name in columns],
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
