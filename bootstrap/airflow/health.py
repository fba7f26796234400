"""Whether Airflow is well: what its health address says, and whether the admin's password opens it.

HTTP 200 means nothing here: the web server gives it with no scheduler running at all. Only the JSON counts,
and even that stays green in installations whose every task fails; the last word is a real run of a DAG.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from bootstrap.airflow import api
from bootstrap.airflow.api import ApiSession
from bootstrap.airflow.release import AirflowRelease
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
NEVER_STARTED = "never started"
UNREACHABLE = "unreachable"


class AirflowUnhealthy(AirferryError):
    """Not every part of Airflow became healthy in time."""

    reference = "airflow-unhealthy"
    exit_code = 33


@dataclass(frozen=True)
class Health:
    """The health of every part, by the names of the components, with ``metadatabase`` beside them.

    ``raw`` is the JSON as it came, None when there was none; ``problem`` says why.
    """

    components: Mapping[str, str]
    needed: Tuple[str, ...]
    raw: Optional[object] = None
    problem: str = ""

    @property
    def failing(self) -> List[str]:
        """The needed parts that are not healthy."""
        return [name for name in self.needed if self.components.get(name) != HEALTHY]

    @property
    def healthy(self) -> bool:
        """Whether every needed part is healthy."""
        return not self.failing


def fetch(
    release: AirflowRelease,
    web: WebAddress,
    timeout: float = 5.0,
    since: Optional[datetime] = None,
) -> Health:
    """Ask the web server once; a server that does not answer is a finding, not an error.

    Over HTTPS any certificate will do: nothing secret is sent, and to judge certificates is doctor's part.
    For `since` see :func:`judge`.
    """
    url = f"{web.url}{release.health_path}"
    if web.path:
        found = fetch(release, web.root, timeout, since)
        if found.raw is not None:
            return found  # started before it was told of the path; 3.x serves this one there as well
    try:
        status, content = api.request(url, timeout=timeout)
    except OSError as error:
        return _unreachable(release, str(getattr(error, "reason", error)))
    try:
        raw = json.loads(content)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        return _unreachable(release, f"HTTP {status} without health data from {url}")
    return judge(release, raw, since)


def judge(release: AirflowRelease, raw: Mapping[str, object], since: Optional[datetime] = None) -> Health:
    """Read the JSON of a health address.

    A component that was killed stays healthy there for half a minute; with `since` (with a time zone), only a
    sign of life after that moment counts.
    """
    found: Dict[str, str] = {release.web_component: HEALTHY}
    for key in (*release.health_keys, *raw):
        part = raw.get(key)
        status = _status(part if isinstance(part, dict) else {}, f"latest_{key}_heartbeat", since)
        # 2.x tells of a DAG processor that it does not have
        if status != NEVER_STARTED or key in release.health_keys:
            found[_name(key)] = status
    return Health(found, _needed(release), raw)


def wait(
    release: AirflowRelease,
    web: WebAddress,
    seconds: float = 180.0,
    on_poll: Optional[Callable[[Health], None]] = None,
    interval: float = 0.25,
    since: Optional[datetime] = None,
    only: Sequence[str] = (),
) -> Health:
    """Ask until every needed part is healthy. `on_poll` sees each answer, and may raise to give up early.

    For `since` see :func:`judge`. With `only` these components count and no others.

    Raises :class:`AirflowUnhealthy` after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        health = fetch(release, web, since=since)
        if on_poll is not None:
            on_poll(health)
        failing = [name for name in health.failing if not only or name in only]
        if not failing:
            return health
        if time.monotonic() >= deadline:
            raise AirflowUnhealthy(
                f"Airflow was not healthy after {seconds:.0f} seconds: {', '.join(failing)}.",
                found=health.problem
                or ", ".join(f"{name}: {state}" for name, state in health.components.items()),
                needed="healthy: " + ", ".join(only or health.needed),
                hint="Look at the logs of these components.",
            )
        time.sleep(interval)


def login(
    release: AirflowRelease, web: WebAddress, user: str, password: Secret, timeout: float = 30.0
) -> ApiSession:
    """Prove that the password opens this server, and return the open session.

    Raises ``api.LoginFailed``, or ``api.RequestFailed`` when the server does not answer.
    """
    return ApiSession.open(release, web, user, password, timeout)


def _status(part: Mapping[str, object], heartbeat: str, since: Optional[datetime]) -> str:
    status, last = part.get("status"), part.get(heartbeat)
    if status != HEALTHY:
        # A scheduler that never ran is "unhealthy" there, every other part is null.
        never = status is None or (heartbeat in part and last is None)
        return NEVER_STARTED if never else UNHEALTHY
    if since is not None and isinstance(last, str) and datetime.fromisoformat(last) < since:
        return UNHEALTHY
    return HEALTHY


def _unreachable(release: AirflowRelease, problem: str) -> Health:
    needed = _needed(release)
    return Health(dict.fromkeys(needed, UNREACHABLE), needed, None, problem)


def _needed(release: AirflowRelease) -> Tuple[str, ...]:
    return (release.web_component, *map(_name, release.health_keys))


def _name(key: str) -> str:
    return key.replace("_", "-")
