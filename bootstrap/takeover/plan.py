"""Where the steps of a take-over stand among those of every install."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

from bootstrap.installed.database_running import database_running
from bootstrap.installed.installation import Installation
from bootstrap.installed.taking import Taking
from bootstrap.state.plan import Step
from bootstrap.takeover.history import HistoryStep, notes
from bootstrap.takeover.steps import AccountStep, FilesStep, OldSchemaStep, RowsStep, SettingsStep, wanted


def with_take_over(steps: List[Step], installation: Installation, taking: Optional[Taking]) -> List[Step]:
    """The steps of an install, and between them those that bring an old Airflow in."""
    if not wanted(installation, taking):
        return steps
    more: Dict[str, Tuple[List[Step], List[Step]]] = {
        # it needs the old fernet key
        "configuration": ([FilesStep(installation, taking)], [SettingsStep(installation)]),
        "migration": ([OldSchemaStep(installation), RowsStep(installation)], [AccountStep(installation)]),
        "proof": ([], [HistoryStep(installation)]),
    }
    found: List[Step] = []
    for step in steps:
        before, after = more.get(step.name, ([], []))
        found += [*before, step, *after]
    return found


def taken_over(installation: Installation, steps: Sequence[Step]) -> Tuple[str, ...]:
    """What there is to know at the end of an install that took one over; PostgreSQL may have been stopped."""
    if not any(isinstance(step, HistoryStep) for step in steps):
        return ()
    with database_running(installation):
        return tuple(notes(installation))
