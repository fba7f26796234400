"""One database as a file and back: pg_dump and pg_restore (PostgreSQL manual, "Backup and Restore")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from bootstrap import process
from bootstrap.process import Argument, CommandFailed
from wheelhouse.errors import AirferryError

# A large database takes hours; this is only the end of a program that hangs.
_SECONDS = 24 * 3600.0


class DumpFailed(AirferryError):
    """The database cannot be written to a file, or read back from one."""

    reference = "dump-failed"
    exit_code = 80


@dataclass(frozen=True)
class Access:
    """How a database is reached: `programs` (the folder), connection `arguments`, and the environment."""

    programs: Path
    arguments: Tuple[str, ...]
    env: Mapping[str, str]
    log: Path

    def run(self, program: str, *arguments: Argument, what: str, ok: Sequence[int] = (0,)) -> str:
        """Run one of PostgreSQL's programs on that database; its standard output. Raises CommandFailed."""
        command: List[Argument] = [self.programs / program, *self.arguments, *arguments]
        return process.run(command, what=what, env=self.env, timeout=_SECONDS, log=self.log, ok=ok).stdout

    def query(self, sql: str) -> str:
        """Run one query; its rows as text, columns separated by tabs."""
        return self.run(
            "psql",
            "-X",
            "-v",
            "ON_ERROR_STOP=1",
            "-A",
            "-t",
            "-F",
            "\t",
            "-c",
            sql,
            what="query the database",
        ).strip()


def save(access: Access, target: Path) -> None:
    """Write the database to `target` in the custom format, as it is at one moment, while it is in use.

    Raises :class:`DumpFailed`; what was written then is of no use.
    """
    _needs(access, "pg_dump")
    try:
        access.run("pg_dump", "-F", "c", "-f", target, what="write the database to a file")
        # reads the table of contents, which is written last
        process.run(
            [access.programs / "pg_restore", "--list", target], what="read the dump back", env=access.env
        )
    except CommandFailed as error:
        raise DumpFailed(error.message, found=error.found, hint=error.hint) from error


def load(access: Access, source: Path) -> None:
    """Fill an empty database from `source`; whoever connects will own it all. Raises :class:`DumpFailed`."""
    _needs(access, "pg_restore")
    try:
        access.run(
            "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", source,
            what="read the database from a file",
        )  # fmt: skip
    except CommandFailed as error:
        raise DumpFailed(error.message, found=error.found, hint=error.hint) from error


def size(access: Access) -> int:
    """The bytes that the database takes on the server's disk."""
    return int(access.query("SELECT pg_database_size(current_database())"))


def revision(access: Access) -> str:
    """The revision of Airflow's schema; "" when there is none."""
    if not access.query("SELECT to_regclass('alembic_version')"):
        return ""
    return access.query("SELECT min(version_num) FROM alembic_version")


def rows(access: Access) -> Dict[str, int]:
    """The number of rows of every table of Airflow's."""
    names = access.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    ).split()
    if not names:
        return {}
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in names)  # noqa: S608
    pairs = (line.split("\t") for line in access.query(counts).split("\n"))
    return {name: int(count) for name, count in pairs}


def _needs(access: Access, program: str) -> None:
    if not (access.programs / program).is_file():
        raise DumpFailed(
            f"PostgreSQL's {program} is not there.",
            found=f"none in {access.programs}",
            needed="the client programs beside the server's",
            hint="Install the distribution's PostgreSQL client package of the same version.",
        )
