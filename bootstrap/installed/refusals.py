"""Workers that the head has refused lately, with the reason that it keeps in its own log."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Dict, List, Tuple

from bootstrap.installed.installation import Installation
from wheelhouse import timestamp

# A worker that is refused asks again within seconds.
LATELY_SECONDS = 600.0
_LARGEST = 1 << 20
# What Edge logs for a request that is not signed as it should be, and the access log of the same request.
_REASON = re.compile(
    r"\[error\s*\] (?P<reason>.*?) error_id=\S+ \[airflow\.providers\.edge3\.worker_api\.auth\]"
)
_REQUEST = re.compile(
    r"^(?P<time>\S+Z) .* path=/\S*?edge_worker/v1/(?:worker(?:/queues)?|jobs/fetch)/(?P<name>[\w.-]+) "
    r".*status_code=403"
)


@dataclass(frozen=True)
class WorkerRefusal:
    """A worker of that name was refused `times` lately, the last time at `time` (RFC 3339)."""

    name: str
    reason: str
    time: str
    times: int


def find(installation: Installation) -> Tuple[WorkerRefusal, ...]:
    """Read the end of the web server's log; nothing where it cannot be read."""
    path = installation.home.own_logs / f"{installation.version.web_component}.log"
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _LARGEST))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return of_lines(lines, time.time() - LATELY_SECONDS)


def of_lines(lines: List[str], since: float) -> Tuple[WorkerRefusal, ...]:
    """The refusals that a log tells of, after that moment (seconds since 1970)."""
    found: Dict[str, WorkerRefusal] = {}
    reason = ""
    for line in lines:
        said = _REASON.search(line)
        if said:
            reason = said.group("reason")
        asked = _REQUEST.search(line)
        if asked and reason:
            when, name = asked.group("time"), asked.group("name")
            if _seconds(when) >= since:
                times = found[name].times + 1 if name in found else 1
                found[name] = WorkerRefusal(name, reason, when, times)
            reason = ""
    return tuple(found[name] for name in sorted(found))


def _seconds(text: str) -> float:
    try:
        return timestamp.parse(text).timestamp()
    except ValueError:
        return 0.0
