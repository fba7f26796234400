"""What becomes of a change that fails: all of it is undone, and the admin reads why."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator

from bootstrap.change.steps import undo
from bootstrap.state import change_record
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.plan import Progress
from wheelhouse.errors import AirferryError


class UpgradeFailed(AirferryError):
    """An upgrade failed and was undone: the old Airflow runs again, with its data."""

    reference = "upgrade-failed"
    exit_code = 85


@contextlib.contextmanager
def undone_on_failure(change: Change, progress: Progress) -> Iterator[None]:
    """Bring the old one back when what is done inside fails, and raise what the admin should read.

    An interrupt passes on as it is.
    """
    try:
        yield
    except BaseException as error:
        _undone(change, error, progress)
        raise


def _undone(change: Change, error: BaseException, progress: Progress) -> None:
    home = Home(Path(change.old.home))
    if change_record.find(home) is None:  # it was kept before: what failed came after
        return
    again = " ".join(change_record.ways_out(home, change))
    try:
        undo(change, progress, run=True)
    except (AirferryError, OSError) as second:
        if change_record.find(home) is None:
            again = f"{home.bin}/airferry start"
        raise UpgradeFailed(
            f"The {change.title} failed, and the previous state could not be restored: {second}",
            found=f"{_said(error)}\n{getattr(second, 'found', '')}".strip(),
            hint=f"No data is lost. When the cause is fixed: {again}",
        ) from error
    if isinstance(error, (AirferryError, OSError)):
        hint = getattr(error, "hint", "")
        if str(home.install_log) not in hint:
            hint = f"{hint} The whole output is in {home.install_log}.".strip()
        raise UpgradeFailed(
            f"The {change.title} failed; Airflow {change.old.airflow} is back"
            + (" and runs." if change.running else "."),
            found=_said(error),
            hint=hint,
        ) from error


def _said(error: BaseException) -> str:
    found = getattr(error, "found", "")
    return f"{error}\n{found}".strip()
