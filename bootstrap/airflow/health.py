"""Whether Airflow is well: what its health address says, and whether the admin's password opens it.

HTTP 200 means nothing here: the web server gives it with no scheduler running at all. Only the JSON counts,
and even that stays green in installations whose every task fails; the last word is a real run of a DAG.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from bootstrap.airflow import api
from bootstrap.airflow.api import Session
from bootstrap.airflow.release import Release
from bootstrap.secret import Secret
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


def fetch(release: Release, host: str, port: int, timeout: float = 5.0) -> Health:
    """Ask the web server once; a server that does not answer is a finding, not an error."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{release.health_path}"
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
    return judge(release, raw)


def judge(release: Release, raw: Mapping[str, object]) -> Health:
    """Read the JSON of a health address."""
    found: Dict[str, str] = {release.components[0].name: HEALTHY}
    for key in (*release.health_keys, *raw):
        part = raw.get(key)
        status = part.get("status") if isinstance(part, dict) else None
        if status is not None:
            found[_name(key)] = HEALTHY if status == HEALTHY else UNHEALTHY
        elif key in release.health_keys:  # others may be missing: 2.x has no DAG processor of its own
            found[_name(key)] = NEVER_STARTED
    return Health(found, _needed(release), raw)


def wait(
    release: Release,
    host: str,
    port: int,
    seconds: float = 180.0,
    on_poll: Optional[Callable[[Health], None]] = None,
    interval: float = 0.25,
) -> Health:
    """Ask until every needed part is healthy. `on_poll` sees each answer, and may raise to give up early.

    Raises :class:`AirflowUnhealthy` after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        health = fetch(release, host, port)
        if on_poll is not None:
            on_poll(health)
        if health.healthy:
            return health
        if time.monotonic() >= deadline:
            raise AirflowUnhealthy(
                f"Airflow was not healthy after {seconds:.0f} seconds: {', '.join(health.failing)}.",
                found=health.problem
                or ", ".join(f"{name}: {state}" for name, state in health.components.items()),
                needed="healthy: " + ", ".join(health.needed),
                hint="Look at the logs of these components.",
            )
        time.sleep(interval)


def login(
    release: Release, host: str, port: int, user: str, password: Secret, timeout: float = 30.0
) -> Session:
    """Prove that the password opens this server, and return the open session.

    Raises ``api.LoginFailed``, or ``api.RequestFailed`` when the server does not answer.
    """
    return Session.open(release, host, port, user, password, timeout)


def _unreachable(release: Release, problem: str) -> Health:
    needed = _needed(release)
    return Health(dict.fromkeys(needed, UNREACHABLE), needed, None, problem)


def _needed(release: Release) -> Tuple[str, ...]:
    return (release.components[0].name, *map(_name, release.health_keys))


def _name(key: str) -> str:
    return key.replace("_", "-")
