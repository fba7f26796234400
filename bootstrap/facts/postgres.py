"""PostgreSQL of the host: programs and running servers, as far as files show them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

from bootstrap.facts.processes import Process
from bootstrap.facts.processes import collect as processes

FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/lib64/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql*/bin",
    "/opt/*pgsql*/bin",
    "/opt/postgres*/bin",
    "/opt/PostgreSQL/*/bin",
    "/opt/rh/rh-postgresql*/root/usr/bin",
    "/usr/local/bin",
    "/usr/bin",
)
SOCKETS = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # noqa: S108  (where servers put them)
NEEDED = ("initdb", "postgres", "psql")
PROGRAMS = ("initdb", "postgres", "pg_ctl", "psql", "pg_dump", "pg_config")


@dataclass(frozen=True)
class Programs:
    """A folder with PostgreSQL's programs; `version` as the folder's name tells, or empty."""

    folder: str
    programs: Tuple[str, ...]
    version: str = ""


@dataclass(frozen=True)
class Postgres:
    """`installed` programs by folder, the Unix sockets of running servers, and their processes."""

    installed: Tuple[Programs, ...] = ()
    sockets: Tuple[str, ...] = ()
    servers: Tuple[Process, ...] = ()


def collect(folders: Sequence[str] = FOLDERS, path: Optional[str] = None) -> Postgres:
    """Look into the usual folders and at pg_config on PATH; no program is run."""
    candidates = [str(found) for pattern in folders for found in sorted(Path("/").glob(pattern.lstrip("/")))]
    config = shutil.which("pg_config", path=path)
    if config:
        candidates.append(str(Path(config).parent))
    found = {}
    for folder in candidates:
        real = os.path.realpath(folder)
        programs = tuple(name for name in PROGRAMS if os.access(Path(real, name), os.X_OK))
        if {"initdb", "postgres", "psql", "pg_dump"} & set(programs) and real not in found:
            version = re.search(r"(?:postgresql|pgsql|postgres)[-/]?(\d+(?:\.\d+)?)", real)
            found[real] = Programs(real, programs, version.group(1) if version else "")
    servers = tuple(item for item in processes() if item.kind == "postgres")
    return Postgres(tuple(found.values()), _sockets(), servers)


def complete(found: Programs) -> bool:
    """Whether the programs of this folder are all that a cluster of our own needs."""
    return set(NEEDED) <= set(found.programs)


def _sockets() -> Tuple[str, ...]:
    sockets = set()
    for folder in SOCKETS:
        with contextlib.suppress(OSError):
            for path in Path(folder).glob(".s.PGSQL.*"):
                if path.suffix[1:].isdigit():
                    sockets.add(os.path.realpath(path))
    return tuple(sorted(sockets))
