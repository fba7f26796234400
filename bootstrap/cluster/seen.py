"""Workers and waiting tasks, as the head's database has them; and a worker on its own host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Tuple


@dataclass(frozen=True)
class Seen:
    """A worker as the head's database has it.

    `state` is the engine's word, `alive` whether it was heard of lately; `age` is in seconds. `versions` are
    of packages. `bundle` is its bundle id and `dags` the digest of its DAG files, where it tells them.
    """

    name: str
    state: str
    alive: bool
    age: float
    queues: Tuple[str, ...]
    running: int
    slots: int
    versions: Mapping[str, str]
    note: str = ""
    bundle: str = ""
    dags: str = ""
    host: str = ""


@dataclass(frozen=True)
class Waiting:
    """Tasks that wait in a queue; `seconds` is how long the first has."""

    queue: str
    tasks: int
    seconds: float


@dataclass(frozen=True)
class Way:
    """A way that must be open in every firewall between `source` and `target`, and what goes there."""

    source: str
    target: str
    port: int
    purpose: str


def written_since(path: Path, since: float) -> bool:
    """Whether a file with the number of a process that runs was written after that moment."""
    try:
        number, written = int(path.read_text(encoding="ascii")), path.stat().st_mtime
        return written >= since - 2 and Path(f"/proc/{number}").exists()
    except (OSError, ValueError):
        return False
