"""PostgreSQL as this distribution packages it: its programs, for a private cluster of our own.

No server or cluster of the host's is touched; only the programs are shared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from bootstrap.base import process
from bootstrap.postgres.embedded import PostgresFailed
from bootstrap.postgres.programs import NEEDED, installed

OLDEST = 12

# "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
_VERSION = re.compile(r"\w+ \(PostgreSQL\) (?P<number>(?P<major>\d+)(?:\.\d+)?).*")


@dataclass(frozen=True)
class Programs:
    """A folder with the server's programs, and their version (``15.18``)."""

    folder: Path
    version: str


def find() -> Programs:
    """The newest complete set of programs on this host; raises :class:`PostgresFailed` when there is none."""
    found: List[Programs] = []
    incomplete: List[str] = []
    for candidate in installed():
        missing = set(NEEDED) - set(candidate.programs)
        if missing:
            incomplete.append(f"{candidate.folder} lacks {', '.join(sorted(missing))}")
            continue
        said = _said(Path(candidate.folder) / "postgres")
        version = _VERSION.fullmatch(said)
        if version and int(version["major"]) >= OLDEST:
            found.append(Programs(Path(candidate.folder), version["number"]))
        else:
            incomplete.append(f"{candidate.folder}: {said}")
    if not found:
        raise PostgresFailed(
            "This host has no PostgreSQL server programs that can be used.",
            found="\n".join(incomplete) or "none in the usual folders, and no pg_config on PATH",
            needed=f"initdb, postgres and psql of PostgreSQL {OLDEST} or newer",
            hint="Install the distribution's server package (postgresql, postgresql-server), or leave out"
            " --postgres: the bundle carries a server.",
        )
    return max(found, key=lambda item: [int(part) for part in item.version.split(".")])


def clients(major: int) -> Optional[Path]:
    """The newest folder on this host with psql and pg_dump for a server of that major version."""
    found = []
    for candidate in installed():
        if {"psql", "pg_dump"} <= set(candidate.programs):
            version = major_of(Path(candidate.folder))
            if version >= major:
                found.append((version, Path(candidate.folder)))
    return max(found)[1] if found else None


def major_of(folder: Path) -> int:
    """The major version of the pg_dump in `folder`; 0 when it does not start."""
    version = _VERSION.fullmatch(_said(folder / "pg_dump"))
    return int(version["major"]) if version else 0


def _said(program: Path) -> str:
    """What a program says of its version, or why it does not start."""
    try:
        return process.run([program, "--version"], what="ask for its version", timeout=10).stdout.strip()
    except process.CommandFailed as error:
        return (error.found.strip().splitlines() or [error.message])[-1]
