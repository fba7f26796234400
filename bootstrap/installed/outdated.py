"""Which components run with settings that were changed after they had been started."""

from __future__ import annotations

import contextlib
import time
from typing import List, Tuple

from bootstrap.facts.processes import started_at
from bootstrap.installed.installation import Installation
from bootstrap.services.launcher import OWN_ENVIRONMENT
from bootstrap.state.home import Home

# What every component reads when it starts, and only then; below the home.
FILES = ("airflow.cfg", OWN_ENVIRONMENT, "config/airflow_local_settings.py")
# A file may be written within the second in which a component starts, and /proc counts whole ones.
_TOLERANCE = 2.0


def newest(home: Home) -> Tuple[str, float]:
    """The file of :data:`FILES` that was changed last, and when (seconds since 1970); 0 when there is none.

    A time that is still to come says nothing: the clock was wrong then.
    """
    found, now = [(0.0, FILES[0])], time.time()
    for name in FILES:
        with contextlib.suppress(OSError):
            found.append(((home.path / name).stat().st_mtime, name))
    moment, name = max(item for item in found if item[0] <= now)
    return name, moment


def is_older(started: float, written: float) -> bool:
    """Whether what was started then cannot have read a file that was written then; 0 for unknown."""
    return 0 < started < written - _TOLERANCE


def components(installation: Installation) -> List[str]:
    """The components that run and have read none of the newest settings."""
    _, written = newest(installation.home)
    states = installation.services.states()
    return [
        name
        for name in installation.components
        if name in states and states[name].pid and is_older(started_at(states[name].pid), written)
    ]
