"""PostgreSQL as this distribution packages it: its programs, for a private cluster of our own.

No server or cluster of the host's is touched; only the programs are shared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List

from bootstrap import process
from bootstrap.facts.postgres import NEEDED, collect
from bootstrap.postgres.embedded import PostgresFailed

OLDEST = 12


@dataclass(frozen=True)
class Programs:
    """A folder with the server's programs, and their version (``15.18``)."""

    folder: Path
    version: str


def find() -> Programs:
    """The newest complete set of programs on this host; raises :class:`PostgresFailed` when there is none."""
    found: List[Programs] = []
    incomplete: List[str] = []
    for candidate in collect().installed:
        missing = set(NEEDED) - set(candidate.programs)
        if missing:
            incomplete.append(f"{candidate.folder} lacks {', '.join(sorted(missing))}")
            continue
        said = process.run([Path(candidate.folder) / "postgres", "--version"], what="ask for the version")
        version = re.search(r"(\d+)(\.\d+)?", said.stdout)
        if version and int(version.group(1)) >= OLDEST:
            found.append(Programs(Path(candidate.folder), version.group(0)))
        else:
            incomplete.append(f"{candidate.folder} holds {said.stdout.strip()}")
    if not found:
        raise PostgresFailed(
            "This host has no PostgreSQL server programs that can be used.",
            found="\n".join(incomplete) or "none in the usual folders, and no pg_config on PATH",
            needed=f"initdb, postgres and psql of PostgreSQL {OLDEST} or newer",
            hint="Install the distribution's server package (postgresql, postgresql-server), or leave out"
            " --postgres: the bundle carries a server.",
        )
    return max(found, key=lambda item: [int(part) for part in item.version.split(".")])
