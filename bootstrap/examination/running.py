"""What the components really run with: their own environment wins over airflow.cfg, and they read it once."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Set, Tuple

from bootstrap.airflow import config, differences
from bootstrap.examination.configuration import harmless
from bootstrap.facts.processes import Process, environment_of, parent_of, started_at
from bootstrap.facts.processes import collect as processes
from bootstrap.installed.installation import Installation
from bootstrap.services import strays

_KEYS = ("fernet_key", "secret_key", "jwt_secret")


@dataclass(frozen=True)
class Running:
    """A component that runs.

    `managed` says that the installation's own service manager started it; `started` is when (seconds since
    1970, 0 when unknown). `seen` says whether its environment could be read (one that writes itself a title
    overwrites it): then `variables` are the names of its AIRFLOW__* variables, `home` is its AIRFLOW_HOME,
    `database` where its database is and `keys` the first digits of the sha256 of each key, both as they
    follow from its variables and else from airflow.cfg.
    """

    name: str
    pid: int
    managed: bool
    started: float = 0.0
    seen: bool = False
    home: str = ""
    variables: Tuple[str, ...] = ()
    database: str = ""
    keys: Dict[str, str] = field(default_factory=dict)


def collect(installation: Installation) -> Tuple[Running, ...]:
    """Look at what the service manager runs, and at Airflows of this home that it does not know."""
    states = installation.services.states()
    managed = {
        item.pid: name for name, item in states.items() if item.pid and name in installation.components
    }
    text = ""
    with contextlib.suppress(OSError, config.ConfigurationError):
        text = config.read(installation.home.airflow_cfg)
    found = [_running(name, pid, text, installation, managed=True) for pid, name in managed.items()]
    # a component that was started anew a moment ago has another number, but the same mark
    inside: Set[int] = {item.pid for item in states.values() if item.pid} | set(
        strays.find(installation.home.path)
    )
    others = [item for item in processes() if _is_stray(item, installation.receipt.home, inside)]
    found += [_running(item.what, item.pid, text, installation, managed=False) for item in others]
    return tuple(found)


def _is_stray(process: Process, home: str, managed: Set[int]) -> bool:
    """Whether it is an Airflow of this home, none of whose forebears the service manager started."""
    if process.kind != "airflow" or process.home != home:
        return False
    pid = process.pid
    while pid > 1:
        if pid in managed:
            return False
        pid = parent_of(pid)
    return True


def _running(name: str, pid: int, text: str, installation: Installation, *, managed: bool) -> Running:
    started = started_at(pid)
    try:
        lines = environment_of(pid)
    except OSError:
        lines = []
    environment = dict(line.partition("=")[::2] for line in lines if "=" in line)
    if "AIRFLOW_HOME" not in environment:
        return Running(name, pid, managed, started)
    numbers = installation.version.numbers
    keys: Dict[str, str] = {}
    places = (("core", "fernet_key"), differences.SECRET_KEY.at(numbers), differences.JWT_SECRET.at(numbers))
    for place, key in zip(places, _KEYS):
        value = _effective(place, environment, text)
        if value:
            keys[key] = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return Running(
        name,
        pid,
        managed,
        started,
        True,
        environment["AIRFLOW_HOME"],
        tuple(sorted(item for item in environment if item.startswith("AIRFLOW__"))),
        harmless(_effective(differences.DATABASE_URL.at(numbers), environment, text)),
        keys,
    )


def _effective(place: Optional[Tuple[str, str]], environment: Mapping[str, str], text: str) -> str:
    if place is None:
        return ""
    named = environment.get("__".join(("AIRFLOW", *place)).upper())
    return (config.get(text, *place) or "") if named is None else named
