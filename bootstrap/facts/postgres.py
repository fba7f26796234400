"""PostgreSQL of the host: programs and running servers, as far as files show them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

from bootstrap.facts.processes import Process
from bootstrap.facts.processes import collect as processes
from bootstrap.postgres import programs
from bootstrap.postgres.programs import FOLDERS, ProgramFolder

SOCKETS = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # noqa: S108  (where servers put them)


@dataclass(frozen=True)
class HostPostgres:
    """`installed` programs by folder, the Unix sockets of running servers, and their processes."""

    installed: Tuple[ProgramFolder, ...] = ()
    sockets: Tuple[str, ...] = ()
    servers: Tuple[Process, ...] = ()


def collect(folders: Sequence[str] = FOLDERS, path: Optional[str] = None) -> HostPostgres:
    """Look for programs and running servers; no program is run."""
    servers = tuple(item for item in processes() if item.kind == "postgres")
    return HostPostgres(programs.installed(folders, path), _sockets(), servers)


def _sockets() -> Tuple[str, ...]:
    sockets = set()
    for folder in SOCKETS:
        with contextlib.suppress(OSError):
            for path in Path(folder).glob(".s.PGSQL.*"):
                if path.suffix[1:].isdigit():
                    sockets.add(os.path.realpath(path))
    return tuple(sorted(sockets))
