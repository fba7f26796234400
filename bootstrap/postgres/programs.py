"""PostgreSQL's programs on this host, as far as files show them: no program is run."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

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
NEEDED = ("initdb", "postgres", "psql")
PROGRAMS = ("initdb", "postgres", "pg_ctl", "psql", "pg_dump", "pg_config")


@dataclass(frozen=True)
class ProgramFolder:
    """A folder with PostgreSQL's programs; `version` as the folder's name tells, or empty."""

    folder: str
    programs: Tuple[str, ...]
    version: str = ""


def installed(folders: Sequence[str] = FOLDERS, path: Optional[str] = None) -> Tuple[ProgramFolder, ...]:
    """Look into the usual folders, and beside pg_config on PATH."""
    candidates = [str(found) for pattern in folders for found in sorted(Path("/").glob(pattern.lstrip("/")))]
    config = shutil.which("pg_config", path=path)
    if config:
        candidates.append(str(Path(config).parent))
    found: Dict[str, ProgramFolder] = {}
    for folder in candidates:
        real = os.path.realpath(folder)
        programs = tuple(name for name in PROGRAMS if os.access(Path(real, name), os.X_OK))
        if {"initdb", "postgres", "psql", "pg_dump"} & set(programs) and real not in found:
            version = re.search(r"(?:postgresql|pgsql|postgres)[-/]?(\d+(?:\.\d+)?)", real)
            found[real] = ProgramFolder(real, programs, version.group(1) if version else "")
    return tuple(found.values())


def complete(found: ProgramFolder) -> bool:
    """Whether the programs of this folder are all that a cluster of our own needs."""
    return set(NEEDED) <= set(found.programs)
